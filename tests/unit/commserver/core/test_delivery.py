"""Slow readers, each on its own, under every policy."""

from __future__ import annotations

import dataclasses
import math

import pytest

from commserver.core import events as ev
from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW, FlowLimits, Policy
from protocol import batch
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from tests.support.world import Server, World
from tests.support.world_client import OLD, Client, joined

SMALL = FlowLimits(Policy.BUFFERED, queue_bytes=1_000, high_bytes=500, low_bytes=100)


def pause(server: Server, client: Client, *, reliable: bool = True, amount: int = 10**6) -> None:
    """The transport to `client` holds `amount` bytes."""
    server.hold(client.alias, amount, reliable=reliable)


def test_a_slow_reader_gets_everything_later_and_in_order() -> None:
    world = World()
    server = world.server()
    speaker, slow, quick = joined(world, server), joined(world, server, "t"), joined(world, server, "t")
    speaker.publish("t", b"0")
    world.run()
    pause(server, slow)
    for n in range(1, 50):
        speaker.publish("t", b"%d" % n)
    slow.ping(7.0)
    world.run()
    assert (len(slow.got), len(quick.got)) == (1, 50)
    assert slow.of_type(pb.PING) == []
    pause(server, slow, amount=0)
    world.run()
    speaker.publish("t", b"50")
    world.run()
    assert slow.bodies == [b"%d" % n for n in range(51)]
    assert len(slow.of_type(pb.PING)) == 1
    assert not server.broker.counters.dropped


def test_who_falls_too_far_behind_is_closed_and_nobody_else_notices() -> None:
    world = World()
    server = world.server(reliable=SMALL)
    speaker, slow, quick = joined(world, server), joined(world, server, "t"), joined(world, server, "t")
    pause(server, slow)
    for n in range(200):
        speaker.publish("t", b"%d" % n)
    world.run()
    assert slow.close_codes == [Code.SLOW_CONSUMER]
    assert not slow.is_open
    assert quick.bodies == [b"%d" % n for n in range(200)]
    lost = server.broker.counters.dropped_by_topic
    assert lost["t", "slow consumer"] == 1
    assert 10 < lost["t", "peer gone"] < 100, "what waited is counted too"


def test_many_packets_in_one_message_do_not_pass_the_bound() -> None:
    world = World()
    server = world.server(reliable=SMALL)
    speaker, slow = joined(world, server), joined(world, server, "t", capabilities=OLD)
    pause(server, slow)
    speaker.publish_batch("t", [b"x" * 50] * 250)
    world.run()
    assert server.broker.counters.closes["SLOW_CONSUMER"] == 1
    assert sum(server.broker.counters.dropped.values()) == 250


def test_old_news_are_dropped_on_the_unreliable_channel() -> None:
    world = World()
    server = world.server(unreliable=dataclasses.replace(SMALL, policy=Policy.DROP_OLDEST), max_staleness=0.0)
    speaker, slow = joined(world, server), joined(world, server, "t", "u")
    pause(server, slow, reliable=False)
    for n in range(100):
        speaker.publish("t" if n % 2 else "u", b"%02d" % n, reliable=False)
    slow.ping(7.0, reliable=False)
    speaker.publish("t", b"other channel")
    world.run()
    pause(server, slow, reliable=False, amount=0)
    world.run()
    assert slow.bodies[0] == b"other channel"
    kept = slow.bodies[1:]
    assert kept == [b"%02d" % n for n in range(100 - len(kept), 100)]
    assert 10 < len(kept) < 80
    dropped = server.broker.counters.dropped_by_topic
    assert dropped["t", "queue full"] + dropped["u", "queue full"] == 100 - len(kept)
    assert len(slow.of_type(pb.PING)) == 1
    assert slow.is_open


def test_latest_keeps_the_newest_of_each_sender_and_topic() -> None:
    world = World()
    server = world.server(unreliable=dataclasses.replace(SMALL, policy=Policy.LATEST), max_staleness=0.0)
    one, other, slow = joined(world, server), joined(world, server), joined(world, server, "t", "u")
    pause(server, slow, reliable=False)
    for n in range(20):
        one.publish("t", b"t%d" % n, reliable=False)
        one.publish("u", b"u%d" % n, reliable=False)
        other.publish("t", b"o%d" % n, reliable=False)
    world.run()
    pause(server, slow, reliable=False, amount=0)
    world.run()
    assert sorted(slow.bodies) == [b"o19", b"t19", b"u19"]


STALE_S = 0.25
TICK_S = 1 / 64
"""Times are sums of these, so that the limit can be met exactly: STALE_S is 16 of them."""


def aged(staleness: float, *, reliable: bool = False) -> tuple[Server, Client]:
    """What has waited for 17 ticks, 16 and 15 is let out now, each by its age; and a PING that is as old as the oldest."""
    world = World(latency=0.0)
    server = world.server(max_staleness=staleness)
    speaker, slow = joined(world, server), joined(world, server, "t")
    pause(server, slow, reliable=reliable)
    slow.ping(7.0, reliable=reliable)
    for age in (17, 16, 15):
        speaker.publish("t", b"%d" % age, reliable=reliable)
        world.run(TICK_S)
    world.run(14 * TICK_S)
    assert slow.bodies == []
    pause(server, slow, reliable=reliable, amount=0)
    world.run()
    return server, slow


