"""TOPIC_BATCH: many packets in one message, grouped by topic; each group encoded once however many receive it.

A group lies in the message as one length-delimited field, and repeated fields of serialized messages may be concatenated (protobuf
encoding guide, "Last One Wins"), so a message is made by joining frames: :func:`group_frame` once a group, :func:`batch` once a set of
receivers. A server reads received groups as frames too and passes them on as they came.

Layout: parallel lists, ``from_alias`` packed. A record costs its alias (six bytes at most) and two bytes (tag and length) beyond its
body, three when the body is over 127 bytes; nested records would cost eleven.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol.errors import DecodeError
from protocol.pb import broker_pb2 as pb
from protocol.signalling import parse

_HEADER = pb.TopicBatchMessage(type=pb.TOPIC_BATCH).SerializeToString()
_GROUP_TAG = b"\x12"  # field 2, length-delimited


@dataclass(frozen=True, slots=True)
class SenderIdentity:
    """A sender as the server knows it: its verified identity (the token's subject) and role."""

    alias: int
    identity: bytes
    role: pb.Role


@dataclass(frozen=True, slots=True)
class Stamp:
    """By which a group is known again, whichever way it came."""

    origin: int
    """Alias of the comm server that made it."""
    serial: int
    """Of the groups that server made, from 1 on."""


NO_STAMP = Stamp(0, 0)


def group_frame(
    topic: str,
    aliases: Sequence[int],
    bodies: Sequence[bytes],
    senders: Iterable[SenderIdentity] = (),
    *,
    identity: bool = False,
    stamp: Stamp = NO_STAMP,
) -> bytes:
    """One group, ready to be joined into any number of messages. From a client, `aliases` is empty and there is no stamp."""
    group = pb.TopicGroup(
        topic=topic, from_alias=aliases, body=bodies, identity=identity, origin=stamp.origin, serial=stamp.serial
    )
    for sender in senders:
        group.senders.add(alias=sender.alias, identity=sender.identity, role=sender.role)
    return frame_of(group.SerializeToString())


def frame_of(group: bytes) -> bytes:
    """Frame an already serialized group, as one that was received is passed on."""
    return b"%b%b%b" % (_GROUP_TAG, _varint(len(group)), group)


def batch(frames: Iterable[bytes]) -> bytes:
    """One TOPIC_BATCH message of these frames."""
    return _HEADER + b"".join(frames)


BATCH_HEADER_BYTES = len(_HEADER)


def decode_group(group: bytes, *, from_server: bool) -> pb.TopicGroup:
    """Decode one group of a received batch.

    Raises :class:`DecodeError` when it is none, when it has no record (a message has room for thousands of those, which would cost time
    and be of no use), or when the lists do not belong together: from a server every body has its alias, from a client none has, nor
    may it say who the senders are.
    """
    message = parse(pb.TopicGroup, group)
    if not message.body:
        raise DecodeError("a group has no records")
    aliases = len(message.from_alias)
    if aliases != (len(message.body) if from_server else 0):
        raise DecodeError(f"a group of {len(message.body)} bodies has {aliases} aliases")
    if message.senders and not from_server:
        raise DecodeError("a client's group names senders")
    return message


def stamp_of(group: bytes) -> Stamp:
    """The stamp of a group that :func:`decode_group` has accepted."""
    message = pb.TopicGroup.FromString(group)
    return Stamp(message.origin, message.serial)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
