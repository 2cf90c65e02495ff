"""SYNC: answered when what was sent before has taken effect, here and on every server linked with us."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from commserver.core import events as ev
from commserver.core.interest import PORTION_TOPICS
from commserver.core.syncing import PATIENCE_S, ROUND_S
from protocol import packets
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from tests.support.world import Server, World
from tests.support.world_client import MOVING, Client

LATENCY_S = 0.05


@pytest.fixture
def world() -> World:
    return World(latency=LATENCY_S, window=0.02)


def new(world: World, server: Server, *topics: str) -> Client:
    client = Client(world, capabilities=MOVING).connect(server)
    world.run(1.0)
    if topics:
        client.subscribe(*topics)
        world.run(1.0)
    return client


def synced(client: Client) -> list[int]:
    return [message.number for message in client.messages if message.type == pb.SYNCED]


def syncs(server: Server) -> int:
    """How many it has sent."""
    sent: list[Any] = [packets.decode_packet(output.data) for output in server.outputs if isinstance(output, ev.Send)]
    return sum(1 for message in sent if message.type == pb.SYNC)


def test_a_lone_server_answers_soon(world: World) -> None:
    client = new(world, world.server())
    client.send(packets.sync(7))
    world.run(0.2)
    assert synced(client) == [7]


def test_when_it_is_answered_every_server_knows_the_subscription(world: World) -> None:
    servers = [world.server() for _ in range(3)]
    world.run(5.0)
    client = new(world, servers[0])
    client.subscribe("t")
    client.send(packets.sync(1))
    while not synced(client):
        world.run(0.001)
    assert [server.interest_of(servers[0]) for server in servers[1:]] == [{"t"}, {"t"}]
    assert syncs(servers[0]) == 2


def test_when_it_is_answered_what_was_published_is_on_its_way_to_all(world: World) -> None:
    servers = [world.server() for _ in range(2)]
    world.run(5.0)
    speaker, far = new(world, servers[0]), new(world, servers[1], "t", "u")
    for n in range(5):  # the second waits in a window of this server, and those from then on in one of the other
        speaker.publish("t", b"%d" % n)
    speaker.send(packets.sync(1))
    while not synced(speaker):
        world.run(0.001)
    world.run(LATENCY_S - 0.002)  # less than SYNCED took: they left before it
    assert far.bodies == [b"0", b"1", b"2", b"3", b"4"]


def test_what_was_on_its_way_here_comes_before_the_answer(world: World) -> None:
    servers = [world.server() for _ in range(2)]
    world.run(5.0)
    client, far = new(world, servers[0], "t"), new(world, servers[1])
    for n in range(5):
        far.publish("t", b"%d" % n)
        world.run(0.003)
    world.run(LATENCY_S)
    client.send(packets.sync(1))
    while not synced(client):
        world.run(0.001)
    assert client.bodies == [b"0", b"1", b"2", b"3", b"4"]


def test_a_crowd_shares_rounds(world: World) -> None:
    servers = [world.server() for _ in range(2)]
    world.run(5.0)
    crowd = [new(world, servers[0]) for _ in range(20)]
    for number, client in enumerate(crowd):
        client.send(packets.sync(number))
    world.run(1.0)
    assert [synced(client) for client in crowd] == [[number] for number in range(20)]
    assert syncs(servers[0]) == 1


def test_the_latest_of_several_holds_for_all(world: World) -> None:
    client = new(world, world.server())
    client.send(packets.sync(1))
    client.send(packets.sync(2))
    world.run(0.2)
    assert synced(client) == [2]


def test_through_a_hub_it_reaches_the_servers_behind(world: World) -> None:
    hub = world.server(hub=True)
    one, other = world.server(), world.server()
    world.run(5.0)
    client = new(world, one)
    client.subscribe("t")
    client.send(packets.sync(1))
    while not synced(client):
        world.run(0.001)
    assert other.interest_of(hub) == {"t"}


def test_through_two_hubs(world: World) -> None:
    hubs = [world.server(hub=True) for _ in range(2)]
    world.run(5.0)
    one, other = world.server(), world.server()
    world.run(5.0)
    client = new(world, one)
    client.subscribe("t")
    client.send(packets.sync(1))
    world.run(1.0)
    assert synced(client) == [1]
    assert any(other.interest_of(hub) == {"t"} for hub in hubs)


def test_a_neighbour_that_answers_the_latest_of_several_has_answered_all(world: World) -> None:
    """It keeps only the latest of those that come in one burst."""
    near, far = (world.server() for _ in range(2))
    world.run(5.0)
    clients = [new(world, near) for _ in range(2)]
    far.alive = False  # the test answers
    for client in clients:
        client.send(packets.sync(7))
        world.run(2 * LATENCY_S)
    asked = syncs(near)
    assert [synced(client) for client in clients] == [[], []]
    (link,) = (session.link for session in near.broker.peers.servers())
    near.feed(ev.PacketReceived(link, packets.synced(asked - 1), True))
    world.run(2 * LATENCY_S)
    assert [synced(client) for client in clients] == [[7], []], "not what it was asked later"
    for client in clients:
        client.send(packets.sync(8))
        world.run(2 * LATENCY_S)
    near.feed(ev.PacketReceived(link, packets.synced(syncs(near)), True))
    world.run(2 * LATENCY_S)
    assert [synced(client) for client in clients] == [[7, 8], [7, 8]]


def test_a_server_that_is_dead_is_not_waited_for_for_ever(world: World) -> None:
    servers = [world.server() for _ in range(3)]
    world.run(5.0)
    client = new(world, servers[0])
    servers[1].alive = False  # and nobody has noticed
    client.send(packets.sync(1))
    world.run(ROUND_S - 0.1)
    assert synced(client) == []
    world.run(0.4)
    assert synced(client) == [1]


def test_a_link_that_ends_is_no_longer_waited_for(world: World) -> None:
    servers = [world.server() for _ in range(2)]
    world.run(5.0)
    client = new(world, servers[0])
    servers[1].alive = False
    client.send(packets.sync(1))
    world.run(0.2)
    (link,) = (session.link for session in servers[0].broker.peers.servers())
    servers[0].feed(ev.LinkClosed(link, "gone"))
    world.run(0.1)
    assert synced(client) == [1]


def test_a_client_that_goes_is_not_answered(world: World) -> None:
    servers = [world.server() for _ in range(2)]
    world.run(5.0)
    client = new(world, servers[0])
    servers[1].alive = False
    client.send(packets.sync(1))
    world.run(0.2)
    client.leave()
    world.run(ROUND_S)
    assert synced(client) == []


def test_it_waits_for_a_link_that_is_being_made(world: World) -> None:
    """A server that has just come knows whom it is to be linked with, and nobody's packets would come through it yet."""
    far = world.server()
    world.run(5.0)
    near = world.server()
    client = Client(world, capabilities=MOVING).connect(near)
    while not client.is_open:
        world.run(0.001)
    assert near.links_to(far) == 0
    client.subscribe("t")
    client.send(packets.sync(1))
    while not synced(client):
        world.run(0.001)
    assert far.interest_of(near) == {"t"}


