"""Windows: when groups leave, in what order, how large, and what is replaced."""

from __future__ import annotations

import math

import pytest

from commserver.core.batcher import MAX_PENDING_BYTES, MAX_QUIET_TOPICS, Pending, Window
from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW
from commserver.core.group import Group, group_of_server
from commserver.core.session import Kind, Session, SessionLimits, new_session
from protocol import batch, packets
from protocol.batch import SenderIdentity, Stamp
from protocol.limits import RELIABLE_BATCH_BYTES, UNRELIABLE_BATCH_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.topics import NOTHING, PatternSet
from tests.support.world import Server, World
from tests.support.world_client import Client, joined

W = 0.02
LIMITS = SessionLimits(RELIABLE_FLOW, UNRELIABLE_FLOW)


def session(alias: int) -> Session:
    return new_session(alias, alias, dialed=False, limits=LIMITS, now=0.0)


def window(*, reliable: bool = True, latest: PatternSet = NOTHING) -> Window:
    return Window(W, reliable=reliable, latest=latest)


def add(waiting: Window, source: Session, topic: str, body: bytes = b"x", now: float = 0.0) -> int:
    return waiting.add(source, Group(topic, (source.alias,), (body,)), now)


def stamp() -> Stamp:
    """As large as one gets in a week of ten thousand groups a second."""
    return Stamp(2**42 - 1, 2**33)


def said(groups: list[Pending]) -> list[tuple[str, list[bytes]]]:
    return [(group.topic, group.bodies) for group in groups]


def test_a_quiet_topic_is_due_at_once_and_then_once_a_window() -> None:
    waiting, ann = window(), session(1)
    add(waiting, ann, "t", b"1", 10.0)
    assert waiting.next_deadline() == 10.0
    assert said(waiting.pop_due(10.0)) == [("t", [b"1"])]
    add(waiting, ann, "t", b"2", 10.005)
    add(waiting, ann, "t", b"3", 10.015)
    assert waiting.next_deadline() == pytest.approx(10.02)
    assert waiting.pop_due(10.019) == []
    assert said(waiting.pop_due(10.02)) == [("t", [b"2", b"3"])]
    add(waiting, ann, "t", b"4", 10.0401)  # a whole window after the last
    assert waiting.next_deadline() == 10.0401
    assert len(waiting) == 1


def test_a_lone_packet_passes_and_opens_the_window() -> None:
    waiting, ann = window(), session(1)
    assert waiting.lets_pass(ann, "t", 10.001)
    assert not waiting.lets_pass(ann, "t", 10.002), "its window is open"
    assert waiting.lets_pass(ann, "u", 10.002), "another topic's is not"
    add(waiting, ann, "t", b"2", 10.002)
    assert waiting.next_deadline() == pytest.approx(10.02)
    assert not waiting.lets_pass(ann, "t", 10.02), "something of that topic is still here"
    assert said(waiting.pop_due(10.02)) == [("t", [b"2"])]
    assert waiting.lets_pass(ann, "t", 10.0401)


def test_nothing_overtakes_what_waits_of_its_own_source_on_the_reliable_channel() -> None:
    for reliable in (True, False):
        waiting, ann, bob = window(reliable=reliable), session(1), session(2)
        waiting.lets_pass(ann, "t", 10.0)
        add(waiting, ann, "t", b"waits", 10.001)
        assert waiting.lets_pass(ann, "quiet", 10.002) is not reliable
        assert waiting.lets_pass(bob, "silent", 10.002)


@pytest.mark.parametrize("reliable", [True, False])
def test_nothing_overtakes_what_waits_of_its_topic(reliable: bool) -> None:
    """The window is not open, or over, but what came before has not left yet."""
    waiting, ann, bob = window(reliable=reliable), session(1), session(2)
    add(waiting, ann, "t", b"first", 10.001)
    assert not waiting.lets_pass(bob, "t", 10.001)
    assert not waiting.lets_pass(bob, "t", 10.5)
    assert said(waiting.pop_due(10.5)) == [("t", [b"first"])]
    assert waiting.lets_pass(bob, "t", 10.6)


