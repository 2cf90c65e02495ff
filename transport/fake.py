"""A pair of links without a network, for tests of whatever holds links: same contract, nothing lost, and time stands still.

Without a loop, nothing happens until :meth:`FakeLink.deliver` or :func:`pump`; with one, everything is delivered on its next
turn, as by a real link.
"""

from __future__ import annotations

import asyncio
from collections import deque

from protocol.errors import MessageTooLarge
from protocol.limits import MAX_MESSAGE_BYTES
from transport.link import Expiry, LinkEnd, LinkHandler
from transport.options import DEFAULT_LOW_MARK

_Event = tuple[str, bool, bytes]


class FakeLink:
    """One end of :func:`fake_pair`."""

    def __init__(self, handler: LinkHandler, loop: asyncio.AbstractEventLoop | None, max_message: int, low_mark: int) -> None:
        """Use :func:`fake_pair`."""
        self.handler = handler
        self.sent: list[tuple[bytes, bool]] = []
        """Everything that was sent here, as (data, reliable)."""
        self.end_seen: LinkEnd | None = None
        """How this end ended, once ``on_closed`` has told."""
        self._other: FakeLink | None = None
        self._loop = loop
        self._max_message = max_message
        self._low_mark = low_mark
        self._events: deque[_Event] = deque([("open", False, b"")])
        self._buffered = {True: 0, False: 0}
        self._told_open = False
        self._end: LinkEnd | None = None
        self._wake: asyncio.Handle | None = None
        self._wake_up()

    # Link

    @property
    def trouble(self) -> str:
        """None is ever asked."""
        return ""

    @property
    def is_open(self) -> bool:
        """The opening was delivered, and the link has not ended."""
        return self._told_open and self._end is None

    def send(self, data: bytes, *, reliable: bool, expiry: Expiry | None = None) -> None:
        """Queue a message for the other end; counts as handed to the network at once, unless :meth:`set_buffered` said more."""
        if not self.is_open:
            return
        if len(data) > self._max_message:
            raise MessageTooLarge(len(data), self._max_message)
        self.sent.append((data, reliable))
        if self._other is not None and self._other._end is None:
            self._other._queue(("message", reliable, data))

    def buffered_amount(self, *, reliable: bool) -> int:
        """What :meth:`set_buffered` said; 0 at first."""
        return self._buffered[reliable]

    def close(self) -> None:
        """End both ends: this one LOCAL, the other REMOTE."""
        if self._end is None:
            self._events.clear()
            self.finish(LinkEnd.LOCAL)

    # control

    def finish(self, end: LinkEnd, other: LinkEnd | None = LinkEnd.REMOTE) -> None:
        """End this end with `end`, and the other with `other` (None: it has not noticed yet)."""
        if self._end is None:
            self._end = end
            self._queue(("closed", False, b""))
        if self._other is not None and other is not None and self._other._end is None:
            self._other.finish(other, None)

    def set_buffered(self, amount: int, *, reliable: bool) -> None:
        """Pretend that so many bytes wait; falling to the low mark from above queues ``on_buffered_low``."""
        before, self._buffered[reliable] = self._buffered[reliable], amount
        if before > self._low_mark >= amount and self._end is None:
            self._queue(("low", reliable, b""))

    def deliver(self, limit: int | None = None) -> int:
        """Tell the handler what waits here, at most `limit` events; returns how many."""
        count = 0
        while self._events and (limit is None or count < limit):
            self._tell(*self._events.popleft())
            count += 1
        return count

    def _tell(self, kind: str, reliable: bool, data: bytes) -> None:
        if kind == "open":
            self._told_open = True
            self.handler.on_open(self)
        elif kind == "message":
            self.handler.on_message(self, data, reliable)
        elif kind == "low":
            self.handler.on_buffered_low(self, reliable)
        elif self._end is not None:
            self.end_seen = self._end
            self.handler.on_closed(self, self._end)

    def _queue(self, event: _Event) -> None:
        self._events.append(event)
        self._wake_up()

    def _wake_up(self) -> None:
        if self._loop is not None and self._wake is None:
            self._wake = self._loop.call_soon(self._woken)

    def _woken(self) -> None:
        self._wake = None
        self.deliver()


def fake_pair(
    a: LinkHandler,
    b: LinkHandler,
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    max_message: int = MAX_MESSAGE_BYTES,
    low_mark: int = DEFAULT_LOW_MARK,
) -> tuple[FakeLink, FakeLink]:
    """Two ends of one link; ``on_open`` is the first event each delivers. `max_message` and `low_mark` in bytes."""
    first, second = FakeLink(a, loop, max_message, low_mark), FakeLink(b, loop, max_message, low_mark)
    first._other, second._other = second, first
    return first, second


def pump(*links: FakeLink, rounds: int = 1_000) -> None:
    """Deliver on all links until nothing waits. Raises RuntimeError if that does not happen within `rounds`."""
    for _ in range(rounds):
        if not sum([link.deliver() for link in links]):
            return
    raise RuntimeError(f"still busy after {rounds} rounds")