def test_a_server_that_cannot_be_had_is_waited_for_for_a_second(world: World) -> None:
    far, near = world.server(), world.server()
    far.alive = False
    world.run(0.5)
    client = new(world, near)
    client.send(packets.sync(1))
    world.run(PATIENCE_S - 0.1)
    assert synced(client) == []
    world.run(0.4)
    assert synced(client) == [1]


def test_it_waits_until_all_of_a_large_set_was_told(world: World) -> None:
    servers = [world.server() for _ in range(2)]
    world.run(5.0)
    clients = [new(world, servers[0]) for _ in range(3)]
    for number, client in enumerate(clients):
        client.subscribe(*(f"{number}/{n}" for n in range(PORTION_TOPICS)))
    clients[2].send(packets.sync(1))
    while not synced(clients[2]):
        world.run(0.001)
    assert len(servers[1].interest_of(servers[0])) == 3 * PORTION_TOPICS


def test_it_belongs_on_the_reliable_channel(world: World) -> None:
    client = new(world, world.server())
    client.send(packets.sync(1), reliable=False)
    world.run(0.5)
    assert synced(client) == []
    assert [code for code, *_ in client.errors] == [Code.UNEXPECTED_MESSAGE]


def test_a_flood_of_them_is_not_answered_by_a_flood(world: World) -> None:
    servers = [world.server() for _ in range(2)]
    world.run(5.0)
    client = new(world, servers[0])
    for number in range(1_000):
        client.send(packets.sync(number))
        world.run(0.005)
    assert syncs(servers[0]) < 90
    assert Code.RATE_LIMITED.name in servers[0].broker.counters.errors


def test_an_answer_to_nothing_is_passed_over(world: World) -> None:
    servers = [world.server() for _ in range(2)]
    world.run(5.0)
    client = new(world, servers[0])
    client.send(packets.synced(99))
    world.run(0.5)
    assert client.is_open


def test_groups_are_numbered_in_the_order_they_leave_and_keep_their_numbers(world: World) -> None:
    one, other = world.server(), world.server()
    world.run(5.0)
    near, far, speaker = new(world, one, "t", "u"), new(world, other, "t", "u"), new(world, one)
    for n in range(20):
        speaker.publish("tu"[n % 2], b"%d" % n, reliable=n % 3 > 0)
        world.run(0.004)
    world.run(1.0)
    seen: list[list[tuple[str, int, int, tuple[bytes, ...]]]] = [[], []]
    for client, groups in zip((near, far), seen, strict=True):
        for data in _batches(client):
            groups += [(g.topic, g.origin, g.serial, tuple(g.body)) for g in map(pb.TopicGroup.FromString, data.groups)]
    assert set(seen[0]) == set(seen[1]), "the same groups, wherever they are received"
    assert {group[1] for group in seen[0]} == {one.alias}
    assert all(a < b for a, b in pairwise(sorted(group[2] for group in seen[0]))), "each has its own"


def _batches(client: Client) -> list[Any]:
    assert client.end is not None
    assert client.end.peer is not None
    server = client.end.peer.owner
    assert isinstance(server, Server)
    sent = [packets.decode_packet(data) for data in server.sent(client.end.peer.number)]
    return [message for message in sent if isinstance(message, pb.TopicBatchFrames)]