def test_windows_that_are_over_are_forgotten() -> None:
    waiting, ann = window(), session(1)
    for number in range(3 * MAX_QUIET_TOPICS):
        assert waiting.lets_pass(ann, f"t/{number}", 10 + number * W)
    assert len(waiting._busy_until) <= MAX_QUIET_TOPICS + 1


def test_topics_have_windows_of_their_own() -> None:
    waiting, ann, bob = window(), session(1), session(2)
    add(waiting, ann, "a", b"", 1.0)
    waiting.pop_due(1.0)
    add(waiting, ann, "a", b"a", 1.01)
    add(waiting, bob, "b", b"b", 1.01)
    assert said(waiting.pop_due(1.01)) == [("b", [b"b"])]
    assert said(waiting.pop_due(1.02)) == [("a", [b"a"])]


def test_order_of_one_source_is_kept_across_topics_on_the_reliable_channel() -> None:
    for reliable, expected in ((True, [("a", [b"1"]), ("b", [b"2"])]), (False, [("b", [b"2"])])):
        waiting, ann = window(reliable=reliable), session(1)
        add(waiting, ann, "a", b"0", 1.0)
        waiting.pop_due(1.0)
        add(waiting, ann, "a", b"1", 1.001)  # waits for the window of "a"
        add(waiting, ann, "b", b"2", 1.002)  # "b" is quiet, and takes along what came before
        assert said(waiting.pop_due(1.002)) == expected


def test_sources_that_disagree_on_the_order_of_topics_get_groups_apart() -> None:
    waiting, ann, bob = window(), session(1), session(2)
    for topic in "ab":
        add(waiting, ann, topic, b"0", 1.0)
    waiting.pop_due(1.0)
    add(waiting, ann, "a", b"ann 1", 1.001)
    add(waiting, bob, "b", b"bob 1", 1.001)
    add(waiting, bob, "a", b"bob 2", 1.001)
    add(waiting, ann, "b", b"ann 2", 1.001)
    groups = said(waiting.pop_due(1.02))
    order = [body for _, bodies in groups for body in bodies]
    assert order.index(b"ann 1") < order.index(b"ann 2")
    assert order.index(b"bob 1") < order.index(b"bob 2")


def test_what_shares_no_source_with_what_is_due_stays() -> None:
    waiting, ann, bob = window(), session(1), session(2)
    add(waiting, ann, "a", b"0", 1.0)
    add(waiting, ann, "c", b"0", 1.0)
    waiting.pop_due(1.0)
    add(waiting, bob, "c", b"stays", 1.001)
    add(waiting, ann, "a", b"1", 1.001)
    add(waiting, ann, "b", b"2", 1.002)
    assert said(waiting.pop_due(1.002)) == [("a", [b"1"]), ("b", [b"2"])]
    assert len(waiting) == 1


@pytest.mark.parametrize(("reliable", "limit"), [(True, RELIABLE_BATCH_BYTES), (False, UNRELIABLE_BATCH_BYTES)])
@pytest.mark.parametrize("size", [0, 26, 130, 700])
def test_a_group_stays_within_its_message(reliable: bool, limit: int, size: int) -> None:
    waiting, people = window(reliable=reliable), [session(2**41 + n) for n in range(100)]
    for n in range(3_000):
        add(waiting, people[n % 100], "square", b"x" * size)
    groups = waiting.pop_due(0.0)
    messages = [batch.batch(group.frames(stamp)) for group in groups]
    assert max(map(len, messages)) <= limit
    assert sum(len(group.bodies) for group in groups) == 3_000
    full = max(map(len, messages))
    assert limit - full < 2 * (size + 10), "no room is given away"


