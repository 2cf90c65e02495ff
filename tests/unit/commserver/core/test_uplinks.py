"""How a plain server changes from one hub to another, to a mesh and to a star, and what happens when others do not play along."""

from __future__ import annotations

from typing import Any

import pytest

from commserver.core import events as ev
from commserver.core import session as sessions
from commserver.core.lame_duck import MOVE_GRACE_S
from commserver.core.uplinks import JOIN_S
from protocol import batch, packets
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.support.world import Server, World, token
from tests.support.world_client import Client, joined

LATENCY_S = 0.01
TURN_S = 1.0
"""Enough for a few ways to and fro."""
DRAIN_S = 8.0
OLDER = tuple(set(sessions.OUR_CAPABILITIES) - {pb.UPLINKS})
"""What servers of an earlier version can do."""


@pytest.fixture
def world() -> World:
    return World(latency=LATENCY_S, window=0.02)


def star(world: World, hubs: int, plain: int = 2, **config: Any) -> tuple[list[Server], list[Server]]:
    made = [world.server(hub=True, drain_seconds=DRAIN_S) for _ in range(hubs)], [world.server(**config) for _ in range(plain)]
    world.run(5.0)
    return made


def ways(server: Server) -> tuple[int, int]:
    """The hubs by which it hears and speaks; 0: by none."""
    router = server.state.router
    return (router.uplink.alias if router.uplink else 0, router.speaker.alias if router.speaker else 0)


def has_ended(server: Server) -> bool:
    """It waits for nobody any more, and its process ends."""
    return server.broker.draining and not server.broker.peers


def talk(world: World, clients: list[Client], seconds: float) -> None:
    """Each says its next number to the others, every few milliseconds."""
    for number in range(round(seconds / 0.004)):
        clients[number % len(clients)].publish("t", b"%d" % number)
        world.run(0.004)


def check(world: World, clients: list[Client], seconds: float) -> None:
    """Nothing lost, nothing twice, in order."""
    world.run(1.0)
    said = range(round(seconds / 0.004))
    for place, client in enumerate(clients):
        for other in range(len(clients)):
            bodies = [got.body for got in client.got if got.sender == clients[other].alias]
            assert bodies == [b"%d" % n for n in said if n % len(clients) == other and other != place]


def test_while_another_hub_is_there_it_takes_the_place_of_one_that_drains(world: World) -> None:
    hubs, plain = star(world, 2)
    clients = [joined(world, server, "t") for server in plain]
    drained = next(hub for hub in hubs if hub.alias == ways(plain[0])[0])
    other = next(hub for hub in hubs if hub is not drained)
    drained.feed(ev.DrainRequested())
    talk(world, clients, TURN_S)
    assert [ways(server) for server in plain] == [(other.alias, other.alias)] * 2
    assert has_ended(drained), "it waits for nobody any more"
    assert not plain[0].links_to(plain[1])
    check(world, clients, TURN_S)


def test_when_the_last_hub_drains_servers_are_linked_with_each_other_before_it_ends(world: World) -> None:
    (hub,), plain = star(world, 1, 3)
    clients = [joined(world, server, "t") for server in (*plain, hub)]
    hub.feed(ev.DrainRequested())
    talk(world, clients, TURN_S)
    assert all(ways(server) == (hub.alias, 0) for server in plain), "its clients are still heard, and hear"
    assert not has_ended(hub)
    assert all(one.links_to(other) == 1 for one in plain for other in plain if one is not other)
    check(world, clients, TURN_S)
    clients.pop().leave()
    world.run(1.0)
    assert has_ended(hub)
    assert all(ways(server) == (0, 0) for server in plain)


def test_a_hub_that_comes_is_used_once_everyone_hears_it(world: World) -> None:
    plain = [world.server() for _ in range(3)]
    world.run(5.0)
    clients = [joined(world, server, "t") for server in plain]
    hub = world.server(hub=True)
    talk(world, clients, TURN_S)
    assert all(ways(server) == (hub.alias, hub.alias) for server in plain)
    assert not any(one.links_to(other) for one in plain for other in plain)
    check(world, clients, TURN_S)


