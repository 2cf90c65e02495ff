"""The whole core: bad input, draining, and what others are told."""

from __future__ import annotations

import logging

import pytest

from commserver.core import events as ev
from protocol import packets, signalling
from protocol.codes import Code
from protocol.limits import KIB, MAX_ERRORS, PeerLimits
from protocol.pb import broker_pb2 as pb
from tests.support.world import Server, World
from tests.support.world_client import OLD, Client, joined


@pytest.fixture
def world() -> World:
    return World()


def statuses(server: Server) -> list[pb.ServerStatusMessage]:
    return [message for message in server.signals() if isinstance(message, pb.ServerStatusMessage)]


# ------------------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", Code.BAD_MESSAGE),
        (b"\xff\xff\xff", Code.BAD_MESSAGE),
        (b"\x08\x09\xff", Code.BAD_MESSAGE),
        (signalling.connect(1), Code.BAD_MESSAGE),
        (packets.topic("t", b"x" * 65 * KIB), Code.MESSAGE_TOO_LARGE),
    ],
    ids=["empty", "garbage", "cut off", "signalling", "oversized"],
)
def test_garbage_is_refused_and_the_link_lives(world: World, data: bytes, code: Code) -> None:
    server = world.server()
    client, other = joined(world, server, "t"), joined(world, server, "t")
    client.send(data)
    client.send(data, reliable=False)
    client.publish("t", b"after")
    world.run()
    assert [error for error, _ in client.errors] == [code, code]
    assert other.bodies == [b"after"]
    assert other.errors == []


def test_a_message_of_a_newer_version_is_passed_over(world: World) -> None:
    client = joined(world, world.server())
    for _ in range(2 * MAX_ERRORS):
        client.send(b"\x08\xc8\x01")
    world.run()
    assert client.errors == []
    assert client.is_open


def test_garbage_all_the_time_ends_the_link(world: World) -> None:
    server = world.server()
    client, old = joined(world, server), joined(world, server, capabilities=OLD)
    for bad in (client, old):
        for _ in range(MAX_ERRORS + 1):
            bad.send(b"\xff")
    world.run()
    assert client.close_codes == [Code.TOO_MANY_ERRORS]
    assert not client.is_open
    assert not old.is_open
    assert old.messages == [], "an old peer is told nothing it would not understand"
    assert not server.logged(logging.WARNING), "and nobody's log is filled"


def test_garbage_before_auth_ends_it_in_time(world: World) -> None:
    server = world.server(auth_timeout=3.0)
    client = Client(world).connect(server)
    client.speaks_first = False
    world.run(0.1)
    for _ in range(10):
        client.send(b"\xff")
    world.run(5)
    assert not client.is_open
    assert server.broker.counters.errors["BAD_MESSAGE"] == 10


def test_the_limit_of_a_message_can_be_set(world: World) -> None:
    server = world.server(limits=PeerLimits(max_message_bytes=1_200))
    client, listener = joined(world, server), joined(world, server, "t")
    client.publish("t", b"x" * 1_300)
    client.publish("t", b"x" * 1_100)
    world.run()
    assert [len(body) for body in listener.bodies] == [1_100]
    assert client.of_type(pb.READY)[0].limits.max_message_bytes == 1_200


def test_events_of_links_that_are_gone_do_nothing(world: World) -> None:
    server = world.server()
    before = len(server.outputs)
    for event in (
        ev.PacketReceived(99, b"x", True),
        ev.Buffered(99, True, 0),
        ev.LinkClosed(99, "local"),
        ev.LinkFailed(99, Code.BAD_SDP),
        ev.DescriptionMade(99, "sdp"),
        ev.CandidateFound(99, signalling.END_OF_CANDIDATES),
    ):
        server.feed(event)
    assert len(server.outputs) == before
    server.feed(ev.LinkOpened(99))
    assert server.outputs[before:] == [ev.CloseLink(99, Code.TIMEOUT)]


def test_channels_that_never_open_end_with_a_code(world: World) -> None:
    server = world.server(setup_timeout=4.0)
    client = Client(world)
    client.on_signal = lambda frame: None  # type: ignore[method-assign]  # never answers
    client.connect(server)
    world.run(3.9)
    assert server.broker.peers.client_count == 1
    world.run(0.2)
    assert server.broker.counters.closes == {"TIMEOUT": 1}
    assert (server.broker.peers.client_count, server.ends) == (0, {})


def test_opening_twice_does_not_undo_auth(world: World) -> None:
    server = world.server()
    client = joined(world, server, "t")
    (session,) = server.broker.peers
    server.feed(ev.LinkOpened(session.link))
    world.run(60)
    assert client.is_open
    assert session.is_active


def test_who_leaves_may_say_why(world: World) -> None:
    server = world.server()
    client = joined(world, server)
    client.send(packets.close(Code.REPLACED))
    client.leave()
    world.run()
    assert client.errors == []
    assert any("4004" in line for line in server.logged())
    assert server.broker.counters.closes == {"remote": 1}


# --------------------------------------------------------------------------------------------------------- what others are told


def test_the_coordinator_hears_of_load_soon_but_not_of_each_join(world: World) -> None:
    server = world.server(max_peers=10)
    world.run(0.01)
    for _ in range(5):
        joined(world, server)
    world.run()
    told = statuses(server)
    assert (told[-1].clients, told[-1].max_clients, told[-1].draining) == (5, 10, False)
    assert len(told) <= 4
    server.feed(ev.LoadSampled(0.5))
    world.run(0.3)
    assert statuses(server)[-1].cpu == 0.5


def test_counts_that_anyone_may_read(world: World) -> None:
    server, other = world.server(), world.server()
    world.run()
    assert (server.state.alias, server.broker.draining) == (server.alias, False)
    joined(world, server, "a", "b")
    joined(world, other, "b", "c")
    world.run()
    assert (server.broker.topic_count, server.broker.subscription_count) == (3, 4)
    assert server.broker.counters.joins == 2


# -------------------------------------------------------------------------------------------------------- without a coordinator


def test_packets_flow_while_the_coordinator_is_away(world: World) -> None:
    one, other = world.server(), world.server()
    world.run()
    speaker, listener = joined(world, one), joined(world, other, "t")
    world.run()
    world.coordinator_stops()
    for n in range(100):
        speaker.publish("t", b"%d" % n)
        world.run(0.5)
    world.coordinator_returns()
    world.run(1)
    assert listener.bodies == [b"%d" % n for n in range(100)]