def test_identities_are_counted_in_the_size_of_a_message() -> None:
    waiting = window(reliable=False)
    for n in range(400):
        source = session(2**41 + n)
        who = SenderIdentity(source.alias, b"%0180d" % n, pb.CLIENT)
        waiting.add(source, Group("square", (source.alias,), (b"x" * 26,), (who,)), 0.0)
    groups = waiting.pop_due(0.0)
    assert sum(group.records for group in groups) == 400
    assert max(len(batch.batch(group.frames(stamp))) for group in groups) <= UNRELIABLE_BATCH_BYTES


def test_latest_keeps_one_record_a_sender_also_in_a_crowd_that_fills_messages() -> None:
    waiting, people = window(reliable=False, latest=PatternSet(["**"])), [session(2**41 + n) for n in range(60)]
    add(waiting, people[0], "pos", b"0", 1.0)
    waiting.pop_due(1.0)
    replaced = 0
    for turn in range(5):
        for n, source in enumerate(people):
            replaced += add(waiting, source, "pos", b"%d %d" % (n, turn) + b"x" * 26, 1.005)
    groups = waiting.pop_due(1.1)
    left = {alias: body for group in groups for alias, body in zip(group.aliases, group.bodies, strict=True)}
    assert sum(group.records for group in groups) == len(left) == 60
    assert all(body.startswith(b"%d 4" % n) for n, body in enumerate(left[2**41 + n] for n in range(60)))
    assert replaced == 240
    assert all(len(group.bodies) == len(group.aliases) == len(group.arrivals) == group.records > 0 for group in groups)
    assert len(waiting) == 0


def test_latest_with_identity_and_without_is_still_one_sender() -> None:
    waiting, ann = window(reliable=False, latest=PatternSet(["**"])), session(7)
    add(waiting, ann, "pos", b"0", 1.0)
    waiting.pop_due(1.0)
    add(waiting, ann, "pos", b"plain", 1.001)
    who = SenderIdentity(7, b"ann", pb.CLIENT)
    assert waiting.add(ann, Group("pos", (7,), (b"named",), (who,)), 1.002) == 1
    assert said(waiting.pop_due(1.02)) == [("pos", [b"named"])], "and no group without a record"


def test_a_group_whose_other_records_were_replaced_has_one_source_who_gets_nothing_of_it() -> None:
    waiting, ann, bob = window(reliable=False, latest=PatternSet(["**"])), session(7), session(8)
    add(waiting, ann, "pos", b"0", 1.0)
    waiting.pop_due(1.0)
    add(waiting, ann, "pos", b"ann", 1.001)
    add(waiting, bob, "pos", b"bob", 1.002)
    waiting.add(bob, Group("pos", (8,), (b"named",), (SenderIdentity(8, b"bob", pb.CLIENT),)), 1.003)
    assert [(group.bodies, group.only_source) for group in waiting.pop_due(1.02)] == [([b"ann"], ann), ([b"named"], bob)]


def test_records_of_a_server_are_apart_from_those_of_clients_and_as_it_sent_them() -> None:
    waiting, ann, server = window(), session(1), session(9)
    server.kind = Kind.SERVER
    add(waiting, ann, "t", b"0", 1.0)
    waiting.pop_due(1.0)
    add(waiting, ann, "t", b"ann", 1.001)
    waiting.add(server, Group("t", (5,), (b"old server",)), 1.002)
    raw = pb.TopicGroup(topic="t", from_alias=[6], body=[b"new server"]).SerializeToString()
    waiting.add(server, Group("t", (6,), (b"new server",), raw=raw), 1.003)
    groups = waiting.pop_due(1.02)
    assert [group.relayed_by for group in groups] == [None, server, server]
    bodies = [body for group in groups for frame in group.frames(stamp) for body in decoded(frame)]
    assert bodies == [b"ann", b"old server", b"new server"]


