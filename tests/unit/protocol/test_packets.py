"""Packets: what each encoder writes, what the decoder skips and refuses, and subscription sets, zipped or not."""

from __future__ import annotations

import gzip as standard_gzip
import math
import struct
import tracemalloc
import zlib

import pytest

from protocol import packets, signalling
from protocol.codes import Code
from protocol.errors import DecodeError, MessageTooLarge
from protocol.limits import (
    MAX_DRAIN_S,
    MAX_GZIP_MEMBERS,
    MAX_REASON_BYTES,
    MAX_REFUSED_BYTES,
    MAX_SUBSCRIPTION_BYTES,
    MAX_TOPIC_BYTES,
    PeerLimits,
)
from protocol.packets import check_move, decode_packet, gunzip, gzip, subscription_topics
from protocol.pb import broker_pb2 as pb

LIMITS = PeerLimits(1, 2, 3, 4.5, 6)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (packets.ping(1.5), pb.PingMessage(type=pb.PING, time=1.5)),
        (packets.auth(pb.CLIENT, ""), pb.AuthMessage(type=pb.AUTH, role=pb.CLIENT)),
        (
            packets.auth(pb.COMMUNICATION_SERVER, "a.b.c", [pb.BATCH, pb.ERRORS]),
            pb.AuthMessage(type=pb.AUTH, role=pb.COMMUNICATION_SERVER, body=b"a.b.c", capabilities=[pb.BATCH, pb.ERRORS]),
        ),
        (
            packets.ready(7, [pb.BATCH], LIMITS),
            pb.ReadyMessage(
                type=pb.READY,
                alias=7,
                capabilities=[pb.BATCH],
                limits=pb.Limits(max_message_bytes=1, max_topic_bytes=2, max_topics=3, packets_per_second=4.5, packets_burst=6),
            ),
        ),
        (packets.topic("t", b"b"), pb.TopicMessage(type=pb.TOPIC, topic="t", body=b"b")),
        (packets.topic("t", b"b", 7), pb.TopicMessage(type=pb.TOPIC, from_alias=7, topic="t", body=b"b")),
        (packets.topic_fw(7, b""), pb.TopicFWMessage(type=pb.TOPIC_FW, from_alias=7)),
        (packets.topic_identity("t", b"b"), pb.TopicIdentityMessage(type=pb.TOPIC_IDENTITY, topic="t", body=b"b")),
        (
            packets.topic_identity("t", b"b", 7, b"alice", pb.CLIENT),
            pb.TopicIdentityMessage(
                type=pb.TOPIC_IDENTITY, from_alias=7, topic="t", identity=b"alice", role=pb.CLIENT, body=b"b"
            ),
        ),
        (
            packets.topic_identity_fw(7, b"alice", pb.CLIENT, b"b"),
            pb.TopicIdentityFWMessage(type=pb.TOPIC_IDENTITY_FW, from_alias=7, identity=b"alice", role=pb.CLIENT, body=b"b"),
        ),
        (
            packets.error(Code.NOT_ALLOWED, name="t"),
            pb.ErrorMessage(type=pb.ERROR, code=4300, reason="the token does not grant this topic", topic="t"),
        ),
        (packets.error(Code.BAD_TOPIC, "why"), pb.ErrorMessage(type=pb.ERROR, code=4301, reason="why")),
        (packets.close(Code.SERVER_FULL), pb.CloseMessage(type=pb.CLOSE, code=4100, reason="the server is full")),
        (
            packets.move(Code.SERVER_DRAINING, 2.5),
            pb.MoveMessage(type=pb.MOVE, code=4101, reason="the server is draining", seconds=2.5),
        ),
        (packets.move(Code.SERVER_STOPPING, 0, "why"), pb.MoveMessage(type=pb.MOVE, code=4102, reason="why")),
        (packets.close(Code.INTERNAL, "why"), pb.CloseMessage(type=pb.CLOSE, code=4000, reason="why")),
        (packets.subscribed(3), pb.SubscribedMessage(type=pb.SUBSCRIBED, version=3)),
        (
            packets.subscribed(3, [("t", Code.NOT_ALLOWED)]),
            pb.SubscribedMessage(type=pb.SUBSCRIBED, version=3, refused=[pb.RefusedTopic(topic="t", code=4300)]),
        ),
        (
            packets.subscription_update(3, ["a"], iter(["b", "c"])),
            pb.SubscriptionUpdateMessage(type=pb.SUBSCRIPTION_UPDATE, version=3, added=["a"], removed=["b", "c"]),
        ),
        (packets.subscription([]), pb.SubscriptionMessage(type=pb.SUBSCRIPTION, format=pb.PLAIN)),
        (
            packets.subscription(iter(["a", "b/ü"]), version=4),
            pb.SubscriptionMessage(type=pb.SUBSCRIPTION, format=pb.PLAIN, topics="a b/ü".encode(), version=4),
        ),
    ],
)
def test_a_packet_decodes_to_what_it_says(data: bytes, message: packets.Packet) -> None:
    assert decode_packet(data) == message


