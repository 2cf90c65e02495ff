"""Incoming packets, from the messages they came in to whoever subscribed to their topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from protocol.batch import decode_group
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from rtcbroker.core.overlap import Seen
from rtcbroker.core.packet import Packet
from rtcbroker.core.stats import ClientStats, Drop

Sink = Callable[[Packet], None]

TopicPacket = pb.TopicBatchFrames | pb.TopicFWMessage | pb.TopicIdentityFWMessage

_ROLES = {
    pb.CLIENT: TokenRole.CLIENT,
    pb.COMMUNICATION_SERVER: TokenRole.COMMUNICATION_SERVER,
    pb.COMMUNICATION_SERVER_HUB: TokenRole.COMMUNICATION_SERVER_HUB,
}

# Makes a Packet of a plain tuple without the keyword handling of the class: half the time, and this is the hottest place of all.
_packet = Packet._make


class Delivery:
    """Who takes the packets of which topic."""

    def __init__(self, stats: ClientStats) -> None:
        self._sinks: dict[str, tuple[Sink, ...]] = {}
        self._stats = stats
        self.seen = Seen()
        self.alias = 0
        """The client's own alias: in a batch, which is encoded once for everyone, its own packets come back to it and are dropped."""

    def attach(self, topics: Iterable[str], sink: Sink) -> None:
        """Give the packets of `topics` to `sink` too."""
        for topic in topics:
            self._sinks[topic] = (*self._sinks.get(topic, ()), sink)

    def detach(self, topics: Iterable[str], sink: Sink) -> None:
        """Stop giving the packets of `topics` to `sink`."""
        for topic in topics:
            # By equality: a bound method is another object each time it is looked up.
            rest = tuple(other for other in self._sinks[topic] if other != sink)
            if rest:
                self._sinks[topic] = rest
            else:
                del self._sinks[topic]

    def batch(self, frames: pb.TopicBatchFrames, reliable: bool) -> None:
        """Deliver a TOPIC_BATCH. Raises :class:`protocol.errors.DecodeError` at a group that is none; those before it are delivered."""
        for frame in frames.groups:
            self.group(decode_group(frame, from_server=True), reliable)

    def group(self, group: pb.TopicGroup, reliable: bool) -> None:
        """Deliver one group, if it has not come by another link."""
        if not self.seen.is_new(group, reliable):
            return
        topic = group.topic
        sinks = self._sinks.get(topic)
        if sinks is None:
            self._stats.dropped[Drop.NOT_SUBSCRIBED] += len(group.body)
            return
        own = self.alias
        received = 0
        if group.senders:
            known = {sender.alias: _identity(sender.identity, sender.role) for sender in group.senders}
            for alias, body in zip(group.from_alias, group.body, strict=True):
                if alias != own:
                    received += 1
                    _give(sinks, _packet((topic, alias, body, *known.get(alias, _NOBODY), reliable)))
        else:
            for alias, body in zip(group.from_alias, group.body, strict=True):
                if alias != own:
                    received += 1
                    packet = _packet((topic, alias, body, None, None, reliable))
                    for sink in sinks:
                        sink(packet)
        self._stats.received += received

    def single(self, message: pb.TopicFWMessage | pb.TopicIdentityFWMessage, reliable: bool) -> None:
        """Deliver a TOPIC_FW or TOPIC_IDENTITY_FW, as old servers send them.

        They do not name their topic. With one topic subscribed it can only be that; otherwise it may be any, so every subscription gets
        the packet, without a topic.
        """
        identity, role = _NOBODY
        if isinstance(message, pb.TopicIdentityFWMessage):
            identity, role = _identity(message.identity, message.role)
        topic = next(iter(self._sinks)) if len(self._sinks) == 1 else ""
        sinks = tuple(dict.fromkeys(sink for sinks in self._sinks.values() for sink in sinks))
        if not sinks:
            self._stats.dropped[Drop.NOT_SUBSCRIBED] += 1
            return
        self._stats.received += 1
        _give(sinks, Packet(topic, message.from_alias, message.body, identity, role, reliable))


def _give(sinks: Sequence[Sink], packet: Packet) -> None:
    for sink in sinks:
        sink(packet)


_NOBODY: tuple[None, None] = (None, None)


def _identity(identity: bytes, role: pb.Role) -> tuple[str, TokenRole | None]:
    return identity.decode(errors="replace"), _ROLES.get(role)
