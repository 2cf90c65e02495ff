"""Batches: frames that join into one message, what a record costs, and groups that must not pass."""

from __future__ import annotations

import pytest

from protocol.batch import BATCH_HEADER_BYTES, SenderIdentity, batch, decode_group, frame_of, group_frame
from protocol.errors import DecodeError
from protocol.limits import MAX_ALIAS
from protocol.packets import decode_packet
from protocol.pb import broker_pb2 as pb

ALICE = SenderIdentity(7, b"alice", pb.CLIENT)


def groups_of(message: bytes) -> list[bytes]:
    packet = decode_packet(message)
    assert isinstance(packet, pb.TopicBatchFrames)
    return list(packet.groups)


def test_joined_frames_are_one_message() -> None:
    frames = [
        group_frame("a", [1, 2], [b"x", b""]),
        group_frame("b", [7], [b"y"], [ALICE]),
        group_frame("c", [], [b"z"], identity=True),
    ]
    assert pb.TopicBatchMessage.FromString(batch(frames)) == pb.TopicBatchMessage(
        type=pb.TOPIC_BATCH,
        groups=[
            pb.TopicGroup(topic="a", from_alias=[1, 2], body=[b"x", b""]),
            pb.TopicGroup(
                topic="b", from_alias=[7], body=[b"y"], senders=[pb.Sender(alias=7, identity=b"alice", role=pb.CLIENT)]
            ),
            pb.TopicGroup(topic="c", body=[b"z"], identity=True),
        ],
    )


def test_a_batch_of_nothing_is_its_header() -> None:
    assert batch([]) == b"\x08\x65"
    assert len(batch([])) == BATCH_HEADER_BYTES
    assert groups_of(batch([])) == []


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 65_000])
def test_a_received_group_is_passed_on_as_it_came(size: int) -> None:
    frame = group_frame("t", [1], [b"x" * size])
    [group] = groups_of(batch([frame]))
    assert frame_of(group) == frame
    assert decode_group(group, from_server=True).body == [b"x" * size]


def test_frame_of_is_pure_framing() -> None:
    assert frame_of(b"") == b"\x12\x00"
    assert frame_of(b"x" * 300) == b"\x12\xac\x02" + b"x" * 300


@pytest.mark.parametrize(("size", "cost"), [(0, 8), (1, 8), (127, 8), (128, 9), (16_383, 9), (16_384, 10), (65_000, 10)])
def test_a_record_costs_at_most_ten_bytes_beyond_its_body(size: int, cost: int) -> None:
    aliases = [MAX_ALIAS] * 21

    def group_size(records: int) -> int:
        [group] = groups_of(batch([group_frame("room/1", aliases[:records], [b"x" * size] * records)]))
        return len(group)

    # From 20 to 21 records the length of the packed aliases does not change its own size.
    assert group_size(21) - group_size(20) == size + cost


def test_a_client_sends_no_alias() -> None:
    group = pb.TopicGroup(topic="t", body=[b"a", b"b"], identity=True)
    decoded = decode_group(group.SerializeToString(), from_server=False)
    assert (decoded.topic, list(decoded.body), decoded.identity) == ("t", [b"a", b"b"], True)


def test_unpacked_aliases_are_read_too() -> None:
    assert decode_group(b"\x0a\x01t\x10\x05\x10\x06\x1a\x00\x1a\x00", from_server=True).from_alias == [5, 6]


@pytest.mark.parametrize(
    ("group", "why"),
    [
        (pb.TopicGroup(topic="t", from_alias=[1], body=[b"a"]), "1 bodies has 1 aliases"),
        (pb.TopicGroup(topic="t", body=[b"a"], senders=[pb.Sender(alias=1)]), "names senders"),
    ],
)
def test_a_client_may_not_say_who_it_is(group: pb.TopicGroup, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        decode_group(group.SerializeToString(), from_server=False)


@pytest.mark.parametrize(("aliases", "bodies"), [(0, 1), (2, 1), (2, 3), (3, 2)])
def test_from_a_server_every_body_has_its_alias(aliases: int, bodies: int) -> None:
    group = pb.TopicGroup(topic="t", from_alias=[1] * aliases, body=[b"x"] * bodies).SerializeToString()
    with pytest.raises(DecodeError, match=f"a group of {bodies} bodies has {aliases} aliases"):
        decode_group(group, from_server=True)


@pytest.mark.parametrize("group", [b"\xff", b"\x0a\x05t", b"\x0a\x01\xff", b"\x12\x01\xff", b"\x0b" * 200])
def test_what_is_no_group(group: bytes) -> None:
    for from_server in (True, False):
        with pytest.raises(DecodeError, match="not a TopicGroup"):
            decode_group(group, from_server=from_server)


@pytest.mark.parametrize("group", [b"", b"\x0a\x01t", b"\x20\x01", b"\x10\x05"])
def test_a_group_without_records_is_refused(group: bytes) -> None:
    for from_server in (True, False):
        with pytest.raises(DecodeError, match="no records"):
            decode_group(group, from_server=from_server)