def test_who_hears_no_hub_is_waited_for_only_so_long(world: World) -> None:
    """One server's link with the hub does not come about."""
    plain = [world.server() for _ in range(3)]
    world.run(5.0)
    hub = world.server(hub=True, register=False)
    world.registered[hub.alias] = hub
    hub.on_signal(world_welcome(hub, [server.alias for server in plain[:2]]))
    world.run(2.0)
    assert [ways(server) for server in plain] == [(hub.alias, 0), (hub.alias, 0), (0, 0)]
    world.run(JOIN_S)
    assert [ways(server) for server in plain] == [(hub.alias, hub.alias)] * 2 + [(0, 0)]


def world_welcome(server: Server, others: list[int]) -> bytes:
    return pb.WelcomeMessage(type=pb.WELCOME, alias=server.alias, available_servers=others, resume="r").SerializeToString()


def test_the_next_hub_dies_while_it_is_to_take_over(world: World) -> None:
    """What had waited for it goes by the one that drains, which is still there."""
    for moment in range(1, 20):
        world = World(moment, latency=LATENCY_S, window=0.0)
        hubs, plain = star(world, 2)
        clients = [joined(world, server, "t") for server in plain]
        present = next(hub for hub in hubs if hub.alias == ways(plain[0])[0])
        other = next(hub for hub in hubs if hub is not present)
        if ways(plain[1])[0] != present.alias:
            continue
        keeper = joined(world, present)
        present.feed(ev.DrainRequested())
        for number in range(60):
            clients[0].publish("t", b"%d" % number)
            world.run(0.004)
            if number == 2 * moment:
                for end in list(other.ends.values()):
                    world.close(end, "failed")
                other.alive = False
                world.unregister(other)
        world.run(3.0)
        bodies = [int(body) for body in clients[1].bodies]
        assert bodies == sorted(set(bodies))
        assert bodies[-1] == 59
        assert len(bodies) > 35, "what was on its way by the one that died is lost, as ever"
        keeper.leave()
        world.run(3.0)
        assert [ways(server) for server in plain] == [(0, 0)] * 2


def test_the_hub_that_drains_dies_before_all_have_left(world: World) -> None:
    hubs, plain = star(world, 2, 4)
    clients = [joined(world, server, "t") for server in plain]
    present = next(hub for hub in hubs if hub.alias == ways(plain[0])[0])
    other = next(hub for hub in hubs if hub is not present)
    present.feed(ev.DrainRequested())
    world.run(1.5 * LATENCY_S)
    present.die()
    world.run(3.0)
    assert all(ways(server) == (other.alias, other.alias) for server in plain)
    clients[0].publish("t", b"x")
    world.run(0.5)
    assert [client.bodies for client in clients] == [[], [b"x"], [b"x"], [b"x"]]


def test_a_link_with_a_server_whose_hub_is_about_to_end_is_kept(world: World) -> None:
    """That server may be about to need it; once it speaks by another hub, it does not."""
    hubs, (plain, _) = star(world, 2)
    present = next(hub for hub in hubs if hub.alias == ways(plain)[0])
    other = next(hub for hub in hubs if hub is not present)
    keeper = joined(world, other)
    other.feed(ev.DrainRequested())
    server = server_of(world, plain, *sessions.OUR_CAPABILITIES)
    server.send(packets.uplink(other.alias, passes_on=True))
    world.run(0.5)
    assert server.is_open
    server.send(packets.uplink(present.alias, passes_on=True))
    world.run(0.5)
    assert server.close_codes == [Code.NOT_NEEDED]
    keeper.leave()


def test_a_hub_that_is_asked_tells_what_it_has_learned_by_asking(world: World) -> None:
    """Whoever turns to it knows whom it reaches by it."""
    hub = world.server(hub=True, probe_timeout=1e9)
    one, other = (server_of(world, hub, *sessions.OUR_CAPABILITIES) for _ in range(2))
    one.send(packets.sync(7))
    world.run(3 * LATENCY_S)
    (asked,) = other.of_type(pb.SYNC)
    other.send(packets.subscription(["t"], version=1))
    other.send(packets.synced(asked.number))
    world.run(3 * LATENCY_S)
    told = [message for message in one.messages if message.type in (pb.SUBSCRIPTION_UPDATE, pb.SYNCED)]
    assert [message.type for message in told] == [pb.SUBSCRIPTION_UPDATE, pb.SYNCED]
    assert list(told[0].added) == ["t"]


