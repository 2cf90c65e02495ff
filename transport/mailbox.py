"""What a link has to tell its handler, in order, and never from inside aiortc or from inside a call of the handler's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from transport.link import Link, LinkEnd, LinkHandler

logger = logging.getLogger(__name__)

MAX_EARLY_MESSAGES = 64
"""Messages held that overtook the opening of the other channel; a peer sends one (AUTH) before it hears an answer."""


class Nobody:
    """The handler of a link that nobody has."""

    def on_open(self, link: Link) -> None: ...
    def on_message(self, link: Link, data: bytes, reliable: bool) -> None: ...
    def on_buffered_low(self, link: Link, reliable: bool) -> None: ...
    def on_closed(self, link: Link, end: LinkEnd) -> None: ...


class Mailbox:
    """Events between a link and its handler; keeps the order that :class:`~transport.link.LinkHandler` promises."""

    def __init__(self, link: Link, handler: LinkHandler, name: str, fail: Callable[[str], None]) -> None:
        """`fail` ends the link, with a reason: the handler raised, or the peer sent too much too early."""
        self.handler = handler
        self.held = False
        """Events are about to be told anyway, by :meth:`tell`: no turn of the loop is asked for."""
        self.muted = False
        """The handler wants nothing more but on_closed."""
        self._link = link
        self._name = name
        self._fail = fail
        self._loop = asyncio.get_running_loop()
        self._wake: asyncio.Handle | None = None
        self._opened = False
        self._told_open = False
        # (channel, message), or (channel, None) for a buffer that ran low.
        self._events: list[tuple[bool, bytes | None]] = []

    def __len__(self) -> int:
        return len(self._events)

    def open(self) -> None:
        """Both channels are open."""
        self._opened = True
        self._wake_up()

    def message(self, reliable: bool, data: bytes) -> None:
        """A message came."""
        self._events.append((reliable, data))
        if not self._opened and len(self._events) > MAX_EARLY_MESSAGES:
            self._events.clear()
            self.muted = True
            self._fail(f"over {MAX_EARLY_MESSAGES} messages before both channels were open")
        self._wake_up()

    def low(self, reliable: bool) -> None:
        """A buffer ran low."""
        self._events.append((reliable, None))
        self._wake_up()

    def tell(self) -> None:
        """Tell the handler what waits. A handler that raises loses its link."""
        if not self._opened or self.muted or (self._told_open and not self._events):
            return
        # One batch: what the handler's own sends bring about (a buffer that ran low) waits for the next turn of the loop.
        events, self._events = self._events, []
        try:
            if not self._told_open:
                self._told_open = True
                self.handler.on_open(self._link)
            for reliable, data in events:
                if self._is_deaf():
                    return
                if data is None:
                    self.handler.on_buffered_low(self._link, reliable)
                else:
                    self.handler.on_message(self._link, data, reliable)
        except Exception:  # a fault of our own program: its traceback is needed, and the other links are not to suffer
            logger.exception("the handler of %s failed", self._name)
            self.muted = True
            self._fail("its handler failed")

    def close(self, end: LinkEnd) -> None:
        """Tell what is left, and that nothing follows."""
        self.tell()
        self.muted = True
        self._events.clear()
        try:
            self.handler.on_closed(self._link, end)
        except Exception:  # as above
            logger.exception("the handler of %s failed", self._name)

    def _is_deaf(self) -> bool:
        """The handler has closed the link while it was told of something earlier."""
        return self.muted

    def _wake_up(self) -> None:
        if not self.held and self._wake is None:
            self._wake = self._loop.call_soon(self._woken)

    def _woken(self) -> None:
        self._wake = None
        self.tell()