def decoded(frame: bytes) -> list[bytes]:
    (group,) = pb.TopicBatchMessage.FromString(batch.batch([frame])).groups
    return list(group.body)


def fill(waiting: Window, source: Session, topic: str, now: float) -> int:
    """Records until the first group is due: a full message; returns how many are in it."""
    for count in range(1_000):
        add(waiting, source, topic, b"x" * 26, now)
        if waiting.next_deadline() == now:
            return count
    raise AssertionError("nothing is ever full")


@pytest.mark.parametrize("reliable", [True, False])
def test_a_full_message_leaves_before_its_window_ends_and_the_next_has_a_whole_one(reliable: bool) -> None:
    waiting, ann = window(reliable=reliable), session(1)
    add(waiting, ann, "t", b"first", 1.0)
    waiting.pop_due(1.0)
    count = fill(waiting, ann, "t", 1.007)
    assert [len(group.bodies) for group in waiting.pop_due(1.007)] == [count]
    assert waiting.next_deadline() == pytest.approx(1.027), (
        "the record that did not fit waits a window of its own, not for the tick"
    )
    assert [len(group.bodies) for group in waiting.pop_due(1.027)] == [1]


def test_the_window_of_a_topic_with_little_in_it_ends_at_the_tick_and_that_of_a_crowd_does_not() -> None:
    waiting, ann = window(reliable=False), session(1)
    for topic, count in (("crowd", 20), ("few", 2)):
        for _ in range(count):
            add(waiting, ann, topic, b"x" * 26, 1.005)
    assert len(waiting.pop_due(1.005)) == 2
    for topic in ("crowd", "few"):
        add(waiting, ann, topic, b"x", 1.006)
    assert said(waiting.pop_due(1.02)) == [("few", [b"x"])]
    assert waiting.next_deadline() == pytest.approx(1.025)
    assert said(waiting.pop_due(1.025)) == [("crowd", [b"x"])]


def test_a_burst_for_a_quiet_topic_leaves_whole_however_many_messages_it_makes() -> None:
    waiting, ann = window(reliable=False), session(1)
    for _ in range(100):
        add(waiting, ann, "t", b"x" * 26, 1.0)
    assert sum(len(group.bodies) for group in waiting.pop_due(1.0)) == 100
    assert waiting.next_deadline() is None


def received(waiting: Window, server: Session, first: int, count: int, now: float) -> None:
    """A group of another server, of as many records."""
    bodies = tuple(b"y" * 26 for _ in range(count))
    frame = batch.group_frame("t", range(first, first + count), bodies)
    (raw,) = pb.TopicBatchMessage.FromString(batch.batch([frame])).groups
    waiting.add(server, Group("t", tuple(range(first, first + count)), bodies, raw=raw.SerializeToString()), now)


def in_window(waiting: Window, records: int) -> Session:
    """A topic in the midst of its window, with so many records of one of our clients, at 1.005; its window ends at 1.02."""
    ann = session(1)
    add(waiting, ann, "t", b"first", 1.0)
    waiting.pop_due(1.0)
    for _ in range(records):
        add(waiting, ann, "t", b"x" * 26, 1.005)
    assert waiting.next_deadline() == pytest.approx(1.02)
    return ann


def test_what_a_topic_has_from_here_and_from_elsewhere_counts_together() -> None:
    waiting, server = window(reliable=False), session(9)
    ann = in_window(waiting, 10)
    received(waiting, server, 100, 15, 1.006)
    rest = fill(waiting, ann, "t", 1.007)
    assert [(bool(group.raw), group.records) for group in waiting.pop_due(1.007)] == [(False, 10 + rest), (True, 15)]
    assert 0 < rest < 10


