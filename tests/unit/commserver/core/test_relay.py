"""The packet path from every kind of peer to every other."""

from __future__ import annotations

import pytest

from commserver.core import events as ev
from protocol import batch, packets
from protocol.codes import Code
from protocol.limits import (
    MAX_BATCH_RECORDS,
    MAX_CLIENT_MESSAGE_BYTES,
    MAX_ERRORS,
    MAX_MESSAGE_BYTES,
    RELIABLE_BATCH_BYTES,
    UNRELIABLE_BATCH_BYTES,
    PeerLimits,
)
from protocol.pb import broker_pb2 as pb
from protocol.tokens import MAX_SUBJECT_BYTES
from protocol.topics import PatternSet
from tests.support.world import World, token
from tests.support.world_client import OLD, Client, Got, joined


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("reliable", [True, False])
def test_everyone_who_wants_it_gets_it_on_the_same_channel_but_its_sender(world: World, reliable: bool) -> None:
    server = world.server()
    speaker, listener, old, other = (
        joined(world, server, "t"),
        joined(world, server, "t"),
        joined(world, server, "t", capabilities=OLD),
        joined(world, server, "u"),
    )
    speaker.publish("t", b"hello", reliable=reliable)
    world.run()
    assert listener.got == [Got("t", speaker.alias, b"hello", reliable)]
    assert old.got == [Got("", speaker.alias, b"hello", reliable)]
    assert speaker.got == other.got == []
    assert (server.broker.counters.records_relayed, server.broker.counters.deliveries) == (1, 2)


def test_identity_is_what_the_server_verified(world: World) -> None:
    server, far = world.server(), world.server()
    world.run()
    speaker = joined(world, server, subject="alice")
    listeners = [joined(world, server, "t"), joined(world, far, "t"), joined(world, server, "t", capabilities=OLD)]
    world.run()
    forged = pb.TopicIdentityMessage(type=pb.TOPIC_IDENTITY, topic="t", identity=b"root", role=pb.COMMUNICATION_SERVER, body=b"x")
    speaker.send(forged.SerializeToString())
    speaker.publish_batch("t", [b"y"], identity=True)
    speaker.publish("t", b"z")
    world.run()
    for listener in listeners:
        assert [(got.body, got.identity) for got in listener.got] == [(b"x", b"alice"), (b"y", b"alice"), (b"z", b"")]


def test_a_batch_of_a_client_is_relayed_group_by_group(world: World) -> None:
    server, far = world.server(), world.server()
    world.run()
    speaker = joined(world, server)
    near, distant, old = joined(world, server, "a", "b"), joined(world, far, "a"), joined(world, far, "b", capabilities=OLD)
    world.run()
    speaker.send(batch.batch([batch.group_frame("a", (), [b"1", b"2"]), batch.group_frame("b", (), [b"3"])]))
    world.run()
    assert near.bodies == [b"1", b"2", b"3"]
    assert distant.bodies == [b"1", b"2"]
    assert old.bodies == [b"3"]
    assert {got.sender for got in near.got} == {speaker.alias}


def test_a_broken_group_is_refused_and_the_others_are_not(world: World) -> None:
    server = world.server()
    speaker, listener = joined(world, server), joined(world, server, "t")
    good = batch.group_frame("t", (), [b"good"])
    for bad in (
        batch.frame_of(b"\xff\xff"),
        batch.frame_of(b""),
        batch.group_frame("t", (listener.alias,), [b"forged"]),
        batch.group_frame("t", (), [b"x"], [batch.SenderIdentity(1, b"root", pb.CLIENT)]),
    ):
        speaker.send(batch.batch([bad, good]))
    world.run()
    assert listener.bodies == [b"good"] * 4
    assert [code for code, _ in speaker.errors] == [Code.BAD_MESSAGE] * 4


def test_a_message_of_empty_groups_costs_its_sender_the_link_and_us_nothing(world: World) -> None:
    server = world.server()
    speaker = joined(world, server)
    speaker.send(batch.batch([batch.frame_of(b"")] * 30_000))
    world.run()
    assert speaker.close_codes == [Code.TOO_MANY_ERRORS]
    assert server.broker.counters.errors["BAD_MESSAGE"] == MAX_ERRORS + 1, "what comes after is not looked at"


