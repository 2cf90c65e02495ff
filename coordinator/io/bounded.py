"""A WebSocket of a peer, of which only so much is kept before it is whole: bounded for each address and for all, and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from coordinator.core.guests import Guests
from coordinator.core.store import Store
from coordinator.core.unfinished import MESSAGE_S, Unfinished, is_one_message
from coordinator.io.tapped import TappedWebSocket
from protocol.codes import Code
from protocol.limits import KIB

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.http_websocket import WebSocketReader

ALL_BYTES: Final = 64 * 1024 * KIB
"""That may be kept of what is not whole: some per cent of what as many peers as are let in take anyway."""

ADDRESS_BYTES: Final = 16 * 1024 * KIB
"""Of one address, which never has more than it leaves for the others: 128 of the longest frames, and thousands of those with which peers
join. A proxy that is not among `--trusted-proxies` is one address, with everyone behind it."""

TOO_MUCH = "too much that this address has begun to send is not whole"
LATE = f"a message that began did not come within {MESSAGE_S:g} s"


def accounts() -> Guests:
    """Of all addresses. Their sockets and requests are not counted there, and one with nothing unfinished may be forgotten."""
    return Guests(0, 0, 0, max_waiting_bytes=ALL_BYTES, max_address_bytes=ADDRESS_BYTES)


class _Tap:
    """In place of aiohttp's parser of a connection."""

    __slots__ = ("_judge", "_parser", "_unfinished")

    def __init__(self, parser: WebSocketReader, unfinished: Unfinished, judge: Callable[[bytes], bool]) -> None:
        self._parser = parser
        self._unfinished = unfinished
        self._judge = judge

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        if (not self._unfinished.bytes and is_one_message(data)) or self._judge(data):
            return self._parser.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        self._parser.feed_eof()


class BoundedWebSocket(TappedWebSocket[Literal[True]]):
    """Pings are left to whoever reads, who has to take messages as they come, and to :meth:`release` it in the end."""

    def __init__(self, account: Store, now: Callable[[], float], *, max_msg_size: int, timeout: float, writer_limit: int) -> None:
        """`account`: what is kept of its address."""
        super().__init__(autoping=False, compress=False, max_msg_size=max_msg_size, timeout=timeout, writer_limit=writer_limit)
        self.refuse: Callable[[Code, str], None] = lambda code, reason: None
        """Is told once why nothing more is taken; to be set before `prepare`."""
        self._now = now
        self._unfinished = Unfinished(account.take, account.give_back)
        self._is_refused = False
        self._deadline: asyncio.TimerHandle | None = None

    def release(self) -> None:
        """Nothing is kept for it any more."""
        self._is_refused = True
        self._unfinished.release()
        if self._deadline is not None:
            self._deadline.cancel()

    def _tap(self, parser: WebSocketReader, _request: web.BaseRequest) -> _Tap:
        return _Tap(parser, self._unfinished, self._judge)

    def _judge(self, data: bytes) -> bool:
        """Whether these bytes may be taken."""
        if self._is_refused:
            return False
        if not self._unfinished.feed(data, self._now()):
            self._refuse(Code.SERVER_FULL, TOO_MUCH)
            return False
        self._watch()
        return True

    def _watch(self) -> None:
        if self._unfinished.bytes and self._deadline is None:
            delay = max(0.0, self._unfinished.due_in(self._now()))
            self._deadline = asyncio.get_running_loop().call_later(delay, self._on_deadline)

    def _on_deadline(self) -> None:
        self._deadline = None
        if self._unfinished.bytes and self._unfinished.due_in(self._now()) <= 0:
            self._refuse(Code.TIMEOUT, LATE)
        else:
            self._watch()

    def _refuse(self, code: Code, reason: str) -> None:
        if not self._is_refused:
            self._is_refused = True
            self.refuse(code, reason)
