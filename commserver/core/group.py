"""The forms in which a group of records leaves: each encoded at most once, however many receive it.

A :class:`Group` is the unit of relaying: records of one topic. It arrives as one (a batch of a client or of another server) or is
made of a single TOPIC. Receivers that speak batches get its frame spliced into their message; old peers get plain packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol import batch, packets
from protocol.batch import NO_STAMP, SenderIdentity, Stamp
from protocol.pb import broker_pb2 as pb

RECORD_BYTES = 8
"""What a record costs beyond a short body: six bytes of alias, tag, length; one or two more for a body over 127 or 16,383 bytes."""
GROUP_BYTES = 28
"""What a group costs beyond its topic and records: tags and lengths, its stamp, and the batch around it."""
SENDER_BYTES = 16
"""What a sender's identity costs beyond its text."""


def record_size(body: bytes) -> int:
    """Bytes of a record in a group."""
    size = len(body)
    return size + RECORD_BYTES + (size > 0x7F) + (size > 0x3FFF)


@dataclass(slots=True)
class Group:
    """Records of one topic from verified senders: record i is (aliases[i], bodies[i])."""

    topic: str
    aliases: Sequence[int]
    bodies: Sequence[bytes]
    senders: Sequence[SenderIdentity] = ()
    """Identities of the senders, where the records were published with identity."""
    raw: bytes | None = None
    """The serialized group as another server sent it, to be passed on as it is, with its stamp."""
    stamp: Stamp = NO_STAMP
    """To be set before it leaves, where it begins here."""
    _message: bytes | None = None
    _old_client: list[bytes] | None = None
    _old_server: list[bytes] | None = None

    def message(self) -> bytes:
        """One TOPIC_BATCH with this group alone."""
        if self._message is None:
            self._message = batch.batch((self.frame(),))
        return self._message

    def frame(self) -> bytes:
        """This group as part of a batch."""
        if self.raw is not None:
            return batch.frame_of(self.raw)
        return batch.group_frame(
            self.topic, self.aliases, self.bodies, self.senders, identity=bool(self.senders), stamp=self.stamp
        )

    def first(self, count: int) -> Group:
        """The first `count` records, of a client."""
        return Group(self.topic, self.aliases[:count], self.bodies[:count], self.senders)

    def newest(self) -> Group:
        """The last record, of a client."""
        return Group(self.topic, self.aliases[-1:], self.bodies[-1:], self.senders)

    def parts(self, limit: int) -> list[Group]:
        """The same in groups whose messages have at most `limit` bytes, or one record. What a server has sent stays as it is.

        Only for records of a single sender, a client's: each part names its identity.
        """
        fixed = GROUP_BYTES + len(self.topic.encode()) + sum(len(sender.identity) + SENDER_BYTES for sender in self.senders)
        if self.raw is not None or fixed + sum(map(record_size, self.bodies)) <= limit:
            return [self]
        parts: list[Group] = []
        start, size = 0, fixed
        for place, body in enumerate(self.bodies):
            cost = record_size(body)
            if place > start and size + cost > limit:
                parts.append(Group(self.topic, self.aliases[start:place], self.bodies[start:place], self.senders))
                start, size = place, fixed
            size += cost
        parts.append(Group(self.topic, self.aliases[start:], self.bodies[start:], self.senders))
        return parts

    def old_client(self) -> list[bytes]:
        """A TOPIC_FW or TOPIC_IDENTITY_FW for each record."""
        if self._old_client is None:
            known = {sender.alias: sender for sender in self.senders}
            self._old_client = [
                packets.topic_identity_fw(alias, sender.identity, sender.role, body)
                if (sender := known.get(alias)) is not None
                else packets.topic_fw(alias, body)
                for alias, body in zip(self.aliases, self.bodies, strict=True)
            ]
        return self._old_client

    def old_server(self) -> list[bytes]:
        """A TOPIC or TOPIC_IDENTITY for each record, with `from_alias` and the rest filled."""
        if self._old_server is None:
            known = {sender.alias: sender for sender in self.senders}
            self._old_server = [
                packets.topic_identity(self.topic, body, alias, sender.identity, sender.role)
                if (sender := known.get(alias)) is not None
                else packets.topic(self.topic, body, alias)
                for alias, body in zip(self.aliases, self.bodies, strict=True)
            ]
        return self._old_server


def group_of_server(raw: bytes) -> Group:
    """A group as another server sent it. Raises :class:`protocol.errors.DecodeError`."""
    message: pb.TopicGroup = batch.decode_group(raw, from_server=True)
    senders = [SenderIdentity(sender.alias, sender.identity, sender.role) for sender in message.senders]
    return Group(message.topic, message.from_alias, message.body, senders, raw=raw)
