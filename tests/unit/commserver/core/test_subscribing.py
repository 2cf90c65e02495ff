"""Subscription sets: what is in force, what is refused, and what it costs."""

from __future__ import annotations

import pytest

from commserver.core import events as ev
from protocol import packets
from protocol.codes import Code
from protocol.limits import MAX_SUBSCRIPTION_BYTES, PeerLimits
from protocol.pb import broker_pb2 as pb
from tests.support.world import Server, World, token
from tests.support.world_client import OLD, Client, joined


def topics_of(server: Server, client: Client) -> set[str]:
    (session,) = server.broker.peers.of_alias(client.alias)
    return set(server.state.index.topics(session))


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("capabilities", [OLD, (pb.SUBSCRIBE_ACK, pb.ERRORS)])
def test_the_whole_set_replaces_the_former(world: World, gzip: bool, capabilities: tuple[pb.Capability, ...]) -> None:
    server = world.server()
    client = joined(world, server, capabilities=capabilities)
    for topics in (["a", "b"], ["b", "c"], []):
        client.subscribe(*topics, gzip=gzip)
        world.run(0.1)
        assert topics_of(server, client) == set(topics)
    acks = [(m.version, len(m.refused)) for m in client.of_type(pb.SUBSCRIBED)]
    assert acks == ([(1, 0), (2, 0), (3, 0)] if capabilities else [])


def test_what_is_refused_is_listed_and_the_rest_is_in_force(world: World) -> None:
    server = world.server(limits=PeerLimits(max_topics=4))
    client = joined(world, server, auth=token("alice", subscribe="room/*,lobby").encode())
    client.subscribe("room/1", "secret", "room/*", "lobby", "room/2", "room/1", "room/3")
    world.run()
    assert topics_of(server, client) == {"room/1", "lobby"}
    (ack,) = client.of_type(pb.SUBSCRIBED)
    refused = [
        ("secret", Code.NOT_ALLOWED),
        ("room/*", Code.BAD_TOPIC),
        ("room/2", Code.TOO_MANY_TOPICS),
        ("room/3", Code.TOO_MANY_TOPICS),
    ]
    assert [(entry.topic, entry.code) for entry in ack.refused] == refused
    assert client.errors == [(code, topic) for topic, code in refused]


def test_a_thousand_refused_topics_are_one_fault_told_in_part(world: World) -> None:
    server = world.server()
    client = joined(world, server, auth=token("alice", subscribe="").encode())
    for _ in range(20):
        client.subscribe(*(f"some/topic/number/{n}" for n in range(1_500)))
        world.run(0.1)
    assert client.is_open
    ack = client.of_type(pb.SUBSCRIBED)[-1]
    assert len(ack.refused) + ack.refused_more == 1_500
    assert ack.refused_more > 0
    assert len(client.errors) < 60
    assert server.broker.counters.errors["NOT_ALLOWED"] == 20 * 1_500


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (pb.SubscriptionMessage(type=pb.SUBSCRIPTION, format=pb.GZIP, topics=b"not gzip"), Code.BAD_MESSAGE),
        (
            pb.SubscriptionMessage(type=pb.SUBSCRIPTION, format=pb.GZIP, topics=packets.gzip(b"a" * 2 * MAX_SUBSCRIPTION_BYTES)),
            4202,
        ),
        (pb.SubscriptionMessage.FromString(b"\x08\x07\x10\x09\x1a\x01a"), Code.BAD_MESSAGE),
        (pb.SubscriptionMessage(type=pb.SUBSCRIPTION, topics=b"\xff"), Code.BAD_MESSAGE),
    ],
    ids=["not gzip", "gzip bomb", "format", "not UTF-8"],
)
def test_what_cannot_be_read_leaves_the_former_set(world: World, message: pb.SubscriptionMessage, code: int) -> None:
    server = world.server()
    client = joined(world, server, "a")
    client.send(message.SerializeToString())
    world.run()
    assert [error for error, _ in client.errors] == [code]
    assert topics_of(server, client) == {"a"}


