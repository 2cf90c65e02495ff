"""What the coordinator is told, and when: seen from outside of the core."""

from __future__ import annotations

from typing import Any

import pytest

from commserver.core import events as ev
from commserver.core.counters import Traffic
from protocol import packets, signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from tests.support.world import Server, World
from tests.support.world_client import OLD, Client, joined

JOINED, LEFT, REFUSED = pb.PeerEvent.JOINED, pb.PeerEvent.LEFT, pb.PeerEvent.REFUSED


@pytest.fixture
def world() -> World:
    return World()


def reports(server: Server) -> list[Any]:
    return [message for message in server.signals() if isinstance(message, pb.ServerReportMessage)]


def report(server: Server, uptime: float = 1.0) -> Any:
    """The report that is sent now."""
    before = len(reports(server))
    server.feed(ev.ReportDue("1", uptime, 0.5, 1_000))
    (sent,) = reports(server)[before:]
    return sent


def events(message: Any) -> list[tuple[int, int, int, int]]:
    return [(event.kind, event.alias, event.code, event.role) for event in message.events]


def test_a_coordinator_that_speaks_part_2_gets_reports(world: World) -> None:
    server = world.server()
    server.feed(ev.ReportDue("1", 1.0, 0.5, 1_000))
    assert reports(server) == [], "before WELCOME nobody knows what it speaks"
    world.run()
    client = joined(world, server, "t")
    message = report(server, 2.0)
    assert (message.version, message.uptime, message.cpu, message.memory) == ("1", 2.0, 0.5, 1_000)
    assert (message.clients, message.topics, message.subscriptions) == (1, 1, 1)
    assert events(message) == [(JOINED, client.alias, 0, pb.CLIENT)]


def test_an_old_coordinator_gets_none(world: World) -> None:
    server = world.server(register=False)
    server.feed(ev.SignalReceived(signalling.welcome(server.alias, [])))
    for second in range(5):
        server.feed(ev.ReportDue("1", float(second), 0.5, 1_000))
    assert reports(server) == []
    server.feed(ev.SignalReceived(signalling.welcome(server.alias, [], resume="r")))
    assert report(server)
    server.feed(ev.SignalReceived(signalling.welcome(server.alias, [])))
    server.feed(ev.ReportDue("1", 6.0, 0.5, 1_000))
    assert len(reports(server)) == 1, "the last WELCOME counts"


def test_none_is_made_while_the_coordinator_is_away(world: World) -> None:
    server = world.server()
    world.run()
    world.coordinator_stops()
    server.feed(ev.ReportDue("1", 1.0, 0.5, 1_000))
    assert reports(server) == []
    world.coordinator_returns()
    world.run()
    assert report(server, 2.0)


def test_who_comes_goes_and_is_refused(world: World) -> None:
    server = world.server(max_peers=2)
    world.run()
    client = joined(world, server)
    stranger = Client(world, auth=b"no token").connect(server)
    world.run()
    second = joined(world, server)
    late = Client(world).connect(server)
    world.run()
    client.leave()
    world.run()
    assert events(report(server)) == [
        (JOINED, client.alias, 0, pb.CLIENT),
        (REFUSED, stranger.alias, Code.AUTH_FAILED, pb.UNKNOWN_ROLE),
        (JOINED, second.alias, 0, pb.CLIENT),
        (REFUSED, late.alias, Code.SERVER_FULL, pb.CLIENT),
        (LEFT, client.alias, 0, pb.CLIENT),
    ]
    assert events(report(server, 2.0)) == []


def test_a_renewed_token_is_no_event(world: World) -> None:
    server = world.server()
    world.run()
    client = joined(world, server)
    report(server)
    client.prove()
    world.run()
    assert events(report(server, 2.0)) == []


def test_links_to_servers_come_and_go(world: World) -> None:
    one, other = world.server(), world.server()
    world.run()
    speaker, listener = joined(world, one), joined(world, other, "t")
    world.run()
    before, before_there = report(one), report(other)
    assert [link.alias for link in before.links] == [other.alias]
    assert (JOINED, other.alias, 0, pb.COMMUNICATION_SERVER) in events(before)
    speaker.publish("t", b"x" * 100)
    world.run()
    assert listener.bodies == [b"x" * 100]
    out, back = spent(before, report(one, 2.0)), spent(before_there, report(other, 2.0))
    assert out.packets_out == 1
    assert 100 < out.bytes_out < 200
    assert (back.packets_in, back.bytes_in) == (out.packets_out, out.bytes_out)
    assert (back.packets_out, back.bytes_out) == (out.packets_in, out.bytes_in) == (0, 0)
    other.feed(ev.DrainRequested())
    listener.leave()
    world.run(5)
    last = report(one, 3.0)
    assert list(last.links) == []
    assert one.state.counters.links == {}
    assert (LEFT, other.alias, Code.SERVER_STOPPING, pb.COMMUNICATION_SERVER) in events(last)


def test_an_old_server_that_proves_itself_late_joins_once(world: World) -> None:
    server, late = world.server(auth_required=False), world.server(auth_required=False)
    world.run()
    (session,) = server.broker.peers.servers()
    session.assumed = True
    traffic = dict(server.state.counters.links)
    report(server)
    late.feed(ev.TokenRenewed())
    world.run()
    assert not session.assumed
    assert events(report(server, 2.0)) == []
    assert server.state.counters.links[session.link] is traffic[session.link]


def spent(before: Any, after: Any) -> Traffic:
    """What went over the only link between two reports."""
    (a,), (b,) = before.links, after.links
    names = ("packets_in", "bytes_in", "packets_out", "bytes_out")
    return Traffic(**{name: getattr(b, name) - getattr(a, name) for name in names})


@pytest.mark.parametrize("window", [0.0, 0.02])
@pytest.mark.parametrize("capabilities", [(pb.BATCH,), OLD])
def test_records_are_counted_by_topic_whatever_way_they_take(window: float, capabilities: tuple[pb.Capability, ...]) -> None:
    world = World(window=window)
    server = world.server()
    world.run()
    speaker, _ = joined(world, server, "a"), joined(world, server, "a", "b", capabilities=capabilities)
    report(server, 1.0)
    for _ in range(3):
        speaker.publish("a")
    speaker.publish_batch("b", [b"1", b"2", b"3", b"4"], reliable=False)
    speaker.publish("nobody-wants-it")
    speaker.send(packets.topic("not valid", b""))
    world.run()
    message = report(server, 3.0)
    assert [(entry.topic, entry.subscribers, entry.records_per_second) for entry in message.busiest] == [
        ("b", 1, 2.0),
        ("a", 2, 1.5),
    ]
    assert message.records_relayed == 7
