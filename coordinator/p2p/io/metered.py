"""A WebSocket that counts what comes before it is whole.

aiohttp tells of a message when its last byte is here, and has no place to ask before. So this stands between its connection and its
parser, by names that are not for others to use: `test_p2p_incoming.py` tells when they have changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from aiohttp import WSCloseCode, web

from coordinator.p2p.core.incoming import MESSAGE_S, TOO_MUCH, Incoming

if TYPE_CHECKING:
    from aiohttp.http_websocket import WebSocketReader, WebSocketWriter

LATE = f"a message that began did not come within {MESSAGE_S:g} s"


class _Tap:
    """In place of aiohttp's parser of a connection."""

    def __init__(self, parser: WebSocketReader, feed: Callable[[bytes], bool]) -> None:
        self._parser = parser
        self._feed = feed

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        return self._parser.feed_data(data) if self._feed(data) else (False, b"")

    def feed_eof(self) -> None:
        self._parser.feed_eof()


class MeteredWebSocket(web.WebSocketResponse[Literal[False]]):
    """Texts come as bytes, pings are left to whoever reads, and every message has to be :meth:`handled`."""

    def __init__(
        self,
        incoming: Incoming,
        now: Callable[[], float],
        *,
        max_msg_size: int,
        timeout: float,
        heartbeat: float,
        writer_limit: int,
    ) -> None:
        super().__init__(
            autoping=False,
            compress=False,
            # A text in memory takes up to four times its bytes, and many may wait for their turn.
            decode_text=False,
            max_msg_size=max_msg_size,
            timeout=timeout,
            heartbeat=heartbeat,
            writer_limit=writer_limit,
        )
        self.incoming = incoming
        self.refuse: Callable[[WSCloseCode, str], None] = lambda code, reason: None
        """Is told once, with a close code, why nothing more is taken; to be set before `prepare`."""
        self._now = now
        self._is_refused = False
        self._deadline: asyncio.TimerHandle | None = None

    def handled(self) -> int:
        """The oldest text or binary message that was received is kept no longer. Returns in how many frames it came."""
        frames = self.incoming.handled(self._now())
        self._watch()
        return frames

    def release(self) -> None:
        """Nothing is kept for it any more."""
        self.incoming.release()
        if self._deadline is not None:
            self._deadline.cancel()

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: WebSocketWriter) -> None:
        connection = request.protocol
        early, connection._message_tail = connection._message_tail, b""
        super()._post_start(request, protocol, writer)
        assert self._parser is not None
        connection._payload_parser = _Tap(self._parser, self._feed)
        if early:  # it came with the request
            connection.data_received(early)

    def _pong_not_received(self) -> None:
        if self.incoming.is_held_back:  # it may be here: it was not looked for
            self._reset_heartbeat()
        else:
            super()._pong_not_received()

    def _feed(self, data: bytes) -> bool:
        if self._is_refused:
            return False
        if problem := self.incoming.feed(data, self._now()):
            self._refuse(WSCloseCode.TRY_AGAIN_LATER if problem is TOO_MUCH else WSCloseCode.POLICY_VIOLATION, problem)
            return False
        self._watch()
        return True

    def _watch(self) -> None:
        if self.incoming.is_coming and self._deadline is None and not self._is_refused:
            delay = max(0.0, self.incoming.due_in(self._now()))
            self._deadline = asyncio.get_running_loop().call_later(delay, self._on_deadline)

    def _on_deadline(self) -> None:
        self._deadline = None
        if self.incoming.is_coming and self.incoming.due_in(self._now()) <= 0:
            self._refuse(WSCloseCode.POLICY_VIOLATION, LATE)
        else:
            self._watch()

    def _refuse(self, code: WSCloseCode, reason: str) -> None:
        self._is_refused = True
        self.refuse(code, reason)