def test_a_group_from_elsewhere_that_does_not_fit_leaves_room_for_records_that_do() -> None:
    """Another server's groups come half a message at a time: closing a message for each would send them out half empty."""
    waiting, server = window(reliable=False), session(9)
    ann = in_window(waiting, 20)
    received(waiting, server, 100, 15, 1.006)
    assert waiting.next_deadline() == pytest.approx(1.02), "nothing leaves for it"
    rest = fill(waiting, ann, "t", 1.007)
    assert [(bool(group.raw), group.records) for group in waiting.pop_due(1.007)] == [(False, 20 + rest)]
    assert rest >= 5
    assert waiting.next_deadline() == pytest.approx(1.026), "the other message has a window of its own"
    add(waiting, ann, "t", b"last", 1.008)
    assert [(bool(group.raw), group.records) for group in waiting.pop_due(1.026)] == [(True, 15), (False, 2)]


def test_of_two_messages_that_a_third_does_not_fit_the_older_one_leaves() -> None:
    waiting, server = window(reliable=False), session(9)
    in_window(waiting, 20)
    for first in (100, 200, 300):
        received(waiting, server, first, 15, 1.006)
    assert [(bool(group.raw), group.records) for group in waiting.pop_due(1.006)] == [(False, 20)]
    assert waiting.next_deadline() == pytest.approx(1.026)
    assert [group.records for group in waiting.pop_due(1.03)] == [30, 15]


def test_a_servers_groups_stay_in_order_also_where_a_later_one_would_fit_an_earlier_message() -> None:
    waiting, server = window(reliable=False), session(9)
    in_window(waiting, 20)
    for first, count in ((100, 1), (200, 15), (300, 1)):
        received(waiting, server, first, count, 1.006)
    left = [group for now in (1.02, 1.026) for group in waiting.pop_due(now) if group.raw]
    aliases = [alias for group in left for raw in group.raw for alias in pb.TopicGroup.FromString(raw).from_alias]
    assert aliases == [100, *range(200, 215), 300]


def test_a_group_of_nearly_a_message_sends_off_what_it_does_not_fit() -> None:
    waiting, server = window(reliable=False), session(9)
    in_window(waiting, 20)
    received(waiting, server, 100, 28, 1.006)
    assert [(bool(group.raw), group.records) for group in waiting.pop_due(1.006)] == [(False, 20)]
    assert [(bool(group.raw), group.records) for group in waiting.pop_due(1.026)] == [(True, 28)]


def test_identified_records_are_apart_and_name_each_sender_once() -> None:
    waiting, ann = window(), session(7)
    who = SenderIdentity(7, b"ann", pb.CLIENT)
    for n in range(3):
        waiting.add(ann, Group("t", (7,), (b"%d" % n,), (who,)), 0.0)
    add(waiting, ann, "t", b"plain")
    known, plain = waiting.pop_due(0.0)
    (frame,) = known.frames(stamp)
    packet = packets.decode_packet(batch.batch([frame]))
    assert isinstance(packet, pb.TopicBatchFrames)
    group = batch.decode_group(packet.groups[0], from_server=True)
    assert [(s.alias, s.identity) for s in group.senders] == [(7, b"ann")]
    assert list(group.body) == [b"0", b"1", b"2"]
    assert plain.bodies == [b"plain"]


def test_latest_keeps_one_record_a_sender_and_only_where_asked() -> None:
    waiting, ann, bob = window(reliable=False, latest=PatternSet(["pos/*"])), session(1), session(2)
    for topic in ("pos/1", "chat"):
        add(waiting, ann, topic, b"0", 1.0)
    waiting.pop_due(1.0)
    replaced = [add(waiting, who, topic, body, 1.01) for who, topic, body in (
        (ann, "pos/1", b"old"), (bob, "pos/1", b"bob"), (ann, "pos/1", b"newer"), (ann, "chat", b"one"), (ann, "chat", b"two"),
    )]  # fmt: skip
    assert replaced == [0, 0, 1, 0, 0]
    assert said(waiting.pop_due(1.02)) == [("pos/1", [b"bob", b"newer"]), ("chat", [b"one", b"two"])]
    reliable = window(latest=PatternSet(["**"]))
    assert [add(reliable, ann, "pos/1"), add(reliable, ann, "pos/1")] == [0, 0], "nothing reliable is ever replaced"


