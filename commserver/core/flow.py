"""Flow control: what happens to a message for a peer that reads more slowly than it is sent to.

Each peer has a :class:`Channel` for each of its two data channels. While the transport holds less than the high mark, messages pass.
Above it the channel is *paused* and messages wait in a queue that its named policy bounds; when the transport falls to the low mark
the queue goes out. Nothing here knows a transport: it is told amounts and answers with messages.

============  =======================================================================================================
policy        past the mark
============  =======================================================================================================
unbounded     keep everything (tests only)
discard       drop the new message (one that is not about a topic takes the place of older ones that are)
drop-oldest   drop the oldest messages until the new one fits
buffered      keep order and everything; over the mark the peer is closed with SLOW_CONSUMER
latest        of each topic and sender keep only the newest message, then as drop-oldest
============  =======================================================================================================
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass


class Policy(enum.StrEnum):
    """What to do with a message that does not fit; see the table above."""

    UNBOUNDED = "unbounded"
    DISCARD = "discard"
    DROP_OLDEST = "drop-oldest"
    BUFFERED = "buffered"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """Marks of one kind of channel, in bytes."""

    policy: Policy
    queue_bytes: int
    """What may wait in our queue."""
    high_bytes: int = 256 * 1024
    """Held by the transport: from here on messages wait in our queue, where they can still be dropped or replaced."""
    low_bytes: int = 1024
    """Held by the transport: down to here the queue goes out again. The same for all channels: it is the transport's own low mark."""


RELIABLE_FLOW = FlowLimits(Policy.BUFFERED, queue_bytes=4 * 1024 * 1024)
"""Four megabytes are seconds of a busy topic: a peer that far behind is better off starting again."""
UNRELIABLE_FLOW = FlowLimits(Policy.DROP_OLDEST, queue_bytes=128 * 1024, high_bytes=4 * 1024)
"""Old news are worth nothing on this channel: short marks keep what is sent fresh, and what waits where it can still be dropped."""


@dataclass(slots=True)
class Queued:
    """A message that waits, and what the drop counters want to know of it."""

    data: bytes
    topic: str
    """Empty for messages that are not about a topic: those are never dropped for newer ones."""
    records: int
    at: float = 0.0
    """When it was to be sent, in the core's seconds."""
    more: tuple[tuple[str, int], ...] = ()
    """Further topics of the same message, and their records."""

    @property
    def parts(self) -> tuple[tuple[str, int], ...]:
        """All topics of the message, and how many records of each are in it."""
        return ((self.topic, self.records), *self.more)


class Overflow(Exception):
    """The queue of a `buffered` channel is over its mark: the peer must be closed."""


class Channel:
    """One peer's one channel: open, or paused with a queue."""

    __slots__ = ("_limits", "_queue", "_queued_bytes", "_serial", "paused")

    def __init__(self, limits: FlowLimits) -> None:
        self._limits = limits
        self._queue: OrderedDict[Hashable, Queued] = OrderedDict()
        self._queued_bytes = 0
        self._serial = 0
        self.paused = False
        """While False, messages go straight to the transport; read on the packet path, changed only here."""

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait."""
        return self._queued_bytes

    def buffered(self, amount: int) -> bool:
        """The transport holds `amount` bytes. Returns whether the queue may go out now (see :meth:`drain`)."""
        if amount >= self._limits.high_bytes:
            self.paused = True
        return self.paused and amount <= self._limits.low_bytes

    def push(self, item: Queued, key: Hashable | None = None) -> list[Queued]:
        """Let a message wait; returns the messages dropped for it, maybe itself.

        `key` (topic and sender) is what `latest` goes by. Raises :class:`Overflow`.
        """
        policy, room = self._limits.policy, self._limits.queue_bytes
        dropped: list[Queued] = []
        if policy is Policy.LATEST and key is not None and (old := self._queue.pop(key, None)) is not None:
            self._queued_bytes -= len(old.data)
            dropped.append(old)
        if policy is not Policy.UNBOUNDED and self._queued_bytes + len(item.data) > room:
            if policy is Policy.BUFFERED:
                raise Overflow
            if policy is not Policy.DISCARD or not item.topic:
                dropped += self._make_room(room - len(item.data))
            if self._queued_bytes + len(item.data) > room:
                return [*dropped, item]
        self._serial += 1
        slot = key if policy is Policy.LATEST and key is not None else self._serial
        self._queue[slot] = item
        self._queued_bytes += len(item.data)
        return dropped

    def _make_room(self, room: int) -> list[Queued]:
        """Drop the oldest messages about topics until at most `room` bytes wait; none, where that would not be enough."""
        left = self._queued_bytes
        slots: list[Hashable] = []
        for slot, item in self._queue.items():
            if left <= room:
                break
            if item.topic:
                slots.append(slot)
                left -= len(item.data)
        if left > room:
            return []
        self._queued_bytes = left
        return [self._queue.pop(slot) for slot in slots]

    def clear(self) -> list[Queued]:
        """The peer is gone: returns what it will not get."""
        left = list(self._queue.values())
        self._queue.clear()
        self._queued_bytes = 0
        return left

    def drain(self) -> Iterator[Queued]:
        """Yield what waits, oldest first, up to the high mark; the channel opens when nothing is left."""
        sent = 0
        while self._queue:
            if sent >= self._limits.high_bytes:
                return
            _, item = self._queue.popitem(last=False)
            self._queued_bytes -= len(item.data)
            sent += len(item.data)
            yield item
        self.paused = False