def test_what_waited_longer_than_the_limit_is_dropped_and_counted() -> None:
    server, slow = aged(STALE_S)
    assert slow.bodies == [b"16", b"15"]
    assert server.broker.counters.dropped_by_topic == {("t", "stale"): 1}
    assert len(slow.of_type(pb.PING)) == 1, "it is not about a topic"


def test_without_a_limit_it_is_sent_however_old() -> None:
    server, slow = aged(0.0)
    assert slow.bodies == [b"17", b"16", b"15"]
    assert not server.broker.counters.dropped


def test_reliable_messages_are_sent_however_old() -> None:
    server, slow = aged(STALE_S, reliable=True)
    assert slow.bodies == [b"17", b"16", b"15"]
    assert not server.broker.counters.dropped


def test_every_topic_of_a_stale_batch_is_counted() -> None:
    world = World(latency=0.0)
    server = world.server(max_staleness=STALE_S, coalesce_window=0.02)
    speaker, slow = joined(world, server), joined(world, server, "t", "u")
    pause(server, slow, reliable=False)
    frames = [batch.group_frame("t", (), [b"1", b"2"]), batch.group_frame("u", (), [b"3"])]
    speaker.send(batch.batch(frames), reliable=False)
    world.run(STALE_S + 0.1)
    pause(server, slow, reliable=False, amount=0)
    assert server.broker.counters.dropped_by_topic == {("t", "stale"): 2, ("u", "stale"): 1}
    assert slow.bodies == []


def sends(server: Server, client: Client, *, reliable: bool) -> list[ev.Send]:
    """What was sent to it on that channel."""
    (session,) = server.broker.peers.of_alias(client.alias)
    return [o for o in server.outputs if isinstance(o, ev.Send) and session.link in o.links and o.reliable is reliable]


@pytest.mark.parametrize(("staleness", "expected"), [(STALE_S, STALE_S), (0.0, math.inf)])
def test_the_transport_is_told_how_long_a_message_may_still_wait(staleness: float, expected: float) -> None:
    world = World(latency=0.0)
    server = world.server(max_staleness=staleness)
    speaker, listener = joined(world, server), joined(world, server, "t")
    speaker.publish("t", reliable=False)
    world.run(0.0)
    pause(server, listener, reliable=False)
    speaker.publish("t", reliable=False)
    world.run(5 * TICK_S)
    listener.ping(reliable=False)
    world.run(0.0)
    pause(server, listener, reliable=False, amount=0)
    assert [send.lifetime for send in sends(server, listener, reliable=False)] == [expected, expected - 5 * TICK_S, math.inf]
    limited = staleness > 0
    assert [send.parts for send in sends(server, listener, reliable=False)] == [(("t", 1),) * limited] * 2 + [()]
    speaker.publish("t")
    world.run(0.0)
    assert {send.lifetime for send in sends(server, listener, reliable=True)} == {math.inf}


def test_a_long_queue_goes_out_in_pieces() -> None:
    world = World()
    server = world.server(reliable=dataclasses.replace(SMALL, queue_bytes=10_000))
    speaker, slow = joined(world, server), joined(world, server, "t")
    pause(server, slow)
    for n in range(100):
        speaker.publish("t", b"%03d" % n + b"." * 60)
    world.run()
    before = len(server.outputs)
    pause(server, slow, amount=0)
    world.run()
    assert [body[:3] for body in slow.bodies] == [b"%03d" % n for n in range(100)]
    pieces = [0]
    for output in server.outputs[before:]:
        if isinstance(output, ev.AskBuffered):
            pieces.append(0)
        elif isinstance(output, ev.Send):
            pieces[-1] += len(output.data)
    assert len(pieces) > 10
    assert max(pieces) <= SMALL.high_bytes + 100


def test_messages_and_bytes_are_counted_by_channel() -> None:
    world = World()
    server = world.server()
    speaker, *_ = joined(world, server), joined(world, server, "t"), joined(world, server, "t")
    unreliable, reliable = server.broker.counters.channels
    before = dataclasses.replace(unreliable), dataclasses.replace(reliable)
    speaker.publish("t", b"x" * 100, reliable=False)
    world.run()
    assert unreliable.packets_in - before[0].packets_in == 1
    assert unreliable.packets_out - before[0].packets_out == 2
    assert 100 < unreliable.bytes_in - before[0].bytes_in < 120
    assert 200 < unreliable.bytes_out - before[0].bytes_out < 260
    assert reliable == before[1]


def test_defaults_are_those_of_the_design() -> None:
    assert (RELIABLE_FLOW.policy, UNRELIABLE_FLOW.policy) == (Policy.BUFFERED, Policy.DROP_OLDEST)
    assert UNRELIABLE_FLOW.queue_bytes < RELIABLE_FLOW.queue_bytes
