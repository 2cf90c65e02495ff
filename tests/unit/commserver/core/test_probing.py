"""PING: echoed for others, and sent to see who is still there."""

from __future__ import annotations

from commserver.core.session import PINGS_PER_S
from protocol import signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from rtcbroker.core.states import ClientState
from tests.support.moving import Mover
from tests.support.world import World
from tests.support.world_client import OLD, Client, joined


def test_ping_is_echoed_byte_for_byte_on_its_channel() -> None:
    world = World()
    server = world.server()
    client = joined(world, server)
    client.echoes = False
    data = client.ping(12.5) + b"\xfa\x06\x03abc"  # and a field of a newer version
    client.send(data, reliable=False)
    world.run()
    link = next(iter(server.broker.peers)).link
    assert server.sent(link)[-2:] == [client.ping(12.5), data]


def test_who_answers_the_probe_stays() -> None:
    world = World()
    server = world.server()
    client = joined(world, server)
    world.unregister(client)
    world.run(30)
    assert client.is_open
    assert len(client.of_type(pb.PING)) == 1
    assert not server.broker._probing._probes


def test_any_packet_is_an_answer() -> None:
    world = World()
    client = joined(world, world.server())
    client.echoes = False
    world.unregister(client)
    world.run(0.5)
    client.publish("t")
    world.run(30)
    assert client.is_open


def test_who_does_not_is_gone_within_a_second_or_so() -> None:
    world = World()
    server = world.server()
    client, other = joined(world, server, "t"), joined(world, server)
    assert client.end is not None
    client.end.mute = client.end.closed = True
    world.unregister(client)
    world.run(1.1)
    assert server.broker.counters.closes["LINK_LOST"] == 1
    assert server.broker.subscription_count == 0
    assert other.is_open


def test_the_last_words_of_a_peer_that_died_are_no_answer() -> None:
    """They come by another way than the news of its end, and may come later."""
    world = World()
    server = world.server()
    client = joined(world, server)
    client.echoes = False
    world.unregister(client)
    world.run(0.1)
    client.publish("t")
    world.run(1.0)
    assert server.broker.counters.closes["LINK_LOST"] == 1


def test_old_peers_are_not_probed() -> None:
    world = World()
    client = joined(world, world.server(), capabilities=OLD)
    client.echoes = False
    world.unregister(client)
    world.run(30)
    assert client.is_open
    assert client.messages == []


def test_hints_about_strangers_and_again_about_the_same_do_nothing() -> None:
    world = World()
    server = world.server()
    client = joined(world, server)
    for alias in (4711, client.alias, client.alias):
        server.on_signal(signalling.peer_gone(alias))
    world.run()
    assert len(client.of_type(pb.PING)) == 1


def test_servers_do_not_echo_their_probes_for_ever_however_late_they_come_back() -> None:
    world = World(latency=0.7)
    one, other = world.server(), world.server()
    world.run(20)
    client = Client(world).connect(other)
    world.run(10)
    for _ in range(3):
        one.on_signal(signalling.peer_gone(other.alias))
        other.on_signal(signalling.peer_gone(one.alias))
        client.publish("t")
        one.on_signal(signalling.peer_gone(client.alias))
        world.run(1.05)
    world.run(10)
    before = [sum(c.packets_in for c in server.broker.counters.channels) for server in (one, other)]
    world.run(10)
    assert [sum(c.packets_in for c in server.broker.counters.channels) for server in (one, other)] == before


def test_a_dead_server_is_dropped_with_its_interest_and_dialed_again_until_it_is_known_to_be_gone() -> None:
    world = World()
    one, other, third = world.server(), world.server(), world.server()
    world.run()
    joined(world, other, "t")
    world.run()
    assert one.interest_of(other) == {"t"}
    other.die()
    world.run(1.2)
    assert one.links_to(other) == third.links_to(other) == 0
    assert one.broker.topic_count == 0
    world.run(30)
    assert third.broker._mesh._wanted.keys() == {one.alias}
    assert Code.PEER_NOT_FOUND.name not in third.broker.counters.closes


def test_a_hint_that_comes_before_the_link_is_active_is_not_forgotten() -> None:
    world = World()
    server = world.server()
    client = Client(world).connect(server)
    client.speaks_first = False
    world.run(0.1)
    world.unregister(client)
    world.run(0.1)
    client.prove()
    client.echoes = False
    world.run(2)
    assert server.broker.counters.closes["LINK_LOST"] == 1


def test_a_flood_of_pings_is_not_answered() -> None:
    world = World()
    client = joined(world, world.server())
    for n in range(1_000):
        client.ping(float(n))
    world.run()
    assert len(client.of_type(pb.PING)) == 2 * PINGS_PER_S
    assert client.is_open
    assert client.errors[0][0] == Code.RATE_LIMITED


def test_one_hint_after_another_is_answered_by_a_client_that_echoes_each_ping_once() -> None:
    """As a client that looks for another server dials its coordinator anew, again and again."""
    world = World()
    server = world.server()
    world.run()
    mover = Mover(world, "t")
    world.run(2)
    for _ in range(20):
        world.unregister(mover)
        world.registered[mover.alias] = mover
        world.run(1.5)
    assert mover.states == [ClientState.CONNECTING, ClientState.CONNECTED]
    assert server.broker.counters.closes == {}