@pytest.mark.parametrize("topic", ["", "with space", "x" * 300, "a/*", "line\nfeed", "\u200b"])
def test_a_bad_topic_is_refused(world: World, topic: str) -> None:
    speaker = joined(world, world.server())
    speaker.publish(topic)
    speaker.publish_batch(topic, [b"x"])
    world.run()
    assert speaker.errors == [(Code.BAD_TOPIC, topic[:80])] * 2
    assert speaker.is_open


def test_what_is_not_granted_is_refused_by_name_and_the_rest_is_not(world: World) -> None:
    server = world.server()
    speaker = joined(world, server, auth=token("alice", publish="room/1/*,lobby").encode())
    listener = joined(world, server, "room/1/a", "room/2/a", "lobby")
    for topic in ("room/1/a", "room/2/a", "lobby", "nobody/wants/it"):
        speaker.publish(topic, topic.encode())
    speaker.publish_batch("room/2/a", [b"x"])
    world.run()
    assert listener.bodies == [b"room/1/a", b"lobby"]
    assert speaker.errors == [(Code.NOT_ALLOWED, topic) for topic in ("room/2/a", "nobody/wants/it", "room/2/a")]


def test_who_keeps_on_is_closed(world: World) -> None:
    server = world.server()
    speaker, listener = joined(world, server, auth=token("alice", publish="").encode()), joined(world, server, "t")
    for _ in range(MAX_ERRORS + 50):
        speaker.publish("t")
    world.run()
    assert speaker.close_codes == [Code.TOO_MANY_ERRORS]
    assert len(speaker.errors) <= 21, "it is told less often than it is refused"
    assert server.broker.counters.errors["NOT_ALLOWED"] == MAX_ERRORS + 1
    assert listener.is_open
    assert listener.got == []


def test_a_few_errors_are_forgiven(world: World) -> None:
    speaker = joined(world, world.server(), auth=token("alice", publish="").encode())
    for _ in range(3 * MAX_ERRORS):
        speaker.publish("t")
        world.run(0.25)
    assert speaker.is_open


def test_over_the_rate_packets_are_dropped_and_counted(world: World) -> None:
    server = world.server(limits=PeerLimits(packets_per_second=10, packets_burst=5))
    speaker, other, listener = joined(world, server), joined(world, server), joined(world, server, "t")
    (ready,) = speaker.of_type(pb.READY)
    assert (ready.limits.packets_per_second, ready.limits.packets_burst) == (10, 5)
    for n in range(200):
        speaker.publish("t", b"%d" % n, reliable=n % 2 == 0)
    other.publish("t", b"other")
    world.run(0.05)
    assert listener.bodies == [b"0", b"1", b"2", b"3", b"4", b"other"]
    assert server.broker.counters.dropped_by_topic == {("t", "rate limit"): 195}
    assert {code for code, _ in speaker.errors} == {Code.RATE_LIMITED}
    assert speaker.is_open, "being fast is no fault"
    world.run(0.2)
    speaker.publish_batch("t", [b"again", b"and again"])
    world.run()
    assert listener.bodies[-2:] == [b"again", b"and again"]


def test_nobody_listens(world: World) -> None:
    server = world.server()
    joined(world, server).publish("t")
    world.run()
    assert server.broker.counters.records_relayed == 0


def test_a_server_passes_a_group_on_as_it_came(world: World) -> None:
    hub, one, other = world.server(hub=True), world.server(), world.server()
    world.run(5)
    speaker, listener = joined(world, one), joined(world, other, "t")
    world.run()
    speaker.publish_batch("t", [b"1", b"2"], identity=True)
    world.run()
    assert listener.bodies == [b"1", b"2"]
    relayed = [o.data for s in (one, hub, other) for o in s.outputs if isinstance(o, ev.Send) and o.data[1] == pb.TOPIC_BATCH]
    assert len(relayed) == 3
    assert len(set(relayed)) == 1


