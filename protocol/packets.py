"""Packets on data channels: decode each once, early; encode each kind. Pure; batches and groups have their own module.

A packet is decoded into its generated message: those are C structures, cheaper to read than any copy of ours would be to make.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

from google.protobuf.message import Message

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
from protocol.pb import broker_pb2 as pb
from protocol.signalling import parse
from protocol.text import cut

Packet = (
    pb.PingMessage
    | pb.SubscriptionMessage
    | pb.AuthMessage
    | pb.TopicMessage
    | pb.TopicFWMessage
    | pb.TopicIdentityMessage
    | pb.TopicIdentityFWMessage
    | pb.ErrorMessage
    | pb.ReadyMessage
    | pb.TopicBatchFrames
    | pb.SubscribedMessage
    | pb.SubscriptionUpdateMessage
    | pb.CloseMessage
    | pb.MoveMessage
    | pb.SyncMessage
    | pb.UplinkMessage
)

_CLASSES: dict[int, type[Message]] = {
    pb.PING: pb.PingMessage,
    pb.SUBSCRIPTION: pb.SubscriptionMessage,
    pb.AUTH: pb.AuthMessage,
    pb.TOPIC: pb.TopicMessage,
    pb.TOPIC_FW: pb.TopicFWMessage,
    pb.TOPIC_IDENTITY: pb.TopicIdentityMessage,
    pb.TOPIC_IDENTITY_FW: pb.TopicIdentityFWMessage,
    pb.ERROR: pb.ErrorMessage,
    pb.READY: pb.ReadyMessage,
    pb.TOPIC_BATCH: pb.TopicBatchFrames,
    pb.SUBSCRIBED: pb.SubscribedMessage,
    pb.SUBSCRIPTION_UPDATE: pb.SubscriptionUpdateMessage,
    pb.CLOSE: pb.CloseMessage,
    pb.MOVE: pb.MoveMessage,
    pb.SYNC: pb.SyncMessage,
    pb.SYNCED: pb.SyncMessage,
    pb.UPLINK: pb.UplinkMessage,
}

_TYPE_TAG = 0x08  # field 1, varint: every encoder writes it first, since field 1 is the lowest


def decode_packet(data: bytes) -> Packet | None:
    """Decode one data channel message; None for a type this version does not know (a newer peer's, to be skipped).

    Raises :class:`DecodeError` for what is no packet.
    """
    if len(data) >= 2 and data[0] == _TYPE_TAG and data[1] < 0x80:
        kind = data[1]
    else:
        kind = parse(pb.MessageHeader, data).type
    message_class = _CLASSES.get(kind)
    if message_class is None:
        if kind in _NOT_PACKETS:
            raise DecodeError(f"message type {kind} does not belong on a data channel")
        return None
    packet: Packet = parse(message_class, data)  # type: ignore[assignment]  # every class of the table is in the union
    if packet.type != kind:
        raise DecodeError("the message has two types")
    return packet


# The types of signalling, and the one of a message that has none.
_NOT_PACKETS = frozenset(pb.MessageType.values()) - frozenset(_CLASSES)


def ping(time: float) -> bytes:
    """PING; the other side echoes it byte for byte. `time` is the sender's own clock, in seconds or as it likes."""
    return pb.PingMessage(type=pb.PING, time=time).SerializeToString()


def auth(role: pb.Role, token: str, capabilities: Iterable[pb.Capability] = ()) -> bytes:
    """AUTH: the first message of the peer that sent CONNECT."""
    return pb.AuthMessage(type=pb.AUTH, role=role, body=token.encode(), capabilities=capabilities).SerializeToString()


def ready(alias: int, capabilities: Iterable[pb.Capability], limits: PeerLimits) -> bytes:
    """READY, Part 2: AUTH was accepted; the peer's alias here and the limits in force."""
    told = pb.Limits(
        max_message_bytes=limits.max_message_bytes,
        max_topic_bytes=limits.max_topic_bytes,
        max_topics=limits.max_topics,
        packets_per_second=limits.packets_per_second,
        packets_burst=limits.packets_burst,
    )
    return pb.ReadyMessage(type=pb.READY, alias=alias, capabilities=capabilities, limits=told).SerializeToString()


def topic(name: str, body: bytes, from_alias: int = 0) -> bytes:
    """TOPIC, as a client publishes it or a server forwards it (`from_alias` filled)."""
    return pb.TopicMessage(type=pb.TOPIC, from_alias=from_alias, topic=name, body=body).SerializeToString()


def topic_fw(from_alias: int, body: bytes) -> bytes:
    """TOPIC_FW, as an old client receives it."""
    return pb.TopicFWMessage(type=pb.TOPIC_FW, from_alias=from_alias, body=body).SerializeToString()


def topic_identity(name: str, body: bytes, from_alias: int = 0, identity: bytes = b"", role: pb.Role = pb.UNKNOWN_ROLE) -> bytes:
    """TOPIC_IDENTITY, as a client publishes it or a server forwards it (the rest filled)."""
    return pb.TopicIdentityMessage(
        type=pb.TOPIC_IDENTITY, from_alias=from_alias, topic=name, identity=identity, role=role, body=body
    ).SerializeToString()


def topic_identity_fw(from_alias: int, identity: bytes, role: pb.Role, body: bytes) -> bytes:
    """TOPIC_IDENTITY_FW, as an old client receives it."""
    return pb.TopicIdentityFWMessage(
        type=pb.TOPIC_IDENTITY_FW, from_alias=from_alias, identity=identity, role=role, body=body
    ).SerializeToString()


def error(code: Code, reason: str = "", name: str = "") -> bytes:
    """ERROR: one thing was refused, `name` is the topic it was about, if any.

    Both texts may hold what the peer sent, so they are cut: an answer must never be too large to be sent.
    """
    text, about = cut(reason or code.reason, MAX_REASON_BYTES), cut(name, MAX_TOPIC_BYTES)
    return pb.ErrorMessage(type=pb.ERROR, code=int(code), reason=text, topic=about).SerializeToString()


def close(code: Code, reason: str = "") -> bytes:
    """CLOSE, Part 2: the link ends now, and why."""
    text = cut(reason or code.reason, MAX_REASON_BYTES)
    return pb.CloseMessage(type=pb.CLOSE, code=int(code), reason=text).SerializeToString()


def move(code: Code, seconds: float, reason: str = "", *, servers: Iterable[int] = ()) -> bytes:
    """MOVE, Part 2: this server ends the link after `seconds`; the client is to be on another one by then. `code` says why.

    `servers`: those that a hub is linked with, where it says so to servers.

    Raises :class:`DecodeError` for seconds that no receiver would take.
    """
    text = cut(reason or code.reason, MAX_REASON_BYTES)
    message = pb.MoveMessage(type=pb.MOVE, code=int(code), reason=text, seconds=seconds, servers=servers)
    return check_move(message).SerializeToString()


def check_move(message: pb.MoveMessage) -> pb.MoveMessage:
    """Return `message` if its seconds are a time to wait. Raises :class:`DecodeError`."""
    if not 0.0 <= message.seconds <= MAX_DRAIN_S:  # neither is NaN
        raise DecodeError(f"MOVE's seconds are {message.seconds}, they lie between 0 and {MAX_DRAIN_S}")
    return message


def sync(number: int) -> bytes:
    """SYNC, Part 2: tell me when all that I have sent before has taken effect everywhere."""
    return pb.SyncMessage(type=pb.SYNC, number=number).SerializeToString()


def synced(number: int) -> bytes:
    """SYNCED, Part 2: what was sent before the SYNC of that number has."""
    return pb.SyncMessage(type=pb.SYNCED, number=number).SerializeToString()


def uplink(hub: int, *, passes_on: bool) -> bytes:
    """UPLINK, Part 2: by which hub we hear other servers (0: none), and whether that one is to pass on what we publish."""
    return pb.UplinkMessage(type=pb.UPLINK, hub=hub, passes_on=passes_on).SerializeToString()


def subscription(topics: Iterable[str], *, version: int = 0, gzip_over: int | None = None) -> bytes:
    """SUBSCRIPTION with the whole set; gzipped when its text is longer than `gzip_over` bytes."""
    text = " ".join(topics).encode()
    kind = pb.PLAIN
    if gzip_over is not None and len(text) > gzip_over:
        text, kind = gzip(text), pb.GZIP
    return pb.SubscriptionMessage(type=pb.SUBSCRIPTION, format=kind, topics=text, version=version).SerializeToString()


def subscription_topics(message: pb.SubscriptionMessage, max_bytes: int = MAX_SUBSCRIPTION_BYTES) -> list[str]:
    """The topics of a SUBSCRIPTION as they stand, unchecked, without empty ones.

    Raises :class:`DecodeError` (format, gzip, UTF-8) and :class:`MessageTooLarge` for a set over `max_bytes` once unzipped.
    """
    text = message.topics
    if not text:
        return []  # clears the set, whatever the format says
    if message.format == pb.GZIP:
        text = gunzip(text, max_bytes)
    elif message.format not in (pb.PLAIN, pb.UNKNOWN_FORMAT):
        raise DecodeError(f"subscription format {message.format} is unknown")
    if len(text) > max_bytes:
        raise MessageTooLarge(len(text), max_bytes, "subscription set")
    try:
        return [name for name in text.decode().split(" ") if name]
    except UnicodeDecodeError as error:
        raise DecodeError("the subscription set is not UTF-8") from error


def subscribed(version: int, refused: Sequence[tuple[str, Code]] = ()) -> bytes:
    """SUBSCRIBED, Part 2: that version of the set is in force, without the refused topics.

    The first ``MAX_REFUSED_BYTES`` of those are listed, the rest counted in `refused_more`.
    """
    entries: list[pb.RefusedTopic] = []
    left = MAX_REFUSED_BYTES
    for name, code in refused:
        entry = pb.RefusedTopic(topic=cut(name, MAX_TOPIC_BYTES), code=int(code))
        left -= entry.ByteSize()
        if left < 0:
            break
        entries.append(entry)
    return pb.SubscribedMessage(
        type=pb.SUBSCRIBED, version=version, refused=entries, refused_more=len(refused) - len(entries)
    ).SerializeToString()


def subscription_update(version: int, added: Iterable[str], removed: Iterable[str]) -> bytes:
    """SUBSCRIPTION_UPDATE, Part 2, between servers."""
    return pb.SubscriptionUpdateMessage(
        type=pb.SUBSCRIPTION_UPDATE, version=version, added=added, removed=removed
    ).SerializeToString()


_GZIP_WBITS = 16 + zlib.MAX_WBITS


def gzip(data: bytes) -> bytes:
    """gzip (RFC 1952) without a time stamp: the same bytes for the same set."""
    compressor = zlib.compressobj(wbits=_GZIP_WBITS)
    return compressor.compress(data) + compressor.flush()


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """Undo gzip, never making more than `max_bytes`.

    Several members follow each other as if they were one (RFC 1952 section 2.2), as other readers of the wire take them; nothing else may
    follow. Raises :class:`DecodeError`, :class:`MessageTooLarge`.
    """
    text = b""
    for _ in range(MAX_GZIP_MEMBERS):
        member, data = _gunzip_member(data, max_bytes + 1 - len(text))
        text += member
        if len(text) > max_bytes:
            raise MessageTooLarge(len(text), max_bytes, "unzipped set")
        if not data:
            return text
    raise DecodeError(f"the gzip data has more than {MAX_GZIP_MEMBERS} members")


def _gunzip_member(data: bytes, stop: int) -> tuple[bytes, bytes]:
    """The first member unzipped, `stop` bytes of it at most, and what follows it (nothing, where it was stopped)."""
    decompressor = zlib.decompressobj(wbits=_GZIP_WBITS)
    try:
        text = decompressor.decompress(data, stop)
    except zlib.error as error:
        raise DecodeError("not gzip data") from error
    if not decompressor.eof and len(text) < stop:
        raise DecodeError("the gzip data is cut off")
    return text, decompressor.unused_data
