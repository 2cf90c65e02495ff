"""Outgoing packets of one loop turn: one leaves as it is, several leave together as batches.

A WebRTC message costs 15-35 µs of processor time on each side whatever is in it, a record in a batch under 1 µs; so whatever is
published in the same turn of the event loop shares a message. A lone packet waits for nothing but the end of the turn.

Packets of a channel keep their order, over topics too: a group is a run of packets of one topic, and the next topic begins the next
group, even when that topic had a group before.
"""

from __future__ import annotations

from typing import NamedTuple

from protocol import packets
from protocol.batch import BATCH_HEADER_BYTES, batch, group_frame
from protocol.errors import MessageTooLarge
from protocol.limits import MAX_BATCH_RECORDS, UNRELIABLE_BATCH_BYTES

_PACKET_OVERHEAD = 16
"""Bytes around topic and body in a TOPIC or TOPIC_IDENTITY, at most: type, two tags, two lengths."""

_GROUP_OVERHEAD = 16
"""Bytes around a group's topic and its records, at most."""

_RECORD_OVERHEAD = 5
"""Bytes around a body in a group, at most: tag and length."""


class Message(NamedTuple):
    """One message to be sent, and how many packets it holds."""

    data: bytes
    packets: int


class _Packet(NamedTuple):
    topic: str
    body: bytes
    identity: bool
    topic_size: int
    """Bytes of the topic as UTF-8."""


class Outbox:
    """What was published on one channel and has not left yet. Its caller bounds it, by :attr:`pending_bytes`."""

    __slots__ = ("_packets", "_reliable", "pending_bytes")

    def __init__(self, *, reliable: bool) -> None:
        self._reliable = reliable
        self._packets: list[_Packet] = []
        self.pending_bytes = 0

    def add(self, topic: str, body: bytes, *, identity: bool, limit: int) -> None:
        """Add a packet. Raises :class:`MessageTooLarge` when it could not be sent in a message of `limit` bytes."""
        topic_size = len(topic) if topic.isascii() else len(topic.encode())
        size = len(body) + topic_size
        if size + _PACKET_OVERHEAD > limit:
            raise MessageTooLarge(size + _PACKET_OVERHEAD, limit, f"packet for topic {topic[:80]!r}")
        self._packets.append(_Packet(topic, body, identity, topic_size))
        self.pending_bytes += size

    def clear(self) -> int:
        """Forget what has not left. Returns how many packets that was."""
        count = len(self._packets)
        self._packets.clear()
        self.pending_bytes = 0
        return count

    def __len__(self) -> int:
        return len(self._packets)

    def drain(self, *, batched: bool, limit: int) -> list[Message]:
        """Everything, in messages of at most `limit` bytes; `batched` if the server takes batches."""
        pending, self._packets = self._packets, []
        self.pending_bytes = 0
        if not batched or len(pending) == 1:
            return [_single(packet) for packet in pending]
        if not self._reliable:
            limit = min(limit, UNRELIABLE_BATCH_BYTES)
        messages: list[Message] = []
        part: list[_Packet] = []
        size = BATCH_HEADER_BYTES
        for packet in pending:
            cost = len(packet.body) + _RECORD_OVERHEAD
            if not part or not _share_group(part[-1], packet):
                cost += packet.topic_size + _GROUP_OVERHEAD
            if part and (size + cost > limit or len(part) >= MAX_BATCH_RECORDS):
                messages.append(_together(part))
                part, size = [], BATCH_HEADER_BYTES
                cost = len(packet.body) + _RECORD_OVERHEAD + packet.topic_size + _GROUP_OVERHEAD
            part.append(packet)
            size += cost
        if part:
            messages.append(_together(part))
        return messages


def _share_group(a: _Packet, b: _Packet) -> bool:
    return a.topic == b.topic and a.identity == b.identity


def _single(packet: _Packet) -> Message:
    encode = packets.topic_identity if packet.identity else packets.topic
    return Message(encode(packet.topic, packet.body), 1)


def _together(part: list[_Packet]) -> Message:
    if len(part) == 1:
        return _single(part[0])
    frames = []
    start = 0
    for end in range(1, len(part) + 1):
        first = part[start]
        if end < len(part) and _share_group(first, part[end]):
            continue
        bodies = [packet.body for packet in part[start:end]]
        frames.append(group_frame(first.topic, (), bodies, identity=first.identity))
        start = end
    return Message(batch(frames), len(part))