# ------------------------------------------------------------------------------------------------------- others do not play along


def test_a_hub_waits_until_its_deadline_for_a_server_that_cannot_leave(world: World) -> None:
    """The coordinator is away, so the others cannot be linked with."""
    (hub,), plain = star(world, 1)
    world.coordinator_stops()
    hub.feed(ev.DrainRequested())
    world.run(DRAIN_S + MOVE_GRACE_S - 1.0)
    assert not has_ended(hub)
    assert all(ways(server) == (hub.alias, hub.alias) for server in plain)
    world.run(2.0)
    assert has_ended(hub)


def server_of(world: World, hub: Server, *capabilities: pb.Capability) -> Client:
    """A plain server linked with `hub` alone, that does what the test says."""
    server = Client(
        world,
        role=TokenRole.COMMUNICATION_SERVER,
        wire_role=pb.COMMUNICATION_SERVER,
        capabilities=capabilities,
        auth=token("commserver", TokenRole.COMMUNICATION_SERVER).encode(),
    ).connect(hub)
    world.run(0.5)
    assert server.is_open
    return server


def test_servers_of_an_earlier_version_are_neither_asked_nor_waited_for(world: World) -> None:
    hubs, plain = star(world, 2)
    hub = next(hub for hub in hubs if hub.alias == ways(plain[0])[0])
    client = joined(world, plain[0], "t")
    older = server_of(world, hub, *OLDER)
    older.send(batch.batch([batch.group_frame("t", [99], [b"x"])]))
    world.run(0.5)
    assert client.bodies == [b"x"], "a hub passes on what comes of it, as ever"
    hub.feed(ev.DrainRequested())
    world.run(0.1)
    client.leave()
    world.run(5.0)
    assert older.of_type(pb.MOVE) == []
    assert has_ended(hub)


def test_a_hub_passes_on_what_it_is_told_to_pass_on(world: World) -> None:
    hubs, plain = star(world, 2)
    hub = next(hub for hub in hubs if hub.alias == ways(plain[0])[0])
    client = joined(world, plain[0], "t")
    server = server_of(world, hub, *sessions.OUR_CAPABILITIES)
    for number, uplink in enumerate([None, (hub.alias, True), (hub.alias, False), (4711, True)]):
        if uplink is not None:
            server.send(packets.uplink(uplink[0], passes_on=uplink[1]))
        server.send(batch.batch([batch.group_frame("t", [99], [b"%d" % number])]))
        world.run(0.5)
    assert client.bodies == [b"1"]


@pytest.mark.parametrize("message", [packets.uplink(1001, passes_on=True), packets.move(Code.SERVER_DRAINING, 1.0)])
def test_a_client_has_no_uplink_and_nothing_to_say_of_moving(world: World, message: bytes) -> None:
    client = joined(world, world.server())
    client.send(message)
    world.run(0.1)
    assert client.errors == [(Code.UNEXPECTED_MESSAGE, "")]


def test_a_plain_server_is_not_to_be_moved_away_from(world: World) -> None:
    (hub,), (plain, _) = star(world, 1)
    other = server_of(world, plain, *sessions.OUR_CAPABILITIES)
    other.send(packets.move(Code.SERVER_DRAINING, 1.0))
    world.run(0.5)
    assert ways(plain) == (hub.alias, hub.alias)


def test_too_much_that_waits_is_sent_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the answer of the hub takes that is to be left."""
    monkeypatch.setattr("commserver.core.relay.MAX_KEPT_BYTES", 2_000)
    hubs, plain = star(world, 2)
    clients = [joined(world, server, "t") for server in plain]
    present = next(hub for hub in hubs if hub.alias == ways(plain[0])[0])
    other = next(hub for hub in hubs if hub is not present)
    present.feed(ev.DrainRequested())
    while plain[0].state.router.speaker is plain[0].state.router.uplink:
        world.run(0.001)
    for _ in range(30):
        clients[0].publish("t", bytes(100))
    world.run(LATENCY_S + 0.025)
    assert ways(plain[0]) == (other.alias, other.alias)
    world.run(1.0)
    assert len(clients[1].got) == 30