# ------------------------------------------------------------------------------------------------------------ decoding


@pytest.mark.parametrize(
    "data", [b"", b"\x08", b"\x08\x06\x11", b"\x10\x06", b"\xff" * 10, b"\x08\x09\x1a\x01\xff", b"\x08\x09\x1a\x03\xed\xa0\x80"]
)
def test_what_is_no_packet(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_packet(data)


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 5, 13, 110, 111, 112, 113, 114, 115, 116])
def test_signalling_does_not_belong_on_a_data_channel(kind: int) -> None:
    for data in (b"\x08" + bytes([kind]), b"\x12\x00\x08" + bytes([kind])):
        with pytest.raises(DecodeError, match=f"message type {kind} does not belong on a data channel"):
            decode_packet(data)


@pytest.mark.parametrize("kind", [15, 99, 109, 117, 127, 128, 2**31 - 1, -1])
def test_a_type_never_heard_of_is_skipped(kind: int) -> None:
    data = pb.MessageHeader(type=kind).SerializeToString()  # type: ignore[arg-type]  # any number
    assert decode_packet(data) is None
    assert decode_packet(data + b"\x12\x01x") is None


def test_the_type_may_stand_anywhere() -> None:
    assert decode_packet(b"\x1a\x01t\x08\x09") == pb.TopicMessage(type=pb.TOPIC, topic="t")
    # A varint may be longer than it need be (protobuf encoding guide): 9 in two bytes.
    assert decode_packet(b"\x08\x89\x00\x1a\x01t") == pb.TopicMessage(type=pb.TOPIC, topic="t")


def test_a_message_of_two_types_is_refused() -> None:
    with pytest.raises(DecodeError, match="two types"):
        decode_packet(b"\x08\x09\x08\x08")
    assert decode_packet(b"\x08\x09\x08\x09") == pb.TopicMessage(type=pb.TOPIC)


def test_fields_never_heard_of_are_skipped() -> None:
    packet = decode_packet(packets.topic("t", b"b") + b"\xc2\x3e\x03new")
    assert isinstance(packet, pb.TopicMessage)
    assert (packet.topic, packet.body) == ("t", b"b")


def test_a_frame_of_the_other_layer_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode_packet(signalling.connect(2))


# -------------------------------------------------------------------------------------------------- answers stay small


