"""A star with two hubs, or a mesh that becomes one: whatever is killed and returns, nothing comes twice, and once all has settled each
packet comes exactly once. The coordinator decides by its own core whom it names to whom."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.world import Server, World
from tests.support.world_client import Client
from tests.support.world_cluster import check_interest, new_client, publish_everywhere

SEEDS = st.integers(0, 2**32)
CLUSTERS = st.lists(st.booleans(), min_size=3, max_size=6).filter(lambda hubs: 1 <= sum(hubs) <= 3 and sum(hubs) < len(hubs))
"""Whether each server, in the order they come, is a hub: one to three of them are."""
STEPS = st.lists(
    st.tuples(st.sampled_from(["kill hub", "kill plain", "return", "break", "restart", "vanish"]), st.integers(0, 9)),
    max_size=10,
)


class Star:
    """Servers that may be killed and may return, each time under their alias; and people who are always at one that is never killed."""

    def __init__(self, seed: int, hubs: list[bool]) -> None:
        self.world = World(seed, jitter=0.02, window=0.02 if seed % 2 else 0.0)
        self.servers = [self._start(hub) for hub in hubs]
        self.world.run(5)
        self.homes = [server for server in self.servers if not server.config.is_hub][:2]
        self.clients = {new_client(self.world, server, ["a", "b"]): server for server in self.homes}
        self.said = 0

    def _start(self, hub: bool, alias: int = 0) -> Server:
        server = self.world.server(hub=hub, alias=alias)
        self.world.run(self.world.rng.random() * 0.05)
        return server

    def step(self, what: str, which: int) -> None:
        """One thing happens."""
        alive = [server for server in self.servers if server.alive]
        match what:
            case "kill hub" | "kill plain":
                prey = [s for s in alive if s.config.is_hub is (what == "kill hub") and s not in self.homes]
                if prey:
                    prey[which % len(prey)].die()
            case "return":
                dead = [server for server in self.servers if not server.alive]
                if dead:
                    back = dead[which % len(dead)]
                    self.servers.remove(back)
                    self.servers.append(self._start(back.config.is_hub, back.alias))
            case "break":
                server = alive[which % len(alive)]
                ends = [end for session in server.broker.peers.servers() if (end := server.ends.get(session.link))]
                if ends:
                    self.world.close(ends[which % len(ends)], "failed")
            case "restart":
                self.world.coordinator_stops()
                self.world.run(self.world.rng.random() * 3)
                self.world.servers = [server for server in self.world.servers if server.alive]
                self.world.coordinator_returns()
            case "vanish":
                server = alive[which % len(alive)]
                self.world.unregister(server)
                self.world.run(self.world.rng.random())
                self.world.register(server)

    def talk(self, seconds: float) -> None:
        """Everyone publishes all the while."""
        for _ in range(round(seconds / 0.02)):
            for client in self.clients:
                self.said += 1
                client.publish("a", f"{client.alias} {self.said}".encode())
            self.world.run(0.02)

    def doubled(self, client: Client) -> dict[bytes, int]:
        """What came more than once."""
        return {body: count for body, count in Counter(client.bodies).items() if count > 1}


@settings(max_examples=150)
@given(SEEDS, CLUSTERS, STEPS)
def test_nothing_comes_twice_and_once_settled_everything_comes_once(
    seed: int, hubs: list[bool], steps: list[tuple[str, int]]
) -> None:
    star = Star(seed, hubs)
    for what, which in steps:
        star.talk(star.world.rng.random() * 0.3)
        star.step(what, which)
        star.talk(star.world.rng.random() * 0.3)
        star.world.run(star.world.rng.random() * 3)
    for client in star.clients:
        assert star.doubled(client) == {}
    star.world.run(60)
    publish_everywhere(star.world, star.clients)
    alive = [server for server in star.world.servers if server.alive]
    check_interest(alive)
    for server in alive:
        aliases = [session.alias for session in server.broker.peers.servers()]
        assert len(aliases) == len(set(aliases)), "one link between two servers"


@settings(max_examples=60)
@given(SEEDS, st.integers(2, 3), st.integers(2, 6), st.integers(0, 5))
def test_while_one_of_several_hubs_lives_a_killed_one_is_made_up_for_in_two_seconds(
    seed: int, hubs: int, plain: int, which: int
) -> None:
    """The coordinator's word and a PING decide; nobody waits for the transport to give up."""
    star = Star(seed, [True] * hubs + [False] * plain)
    living = [server for server in star.servers if server.config.is_hub]
    living[which % hubs].die()
    star.world.run(2)
    publish_everywhere(star.world, star.clients)
    for client in star.clients:
        assert star.doubled(client) == {}
    plains = [server for server in star.servers if not server.config.is_hub]
    assert not any(one.links_to(other) for one in plains for other in plains if one is not other)