@pytest.mark.parametrize(
    "text", [" ".join(f"{n:04x}" for n in range(10_000)).encode(), b" " * MAX_SUBSCRIPTION_BYTES], ids=["topics", "spaces"]
)
def test_costly_sets_all_the_time_are_ignored_and_then_end_the_link(world: World, text: bytes) -> None:
    server = world.server()
    client, other = joined(world, server), joined(world, server)
    message = pb.SubscriptionMessage(
        type=pb.SUBSCRIPTION, format=pb.GZIP, topics=packets.gzip(text), version=1
    ).SerializeToString()
    for _ in range(500):
        client.send(message)
        world.run(0.001)
    world.run(0.1)
    assert client.close_codes == [Code.TOO_MANY_ERRORS]
    assert len(client.of_type(pb.SUBSCRIBED)) <= 12, "few of them were looked at"
    assert other.is_open


def test_moving_about_all_the_time_is_not_costly(world: World) -> None:
    server = world.server()
    client = joined(world, server)
    for n in range(600):
        client.subscribe(*(f"cell/{n + m}" for m in range(50)), gzip=n % 2 == 0)
        world.run(0.02)
    assert client.errors == []
    assert len(client.of_type(pb.SUBSCRIBED)) == 600


def test_servers_are_told_after_a_moment_and_only_of_what_changed(world: World) -> None:
    one, other = world.server(), world.server()
    world.run()
    client = joined(world, one)
    for n in range(10):
        client.subscribe("kept", f"passing/{n}")
        world.run(0.0015)
    world.run()
    assert other.interest_of(one) == {"kept", "passing/9"}
    (end,) = (one.ends[1],)
    told = [packets.decode_packet(data) for data in one.sent(end.number)]
    updates = [m for m in told if isinstance(m, pb.SubscriptionUpdateMessage)]
    assert 1 <= len(updates) <= 2
    client.leave()
    world.run()
    assert other.interest_of(one) == set()


def test_a_server_that_missed_an_update_asks_once_for_everything(world: World) -> None:
    one, other = world.server(), world.server()
    world.run()
    client = joined(world, one, "a")
    world.run()
    end = one.ends[1]
    for version in (77, 78, 79):
        world.send(end, packets.subscription_update(version, ["ghost"], ["a"]), True)
    world.run(0.0021)
    asked = [m for m in map(packets.decode_packet, other.sent(next(iter(other.ends)))) if isinstance(m, pb.ErrorMessage)]
    assert [m.code for m in asked] == [Code.RESYNC]
    world.run()
    assert other.interest_of(one) == {"a"}
    client.subscribe("a", "b")
    world.run()
    assert other.interest_of(one) == {"a", "b"}


def test_updates_are_not_for_clients(world: World) -> None:
    server = world.server()
    client = joined(world, server)
    client.send(packets.subscription_update(1, ["a"], []))
    world.run()
    assert [code for code, _ in client.errors] == [Code.UNEXPECTED_MESSAGE]
    assert topics_of(server, client) == set()


def test_nothing_is_left_of_who_has_gone(world: World) -> None:
    servers = [world.server(), world.server(), world.server(hub=True)]
    world.run(5)
    clients = [joined(world, server, "a", f"b/{n}") for n, server in enumerate(servers)]
    world.run()
    for client in clients:
        client.leave()
    world.run(5)
    for server in servers:
        server.die()
    for server in servers:
        server.alive = True
        for link in [session.link for session in server.broker.peers]:
            server.feed(ev.LinkClosed(link, "failed"))
        broker = server.broker
        assert len(broker.peers) == broker.topic_count == broker.subscription_count == 0
        assert broker._subscribing._remote == {}
        assert server.state.interest._neighbours == {}
        assert broker._probing._probes == {}
        assert broker._told_to_close == {}
        kinds = {kind for kind, _ in server.state.deadlines._live}
        assert kinds <= {"status", "interest", "dial"}