def test_broken_groups_of_a_server_do_not_close_its_link_at_once(world: World) -> None:
    one, other = world.server(), world.server()
    world.run()
    joined(world, one, "t")
    (end,) = other.ends.values()
    world.send(end, batch.batch([batch.frame_of(b"\xff")]), True)
    world.run()
    assert one.links_to(other) == 1
    assert one.broker.counters.errors == {"BAD_MESSAGE": 1}


def test_one_output_serves_all_receivers(world: World) -> None:
    server = world.server()
    speaker = joined(world, server)
    for _ in range(10):
        joined(world, server, "t")
    world.run()
    server.outputs.clear()
    speaker.publish("t")
    world.run()
    assert [len(output.links) for output in server.outputs if isinstance(output, ev.Send)] == [10]


def test_packets_that_only_servers_send_are_refused(world: World) -> None:
    client = joined(world, world.server())
    for data in (
        packets.topic_fw(1, b"x"),
        packets.subscribed(1),
        packets.error(Code.RESYNC),
        packets.subscription_update(1, ["t"], []),
    ):
        client.send(data)
    world.run()
    assert [code for code, _ in client.errors] == [Code.UNEXPECTED_MESSAGE] * 4
    assert client.is_open


def test_clients_of_three_servers_hear_each_other_once(world: World) -> None:
    servers = [world.server() for _ in range(3)]
    world.run()
    clients: list[Client] = [
        joined(world, server, "t", capabilities=c) for server in servers for c in (OLD, (pb.BATCH, pb.ERRORS))
    ]
    world.run()
    for n, client in enumerate(clients):
        client.publish("t", b"%d" % n)
    world.run()
    for n, client in enumerate(clients):
        assert sorted(client.bodies) == [b"%d" % m for m in range(6) if m != n]


def test_one_message_carries_a_bounded_number_of_packets(world: World) -> None:
    server = world.server()
    speaker, listener = joined(world, server), joined(world, server, "t")
    speaker.publish_batch("t", [b""] * MAX_BATCH_RECORDS)
    speaker.publish_batch("t", [b""] * (MAX_BATCH_RECORDS + 1))
    speaker.send(batch.batch([batch.group_frame("t", (), [b"x"] * 200), batch.group_frame("t", (), [b"y"] * 200)]))
    world.run()
    assert listener.bodies == [b""] * MAX_BATCH_RECORDS + [b"x"] * 200
    assert speaker.errors == [(Code.MESSAGE_TOO_LARGE, "t")] * 2
    assert server.broker.counters.dropped["too many in one message"] == MAX_BATCH_RECORDS + 1 + 200


def test_what_an_old_peer_would_choke_on_is_not_sent_to_it(world: World) -> None:
    server = world.server()
    speaker, new, old = joined(world, server), joined(world, server, "t"), joined(world, server, "t", capabilities=OLD)
    for body in (b"x" * 1_000, b"x" * 1_100, b"small"):
        speaker.publish("t", body)
    world.run()
    assert old.bodies == [b"x" * 1_000, b"small"]
    assert len(new.bodies) == 3
    assert server.broker.counters.dropped == {"too large for an old peer": 1}


def test_a_flood_for_old_peers_is_refused_and_they_hear_the_rest(world: World) -> None:
    server = world.server()
    speaker = joined(world, server)
    old = [joined(world, server, "t", capabilities=OLD) for _ in range(10)]
    for _ in range(10):
        speaker.publish_batch("t", [b"x"] * 200)
    world.run()
    assert {len(one.bodies) for one in old} == {500}, "500 for ten of them are 5,000 sends, which is the burst"
    assert (Code.RATE_LIMITED, "t") in speaker.errors
    assert speaker.is_open
    speaker.publish("t", b"later")
    world.run()
    assert {one.bodies[-1] for one in old} == {b"later"}


@pytest.mark.parametrize("count", [120, MAX_BATCH_RECORDS])
def test_an_old_client_next_to_new_ones_gets_what_they_get_also_where_a_limit_cuts(world: World, count: int) -> None:
    server = world.server()
    speaker, new = joined(world, server), joined(world, server, "t")
    old = [joined(world, server, "t", capabilities=OLD) for _ in range(45)]
    bodies = [b"%d" % n for n in range(count)]
    speaker.publish_batch("t", bodies)
    world.run()
    assert new.bodies == bodies[:111], "111 for 45 of them are as many as the burst allows"
    assert all(one.bodies == new.bodies for one in old)
    assert (Code.RATE_LIMITED, "t") in speaker.errors


