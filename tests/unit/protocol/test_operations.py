"""PUBLISH, REVOKE and DRAIN: what may be asked of a comm server, and what is refused with the field that is wrong."""

from __future__ import annotations

import math

import pytest

from protocol import limits, operations, packets
from protocol.batch import BATCH_HEADER_BYTES, SenderIdentity, group_frame
from protocol.errors import DecodeError, TopicError
from protocol.operations import check_drain, check_publish, check_revoke
from protocol.pb import broker_pb2 as pb
from protocol.signalling import Signal, decode_signal
from protocol.tokens import MAX_SUBJECT_BYTES


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (operations.publish("t", b"hi"), pb.PublishMessage(type=pb.PUBLISH, topic="t", body=b"hi", reliable=True)),
        (
            operations.publish("t", b"", reliable=False, identity=b"shop", role=pb.CLIENT),
            pb.PublishMessage(type=pb.PUBLISH, topic="t", identity=b"shop", role=pb.CLIENT),
        ),
        (operations.disconnect(alias=7), pb.RevokeMessage(type=pb.REVOKE, alias=7)),
        (operations.disconnect(subject="alice"), pb.RevokeMessage(type=pb.REVOKE, subject="alice")),
        (operations.revoke(subject="alice", until=9.5), pb.RevokeMessage(type=pb.REVOKE, subject="alice", until=9.5)),
        (operations.revoke(jti="j", until=9.5), pb.RevokeMessage(type=pb.REVOKE, jti="j", until=9.5)),
        (operations.lift(subject="alice"), pb.RevokeMessage(type=pb.REVOKE, subject="alice", lifted=True)),
        (operations.lift(jti="j"), pb.RevokeMessage(type=pb.REVOKE, jti="j", lifted=True)),
        (operations.drain(2.5), pb.DrainMessage(type=pb.DRAIN, seconds=2.5)),
        (operations.drain(), pb.DrainMessage(type=pb.DRAIN)),
    ],
)
def test_a_frame_decodes_to_what_it_says(frame: bytes, message: Signal) -> None:
    assert decode_signal(frame) == message


# ------------------------------------------------------------------------------------------------------------- publishing


@pytest.mark.parametrize("topic", ["", "a b", "a/*", "t" * (limits.MAX_TOPIC_BYTES + 1)])
def test_a_topic_that_is_none_is_not_published_to(topic: str) -> None:
    with pytest.raises(TopicError):
        operations.publish(topic, b"")


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (pb.PublishMessage(topic="t", body=bytes(limits.MAX_PUBLISH_BYTES + 1)), "body has 64513 bytes, at most 64512"),
        (pb.PublishMessage(topic="t", identity=bytes(MAX_SUBJECT_BYTES + 1)), "identity has 257 bytes, at most 256"),
    ],
)
def test_what_is_too_large_is_not_published(message: pb.PublishMessage, problem: str) -> None:
    with pytest.raises(DecodeError, match=problem):
        check_publish(message)


def test_the_largest_that_is_published_fits_every_way_it_goes() -> None:
    topic, body, identity = "t" * limits.MAX_TOPIC_BYTES, bytes(limits.MAX_PUBLISH_BYTES), b"s" * MAX_SUBJECT_BYTES
    frame = operations.publish(topic, body, identity=identity, role=pb.CLIENT)
    assert len(frame) <= limits.MAX_SIGNAL_BYTES
    assert decode_signal(frame) is not None
    assert len(packets.topic_identity(topic, body)) <= limits.MAX_CLIENT_MESSAGE_BYTES
    sender = SenderIdentity(limits.MAX_ALIAS, identity, pb.CLIENT)
    group = group_frame(topic, [limits.MAX_ALIAS], [body], [sender], identity=True)
    assert BATCH_HEADER_BYTES + len(group) <= limits.MAX_MESSAGE_BYTES


# ---------------------------------------------------------------------------------------------------------------- revoking


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (pb.RevokeMessage(until=9.0), "names nobody"),
        (pb.RevokeMessage(subject="a", jti="j", until=9.0), "names subject and jti"),
        (pb.RevokeMessage(subject="a", alias=7), "names subject and alias"),
        (pb.RevokeMessage(subject="ä" * 129), "subject has 258 bytes, at most 256"),
        (pb.RevokeMessage(jti="j" * 257, until=9.0), "jti has 257 bytes, at most 256"),
        (pb.RevokeMessage(alias=limits.MAX_ALIAS + 1), "alias is 4398046511104"),
        (pb.RevokeMessage(subject="a", until=-1.0), "until is -1"),
        (pb.RevokeMessage(subject="a", until=math.nan), "until is nan"),
        (pb.RevokeMessage(subject="a", until=math.inf), "until is inf"),
        (pb.RevokeMessage(alias=7, until=9.0), "alias is for a disconnection alone"),
        (pb.RevokeMessage(alias=7, lifted=True), "alias is for a disconnection alone"),
        (pb.RevokeMessage(jti="j"), "jti without a time"),
        (pb.RevokeMessage(subject="a", until=9.0, lifted=True), "lifted has no until"),
    ],
)
def test_a_revocation_that_says_nothing_clear_is_refused(message: pb.RevokeMessage, problem: str) -> None:
    with pytest.raises(DecodeError, match=problem):
        check_revoke(message)


def test_the_longest_names_are_revoked() -> None:
    assert check_revoke(pb.RevokeMessage(subject="s" * MAX_SUBJECT_BYTES, until=9.0))
    assert check_revoke(pb.RevokeMessage(jti="j" * limits.MAX_JTI_BYTES, until=9.0))
    assert check_revoke(pb.RevokeMessage(alias=limits.MAX_ALIAS))


# ---------------------------------------------------------------------------------------------------------------- draining


@pytest.mark.parametrize("seconds", [-0.001, limits.MAX_DRAIN_S + 0.001, math.nan, math.inf])
def test_a_drain_has_seconds_to_wait(seconds: float) -> None:
    with pytest.raises(DecodeError, match="DRAIN's seconds are"):
        operations.drain(seconds)
    with pytest.raises(DecodeError, match="DRAIN's seconds are"):
        check_drain(pb.DrainMessage(seconds=seconds))
    assert check_drain(pb.DrainMessage(seconds=limits.MAX_DRAIN_S))
