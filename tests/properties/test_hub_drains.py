"""Hubs that drain and hubs that come, one after the other, while everybody talks and plain servers come and go: nothing lost, nothing twice, all in
order; and no hub waits for its deadline."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commserver.core import events as ev
from commserver.core.lame_duck import MOVE_GRACE_S
from tests.support.moving import Crowd, Drain, Say, Start
from tests.support.world import Server, World
from tests.support.world_client import joined

TOPICS = [("a",), ("a", "b"), ("b", "c"), ("a", "c"), ("a", "b", "c")]
DRAIN_S = 1.0


class Talk(NamedTuple):
    seconds: float

    def do(self, crowd: Crowd) -> None:
        talk(crowd, self.seconds)


class DrainHub(NamedTuple):
    which: int

    def do(self, crowd: Crowd) -> None:
        crowd.drain_hub(self.which)


class AddHub(NamedTuple):
    def do(self, crowd: Crowd) -> None:
        if len(crowd.hubs) < 3:
            crowd.add_hub()


def talk(crowd: Crowd, seconds: float) -> None:
    """Everybody says something every now and then."""
    rng, end = crowd.world.rng, crowd.world.now + seconds
    while crowd.world.now < end:
        crowd.say(rng.randrange(len(TOPICS)), rng.choice("abc"), reliable=rng.random() < 0.8)
        crowd.world.run(rng.choice([0.0, 0.0007, 0.003, 0.011, 0.02]))


def settle(crowd: Crowd) -> None:
    """They talk on until whoever was to end has ended, and everyone has found the way that there is now."""
    end = crowd.world.now + DRAIN_S + MOVE_GRACE_S
    while waiting := [server.alias for server in crowd.world.servers if not is_settled(crowd, server)]:
        assert crowd.world.now < end, f"{waiting} wait for a deadline"
        talk(crowd, 0.1)
    talk(crowd, 0.3)


def is_settled(crowd: Crowd, server: Server) -> bool:
    """It has ended, or hears and speaks by the same way: a hub, where there is one."""
    router = server.state.router
    if not server.alive or server.broker.draining or server not in crowd.servers:
        return not server.alive or not server.broker.draining
    return router.uplink is router.speaker and (router.uplink is not None) == bool(crowd.hubs)


WHO = st.integers(0, 4)
SAY = st.builds(Say, WHO, st.sampled_from("abc"), st.sampled_from([True, True, True, False]))
TALK = st.builds(Talk, st.sampled_from([0.003, 0.01, 0.05, 0.1, 0.3, 1.0]))
HUBS = st.one_of(st.builds(DrainHub, WHO), st.builds(DrainHub, WHO), st.builds(AddHub))
ALL = st.one_of(HUBS, st.builds(Drain, WHO), st.builds(Start))
JITTER = st.sampled_from([0.001, 0.03, 0.1])


def steps(kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Each of `kinds`, and what is said until the next."""
    return st.lists(st.tuples(kinds, st.lists(st.one_of(SAY, TALK), max_size=6)), max_size=6)


def play(world: World, hubs: int, what: list[tuple[Any, list[Any]]]) -> None:
    crowd = Crowd(world, 3, TOPICS, hubs=hubs, drain_seconds=DRAIN_S)
    settle(crowd)
    for step, said in what:
        for one in (step, *said):
            one.do(crowd)
        settle(crowd)
    crowd.check()


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.02]), JITTER, st.integers(0, 3), steps(HUBS))
def test_hubs_end_and_come_one_after_the_other(
    seed: int, window: float, jitter: float, hubs: int, what: list[tuple[Any, list[Any]]]
) -> None:
    play(World(seed, latency=0.001, jitter=jitter, window=window), hubs, what)


@settings(max_examples=60)
@given(st.integers(0, 2**32), JITTER, st.integers(0, 2), steps(ALL))
def test_and_so_do_all_servers(seed: int, jitter: float, hubs: int, what: list[tuple[Any, list[Any]]]) -> None:
    play(World(seed, latency=0.001, jitter=jitter, window=0.02), hubs, what)


def test_the_hubs_of_a_star_are_restarted_over_and_over() -> None:
    """Longer than the examples of a property are, and always the same; of one hub and of several."""
    for seed in range(6):
        rng = random.Random(seed)
        world = World(seed, latency=0.001, jitter=rng.choice([0.001, 0.03, 0.1]), window=0.02 * (seed % 2))
        restart: list[tuple[Any, list[Any]]] = [
            (DrainHub(rng.randrange(3)), [Talk(rng.random())]),
            (AddHub(), [Talk(rng.random())]),
        ]
        play(world, 1 + seed % 3, restart * 4)


class Star:
    """One hub, which drains, and three plain servers, each with somebody who hears the others."""

    def __init__(self, drain_seconds: float) -> None:
        self.world = World(1, latency=0.01, window=0.02)
        self.hub = self.world.server(hub=True, drain_seconds=drain_seconds)
        self.plain = [self.world.server() for _ in range(3)]
        self.world.run(5.0)
        self.clients = [joined(self.world, server, "t") for server in self.plain]
        self._said = 0

    def talk(self, seconds: float, speakers: int = 3) -> None:
        for _ in range(round(seconds / 0.01)):
            self.clients[self._said % speakers].publish("t", b"%d" % self._said)
            self._said += 1
            self.world.run(0.01)

    def check(self, speakers: int = 3) -> None:
        for place, client in enumerate(self.clients[:speakers]):
            heard = [int(body) for body in client.bodies]
            assert sorted(heard) == [number for number in range(self._said) if number % speakers != place]
            for other in range(speakers):
                of_one = [number for number in heard if number % speakers == other]
                assert of_one == sorted(of_one)


ORDERS = [(0, 1, 2, 3), (1, 2, 3, 0), (1, 0, 2, 3), (2, 1, 3, 0)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("drains_before", [True, False])
def test_a_coordinator_that_has_just_begun_does_not_know_them_all(order: tuple[int, ...], drains_before: bool) -> None:
    """The last hub drains, and the coordinator is restarted in the middle of it or just before: servers come back one after the other."""
    star = Star(drain_seconds=8.0)
    if drains_before:
        star.hub.feed(ev.DrainRequested())
    star.world.coordinator_stops()
    star.talk(0.5)
    star.world.coordinator_up = True
    for which in order:
        star.world.register([star.hub, *star.plain][which])
        if which == 0 and not drains_before:
            star.hub.feed(ev.DrainRequested())
        star.talk(0.3)
    star.talk(3.0)
    assert not star.hub.broker.peers, "it did not wait for its deadline"
    star.world.run(1.0)
    star.check()


@pytest.mark.parametrize("after", [0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
def test_a_server_that_dies_while_servers_turn_to_one_another_is_not_waited_for(after: float) -> None:
    star = Star(drain_seconds=1.0)
    star.clients.pop().leave()
    star.world.run(1.0)
    star.hub.feed(ev.DrainRequested())
    star.talk(after, speakers=2)
    star.plain[2].die()
    star.talk(MOVE_GRACE_S - 1.0, speakers=2)
    assert not star.hub.broker.peers, "it did not wait for its deadline"
    star.talk(2.0, speakers=2)
    star.world.run(1.0)
    star.check(speakers=2)
