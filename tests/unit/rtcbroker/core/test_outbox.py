"""What is published in a loop turn: alone as it is, together as batches, in order, within bounds."""

from __future__ import annotations

import pytest

from protocol import packets
from protocol.batch import decode_group
from protocol.errors import MessageTooLarge
from protocol.limits import MAX_BATCH_RECORDS, UNRELIABLE_BATCH_BYTES
from protocol.pb import broker_pb2 as pb
from rtcbroker.core.outbox import Message, Outbox

LIMIT = 64 * 1024


def unpack(messages: list[Message]) -> list[tuple[str, bytes, bool]]:
    """Every packet: topic, body, whether with identity."""
    found: list[tuple[str, bytes, bool]] = []
    for message in messages:
        packet = packets.decode_packet(message.data)
        before = len(found)
        if isinstance(packet, pb.TopicBatchFrames):
            for frame in packet.groups:
                group = decode_group(frame, from_server=False)
                found += [(group.topic, body, group.identity) for body in group.body]
        else:
            assert isinstance(packet, pb.TopicMessage | pb.TopicIdentityMessage)
            found.append((packet.topic, packet.body, isinstance(packet, pb.TopicIdentityMessage)))
        assert len(found) - before == message.packets
    return found


def test_a_lone_packet_leaves_as_it_is() -> None:
    outbox = Outbox(reliable=True)
    outbox.add("a", b"1", identity=False, limit=LIMIT)
    assert outbox.drain(batched=True, limit=LIMIT) == [Message(packets.topic("a", b"1"), 1)]
    outbox.add("a", b"2", identity=True, limit=LIMIT)
    assert outbox.drain(batched=True, limit=LIMIT) == [Message(packets.topic_identity("a", b"2"), 1)]
    assert outbox.drain(batched=True, limit=LIMIT) == []


def test_several_leave_together_in_their_order_over_topics_too() -> None:
    outbox = Outbox(reliable=True)
    wanted = [("a", b"1", False), ("a", b"2", False), ("b", b"3", False), ("a", b"4", False), ("a", b"5", True)]
    for topic, body, identity in wanted:
        outbox.add(topic, body, identity=identity, limit=LIMIT)
    messages = outbox.drain(batched=True, limit=LIMIT)
    assert [message.packets for message in messages] == [5]
    assert unpack(messages) == wanted


def test_an_old_server_gets_them_one_by_one() -> None:
    outbox = Outbox(reliable=True)
    for number in range(3):
        outbox.add("a", b"%d" % number, identity=False, limit=LIMIT)
    messages = outbox.drain(batched=False, limit=LIMIT)
    assert messages == [Message(packets.topic("a", b"%d" % number), 1) for number in range(3)]


@pytest.mark.parametrize("topics", [["a"], ["a", "b" * 200], ["ä" * 100, "b"]])
@pytest.mark.parametrize(("reliable", "bound"), [(True, 5_000), (False, UNRELIABLE_BATCH_BYTES)])
def test_messages_stay_within_their_bound(topics: list[str], reliable: bool, bound: int) -> None:
    outbox = Outbox(reliable=reliable)
    wanted = [(topics[number % len(topics)], bytes(number % 150), number % 7 == 0) for number in range(300)]
    for topic, body, identity in wanted:
        outbox.add(topic, body, identity=identity, limit=5_000)
    messages = outbox.drain(batched=True, limit=5_000)
    assert max(len(message.data) for message in messages) <= bound
    assert len(messages) < 100
    assert unpack(messages) == wanted


def test_many_small_ones_of_one_topic_share_few_messages() -> None:
    outbox = Outbox(reliable=False)
    for _ in range(40):
        outbox.add("a/long/topic/that/stands/once/a/group", bytes(20), identity=False, limit=LIMIT)
    assert len(outbox.drain(batched=True, limit=LIMIT)) == 1


@pytest.mark.parametrize("topics", [["a"], ["a", "b"]])
def test_no_message_has_more_packets_than_a_server_takes(topics: list[str]) -> None:
    outbox = Outbox(reliable=True)
    wanted = [(topics[number % len(topics)], b"%d" % number, False) for number in range(2 * MAX_BATCH_RECORDS + 1)]
    for topic, body, identity in wanted:
        outbox.add(topic, body, identity=identity, limit=LIMIT)
    messages = outbox.drain(batched=True, limit=LIMIT)
    assert [message.packets for message in messages] == [MAX_BATCH_RECORDS, MAX_BATCH_RECORDS, 1]
    assert unpack(messages) == wanted


def test_one_too_large_is_refused_and_one_that_just_fits_is_not() -> None:
    outbox = Outbox(reliable=True)
    with pytest.raises(MessageTooLarge) as error:
        outbox.add("a", bytes(1_000), identity=False, limit=1_000)
    assert error.value.limit == 1_000
    assert len(outbox) == 0
    outbox.add("a", bytes(983), identity=True, limit=1_000)
    assert len(outbox.drain(batched=True, limit=1_000)[0].data) <= 1_000


def test_what_waits_is_counted_in_bytes_and_can_be_forgotten() -> None:
    outbox = Outbox(reliable=True)
    outbox.add("ä", b"123", identity=False, limit=LIMIT)
    outbox.add("b", b"1", identity=False, limit=LIMIT)
    assert outbox.pending_bytes == 7
    assert outbox.clear() == 2
    assert outbox.pending_bytes == 0
    assert outbox.drain(batched=True, limit=LIMIT) == []