def test_groups_of_another_server_are_passed_on_as_they_came() -> None:
    waiting, server = window(), session(1)
    raw = pb.TopicGroup(topic="t", from_alias=[5, 6], body=[b"a", b"b"]).SerializeToString()
    waiting.add(server, group_of_server(raw), 0.0)
    waiting.add(server, group_of_server(raw), 0.0)
    (group,) = waiting.pop_due(0.0)
    assert (group.frames(stamp), group.records, group.relayed_by) == ([batch.frame_of(raw)] * 2, 4, server)


def test_too_much_at_once_leaves_at_once() -> None:
    waiting, ann = window(), session(1)
    add(waiting, ann, "t", b"", 1.0)
    waiting.pop_due(1.0)
    add(waiting, ann, "t", b"x" * MAX_PENDING_BYTES, 1.001)
    deadline = waiting.next_deadline()
    assert deadline is not None
    assert deadline < 1.001
    assert len(waiting.pop_due(1.001)) == 1
    assert waiting.next_deadline() is None


def test_pending_topics_leave_before_their_subscribers_change() -> None:
    waiting, ann = window(), session(1)
    for topic in ("t", "u"):
        add(waiting, ann, topic, b"0", 1.0)
    waiting.pop_due(1.0)
    add(waiting, ann, "t", b"t", 1.001)
    add(waiting, ann, "u", b"u", 1.001)
    assert waiting.pending_of(["t", "v"]) == ["t"]
    assert said(waiting.pop_topics({"t"}, 1.002)) == [("t", [b"t"])]
    assert waiting.pending_of(["t"]) == []
    assert said(waiting.pop_due(1.1)) == [("u", [b"u"])]


# ------------------------------------------------------------------------------------------------------------- in a server


def crowd(world: World, count: int) -> tuple[Server, list[Client]]:
    server = world.server(coalesce_window=W)
    return server, [joined(world, server, "square") for _ in range(count)]


def test_a_crowd_gets_one_message_a_window_each_and_nobody_hears_himself() -> None:
    world = World(latency=0.0)
    server, people = crowd(world, 10)
    for n in range(10):
        for person in people:
            person.publish("square", b"%d" % n, reliable=False)
        world.run(W / 2)
    world.run(1)
    for person in people:
        assert len(person.got) == 9 * 10
        assert {got.sender for got in person.got} == {other.alias for other in people} - {person.alias}
    counters = server.broker.counters
    assert counters.deliveries == 10 * 9 * 10
    assert counters.channels[False].packets_out <= 10 * 7, "some six windows"


def test_the_only_publisher_gets_nothing_at_all() -> None:
    world = World()
    server, people = crowd(world, 2)
    before = server.broker.counters.channels[True].packets_out
    for n in range(5):
        people[0].publish("square", b"%d" % n)
    world.run()
    assert people[1].bodies == [b"%d" % n for n in range(5)]
    assert server.broker.counters.channels[True].packets_out - before <= 2


def test_who_subscribes_inside_a_window_gets_nothing_from_before() -> None:
    world = World(latency=0.0)
    server, people = crowd(world, 2)
    late = joined(world, server)
    world.run(
        (math.floor(world.now / W) + 1.5) * W - world.now
    )  # the middle of a window, far from the tick at which all leaves anyway
    people[0].publish("square", b"opens the window")
    people[0].publish("square", b"waits")
    world.run(0.001)
    assert people[1].bodies == [b"opens the window"], "the other one is pending"
    late.subscribe("square")
    people[0].publish("square", b"after")
    world.run()
    assert people[1].bodies == [b"opens the window", b"waits", b"after"]
    assert late.bodies == [b"after"]