def test_more_old_clients_than_the_burst_are_reached_by_one_packet_after_the_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commserver.core.relay.PLAIN_BURST", 5.0)
    monkeypatch.setattr("commserver.core.session.PLAIN_BURST", 5.0)
    server = world.server()
    speaker = joined(world, server)
    old = [joined(world, server, "t", capabilities=OLD) for _ in range(8)]
    speaker.publish("t", b"x")
    world.run()
    assert all(one.bodies == [b"x"] for one in old)


def test_of_a_batch_over_the_rate_what_is_within_it_is_delivered(world: World) -> None:
    server = world.server(limits=PeerLimits(packets_per_second=1.0, packets_burst=10))
    speaker, listener = joined(world, server), joined(world, server, "t")
    speaker.publish_batch("t", [b"%d" % n for n in range(12)])
    world.run(0.5)
    assert listener.bodies == [b"%d" % n for n in range(10)]
    assert (Code.RATE_LIMITED, "t") in speaker.errors
    assert server.broker.counters.dropped["rate limit"] == 2


@pytest.mark.parametrize("window", [0.0, 0.02])
@pytest.mark.parametrize(("reliable", "limit"), [(False, UNRELIABLE_BATCH_BYTES), (True, RELIABLE_BATCH_BYTES)])
@pytest.mark.parametrize("identity", [False, True])
def test_a_batch_of_a_client_leaves_in_messages_of_our_size(reliable: bool, limit: int, window: float, identity: bool) -> None:
    world = World(latency=0.0)
    server = world.server(coalesce_window=window)
    speaker, listener = joined(world, server, subject="s" * 200, alias=2**41), joined(world, server, "t")
    bodies = [b"%03d" % n + b"x" * 200 for n in range(MAX_BATCH_RECORDS)]
    speaker.publish_batch("t", bodies, reliable=reliable, identity=identity)
    world.run()
    assert sorted(listener.bodies) == bodies
    sizes = [len(output.data) for output in server.outputs if isinstance(output, ev.Send) and output.reliable is reliable]
    assert max(sizes) <= limit
    assert len([size for size in sizes if size > 200]) <= 1.5 * sum(map(len, bodies)) / limit, "and not one by one"


def test_the_largest_packet_reaches_everyone(world: World) -> None:
    server, far = world.server(), world.server()
    world.run()
    speaker = joined(world, server, subject="s" * MAX_SUBJECT_BYTES)
    listeners = [joined(world, server, "t"), joined(world, far, "t")]
    world.run()
    largest = b"x" * (MAX_CLIENT_MESSAGE_BYTES - len(batch.batch([batch.group_frame("t", (), [b""], identity=True)])) - 4)
    speaker.publish_batch("t", [largest], identity=True)
    world.run()
    assert all(listener.bodies == [largest] for listener in listeners)
    assert max(len(output.data) for output in server.outputs if isinstance(output, ev.Send)) <= MAX_MESSAGE_BYTES
    speaker.send(packets.topic("t", b"x" * MAX_CLIENT_MESSAGE_BYTES))
    world.run()
    assert Code.MESSAGE_TOO_LARGE in [code for code, _ in speaker.errors]


def test_of_a_batch_for_a_topic_whose_newest_record_counts_only_that_leaves() -> None:
    world = World(latency=0.0)
    server = world.server(coalesce_window=0.02, latest=PatternSet(["pos"]))
    speaker, listener = joined(world, server), joined(world, server, "pos", "chat")
    for topic in ("pos", "chat"):
        speaker.publish_batch(topic, [b"1", b"2", b"3"], reliable=False)
    speaker.publish_batch("pos", [b"a", b"b"])
    world.run()
    assert [got.body for got in listener.got if got.topic == "pos" and not got.reliable] == [b"3"]
    assert [got.body for got in listener.got if got.topic == "chat"] == [b"1", b"2", b"3"]
    assert [got.body for got in listener.got if got.reliable] == [b"a", b"b"], "the reliable channel loses nothing"
    assert server.broker.counters.dropped["replaced by newer"] == 2