def test_an_error_quotes_no_more_than_it_may() -> None:
    message = pb.ErrorMessage.FromString(packets.error(Code.BAD_TOPIC, "ü" * 10_000, "\U0001f600" * 10_000))
    assert message.reason == "ü" * (MAX_REASON_BYTES // 2)
    assert message.topic == "\U0001f600" * (MAX_TOPIC_BYTES // 4)


def test_an_error_can_be_said_of_anything() -> None:
    message = pb.ErrorMessage.FromString(packets.error(Code.BAD_TOPIC, "\ud800", "\udfff"))
    assert (message.reason, message.topic) == ("?", "?")
    assert pb.CloseMessage.FromString(packets.close(Code.BAD_TOPIC, "\ud800")).reason == "?"


def test_a_move_quotes_no_more_than_it_may() -> None:
    assert pb.MoveMessage.FromString(packets.move(Code.INTERNAL, 1, "ü" * 10_000)).reason == "ü" * (MAX_REASON_BYTES // 2)


@pytest.mark.parametrize("seconds", [-0.001, MAX_DRAIN_S + 0.001, math.nan, math.inf, -math.inf])
def test_a_move_has_seconds_to_wait(seconds: float) -> None:
    with pytest.raises(DecodeError, match="MOVE's seconds are"):
        packets.move(Code.SERVER_DRAINING, seconds)
    with pytest.raises(DecodeError, match="MOVE's seconds are"):
        check_move(pb.MoveMessage(seconds=seconds))
    assert check_move(pb.MoveMessage(seconds=MAX_DRAIN_S)).seconds == MAX_DRAIN_S


def test_subscribed_lists_what_there_is_room_for_and_counts_the_rest() -> None:
    refused = [(f"topic/{number}" * 10, Code.NOT_ALLOWED) for number in range(5_000)]
    data = packets.subscribed(3, refused)
    message = pb.SubscribedMessage.FromString(data)
    listed = [(entry.topic, Code(entry.code)) for entry in message.refused]
    assert listed == refused[: len(listed)]
    assert 100 < len(listed) < 5_000
    assert message.refused_more == 5_000 - len(listed)
    assert len(data) < MAX_REFUSED_BYTES * 1.1
    assert pb.SubscribedMessage.FromString(packets.subscribed(3, refused[:50])).refused_more == 0


# -------------------------------------------------------------------------------------------------- subscription sets


def message_of(data: bytes) -> pb.SubscriptionMessage:
    return pb.SubscriptionMessage.FromString(data)


@pytest.mark.parametrize("topics", [[], ["a"], ["a", "b/ü", "c"], [f"cell/{x}/{y}" for x in range(50) for y in range(50)]])
@pytest.mark.parametrize("gzip_over", [None, 0, 100])
def test_a_set_reads_back(topics: list[str], gzip_over: int | None) -> None:
    message = message_of(packets.subscription(topics, gzip_over=gzip_over))
    assert subscription_topics(message) == topics
    zipped = gzip_over is not None and len(" ".join(topics).encode()) > gzip_over
    assert message.format == (pb.GZIP if zipped else pb.PLAIN)


def test_it_is_zipped_only_above_the_size_that_was_said() -> None:
    assert message_of(packets.subscription(["abc"], gzip_over=3)).format == pb.PLAIN
    assert message_of(packets.subscription(["abc"], gzip_over=2)).format == pb.GZIP


@pytest.mark.parametrize(
    ("text", "topics"), [(b"", []), (b" ", []), (b"  a   b ", ["a", "b"]), (b"a\nb c", ["a\nb", "c"]), (b"a a", ["a", "a"])]
)
def test_topics_are_separated_by_spaces_alone(text: bytes, topics: list[str]) -> None:
    assert subscription_topics(pb.SubscriptionMessage(format=pb.PLAIN, topics=text)) == topics
    assert subscription_topics(pb.SubscriptionMessage(topics=text)) == topics
    assert subscription_topics(pb.SubscriptionMessage(format=pb.GZIP, topics=standard_gzip.compress(text))) == topics


def test_an_empty_set_clears_in_any_format() -> None:
    assert subscription_topics(pb.SubscriptionMessage(format=pb.GZIP)) == []


def test_a_format_never_heard_of_is_refused() -> None:
    with pytest.raises(DecodeError, match="format 3 is unknown"):
        subscription_topics(pb.SubscriptionMessage(format=3, topics=b"a"))  # type: ignore[arg-type]  # one to come


@pytest.mark.parametrize("text", [b"\xff", b"a \xed\xa0\x80", "ü".encode()[:1]])
def test_a_set_that_is_not_utf8_is_refused(text: bytes) -> None:
    for message in (pb.SubscriptionMessage(topics=text), pb.SubscriptionMessage(format=pb.GZIP, topics=gzip(text))):
        with pytest.raises(DecodeError, match="not UTF-8"):
            subscription_topics(message)


def test_a_set_has_a_largest_size_in_either_format() -> None:
    for text, kind in ((b"x" * 11, pb.PLAIN), (gzip(b"x" * 11), pb.GZIP)):
        message = pb.SubscriptionMessage(format=kind, topics=text)
        assert subscription_topics(message, 11) == ["x" * 11]
        with pytest.raises(MessageTooLarge, match="set of 11 bytes, at most 10"):
            subscription_topics(message, 10)


# ---------------------------------------------------------------------------------------------------------------- gzip


def test_gzip_is_what_others_read_and_always_the_same() -> None:
    assert standard_gzip.decompress(gzip(b"a b c")) == b"a b c"
    assert gzip(b"a b c") == gzip(b"a b c")
    assert gzip(b"")[4:8] == bytes(4)  # no time stamp


@pytest.mark.parametrize("level", [0, 1, 9])
def test_gunzip_reads_what_others_write(level: int) -> None:
    text = b"topic/%d " * 1_000
    assert gunzip(standard_gzip.compress(text, level, mtime=1), len(text)) == text


def test_gunzip_reads_a_header_with_everything_in_it() -> None:
    plain = gzip(b"text")
    # FEXTRA, FNAME, FCOMMENT and FHCRC (RFC 1952 section 2.3.1)
    header = b"\x1f\x8b\x08\x1e" + plain[4:10] + b"\x03\x00abc" + b"name\x00" + b"comment\x00"
    assert gunzip(header + struct.pack("<H", zlib.crc32(header) & 0xFFFF) + plain[10:], 4) == b"text"


@pytest.mark.parametrize("size", [0, 1, 9, 10])
def test_gunzip_makes_as_much_as_it_may(size: int) -> None:
    assert gunzip(gzip(b"x" * size), 10) == b"x" * size


@pytest.mark.parametrize("size", [11, 12, 10_000, 10_000_000])
def test_gunzip_makes_no_more(size: int) -> None:
    with pytest.raises(MessageTooLarge):
        gunzip(gzip(b"x" * size), 10)


def test_a_bomb_stays_small() -> None:
    bomb = gzip(bytes(200 * 2**20))
    assert len(bomb) < 250_000
    tracemalloc.start()
    try:
        with pytest.raises(MessageTooLarge):
            gunzip(bomb, MAX_SUBSCRIPTION_BYTES)
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_SUBSCRIPTION_BYTES
    finally:
        tracemalloc.stop()


def test_a_bomb_in_many_members_stays_small() -> None:
    bomb = gzip(b"x" * 2**20) * MAX_GZIP_MEMBERS
    for limit in (2**20, 2**20 - 1, 2**21 + 1):
        with pytest.raises(MessageTooLarge) as caught:
            gunzip(bomb, limit)
        assert caught.value.size == limit + 1
    assert len(gunzip(bomb, MAX_GZIP_MEMBERS * 2**20)) == MAX_GZIP_MEMBERS * 2**20


def test_members_follow_each_other_as_one() -> None:
    assert gunzip(gzip(b"a ") + gzip(b"") + gzip(b"b"), 3) == b"a b"
    assert gunzip(gzip(b"") * MAX_GZIP_MEMBERS, 1) == b""
    with pytest.raises(DecodeError, match="more than 64 members"):
        gunzip(gzip(b"") * (MAX_GZIP_MEMBERS + 1), 1)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cut off"),
        (gzip(b"text")[:-1], "cut off"),
        (gzip(b"text")[:5], "cut off"),
        (gzip(b"text") + gzip(b"more")[:-1], "cut off"),
        (gzip(b"text") + b"\x00", "cut off|not gzip"),
        (gzip(b"text") + b"more", "not gzip"),
        (b"text", "not gzip"),
        (zlib.compress(b"text"), "not gzip"),
        (gzip(b"text")[:-8] + bytes(8), "not gzip"),
        (gzip(b"text")[:-4] + struct.pack("<I", 5), "not gzip"),
        (b"\x1f\x8b\x07" + gzip(b"text")[3:], "not gzip"),
    ],
)
def test_what_is_no_gzip(data: bytes, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        gunzip(data, 100)
