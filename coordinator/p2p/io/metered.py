"""A WebSocket whose bytes are only put down as they come, counted, and parsed when its turn to be heard has come.

aiohttp parses all that comes at once, and its parser is asked for what it has by names that are not for others to use: `test_p2p_incoming.py`
tells when they have changed. While something is here for which
nobody waits the network is not read: more of it stays where it is, and in the end with its sender.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal

from aiohttp import WSCloseCode, WSMsgType
from aiohttp.http_websocket import WSMessageNoDecodeText

from coordinator.core.unfinished import MESSAGE_S
from coordinator.io.tapped import TappedWebSocket
from coordinator.p2p.core.incoming import TOO_MANY_FRAMES, Incoming, Portion
from protocol.limits import KIB

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.http_websocket import WebSocketReader

LATE = f"a message that began did not come within {MESSAGE_S:g} s"

READ_AHEAD_BYTES = 64 * KIB
"""What may lie in the network's buffer of a socket (Linux allows itself twice as much), and so come at a time: as many as an address
may have then fit into its share of what is kept."""

_NOTHING = Portion(b"", 0, 0)
_GO_ON = (False, b"")


class _Tap:
    """In place of aiohttp's parser of a connection."""

    def __init__(self, feed: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self._feed = feed
        self.feed_eof = lost

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._feed(data)
        return _GO_ON


class MeteredWebSocket(TappedWebSocket[Literal[False]]):
    """Texts come as bytes; who reads waits until something :meth:`arrived`, has it parsed by :meth:`hand_on`, and answers the pings."""

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
        self.lost: Callable[[], None] = lambda: None
        """Is told when the connection is lost while something is heard, or to be heard; to be set before `prepare`."""
        self._now = now
        self._transport: asyncio.Transport | None = None
        self._frames: WebSocketReader | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_held = self._is_answering = self._is_lost = False
        self.is_over = False
        """Whether nothing more will be heard of it, whatever comes."""
        self._deadline: asyncio.TimerHandle | None = None

    async def arrived(self) -> bool:
        """Wait until something is here to be handed on. False when nothing will be: aiohttp's `receive` then tells the end."""
        while not self.is_over:
            if self.incoming.is_held_back:
                return True
            if self._is_lost:
                self._end()
                break
            if self._is_held:
                self._go_on()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return False

    def hold(self) -> None:
        """Read no more of it until all that is here was handed on."""
        self._is_held = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def hand_on(self) -> tuple[Portion, list[WSMessageNoDecodeText]]:
        """Parse what comes next of what :meth:`arrived`: a message, or some frames. Returns what they were, without the last of all."""
        portion = self._parse()
        messages: list[WSMessageNoDecodeText] = []
        if (parsed := self._reader) is not None:
            buffer = parsed._buffer
            while buffer and buffer[0][0][0] is not WSMsgType.CLOSE:
                messages.append(_at_once(parsed.read()))
            if buffer or parsed.is_eof():
                self.is_over = True
        if self._is_held:
            self.hold()  # aiohttp stops reading at a long message that nobody has taken, and then goes on
        return portion, messages

    def skip(self) -> int:
        """The same when nobody is interested any more but aiohttp, which waits for the peer's close frame. Returns what it cost."""
        portion = self._parse()
        self.incoming.heard()
        return portion.cost

    async def answer(self, pings: list[bytes]) -> None:
        """Send a pong for each. That of a connection which is lost is not missed."""
        self._is_answering = True
        try:
            with contextlib.suppress(ConnectionError):
                for data in pings:
                    await self.pong(data)
        finally:
            self._is_answering = False

    def release(self) -> None:
        """Nothing is kept for it any more."""
        self.incoming.release()
        if self._deadline is not None:
            self._deadline.cancel()

    def _tap(self, parser: WebSocketReader, request: web.BaseRequest) -> _Tap:
        self._frames = parser
        self._transport = request.transport
        _read_little_ahead(request.transport)
        return _Tap(self._feed, self._on_lost)

    def _pong_not_received(self) -> None:
        if self._is_held and not self._is_answering:  # it may be here: it was not looked for
            self._reset_heartbeat()
        else:
            super()._pong_not_received()

    def _handle_ping_pong_exception(self, exc: BaseException) -> None:
        super()._handle_ping_pong_exception(exc)
        is_idle = self._is_idle
        self._end()
        if not is_idle:  # with a pong, maybe, that the peer does not take
            self.lost()

    def _feed(self, data: bytes) -> None:
        if self.is_over:
            return
        if problem := self.incoming.feed(data, self._now()):
            self._refuse(WSCloseCode.TRY_AGAIN_LATER, problem)
        elif self._is_idle:
            self._wake()
        else:
            self.hold()

    def _parse(self) -> Portion:
        portion = self.incoming.hand_on(self._now())
        if portion is None:
            self._refuse(WSCloseCode.POLICY_VIOLATION, TOO_MANY_FRAMES)
            return _NOTHING
        if self._frames is not None:
            self._frames.feed_data(portion.data)
        if self.incoming.is_coming:
            self._watch()
        return portion

    def _go_on(self) -> None:
        """Read it again."""
        self._is_held = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _on_lost(self) -> None:
        """What is here may still be heard."""
        self._is_lost = True
        self._transport = None
        if self.is_over or self._is_idle:
            self._end()
        else:
            self.lost()

    def _end(self) -> None:
        self.is_over = True
        if self._reader is not None:
            self._reader.feed_eof()
        self._wake()

    @property
    def _is_idle(self) -> bool:
        """Whether who reads waits for something to arrive."""
        return self._waiter is not None and not self._waiter.done()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _watch(self) -> None:
        if self._deadline is None and not self.is_over:
            delay = max(0.0, self.incoming.due_in(self._now()))
            self._deadline = asyncio.get_running_loop().call_later(delay, self._on_deadline)

    def _on_deadline(self) -> None:
        self._deadline = None
        if not self.incoming.is_coming or self.is_over:
            return
        if self.incoming.due_in(self._now()) <= 0:
            self._refuse(WSCloseCode.POLICY_VIOLATION, LATE)
        else:
            self._watch()

    def _refuse(self, code: WSCloseCode, reason: str) -> None:
        self.is_over = True
        self.refuse(code, reason)


def _read_little_ahead(transport: asyncio.Transport | None) -> None:
    """Of those whom we do not hear the network shall not keep much either."""
    link = None if transport is None else transport.get_extra_info("socket")
    if link is not None:
        with contextlib.suppress(OSError):  # it is gone
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_AHEAD_BYTES)
    limit = getattr(transport, "set_read_buffer_limits", None)
    if limit is not None:  # TLS reads on by itself
        limit(READ_AHEAD_BYTES)


def _at_once(read: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine that need not wait returns."""
    try:
        read.send(None)
    except StopIteration as end:
        return end.value
    read.close()
    raise RuntimeError("what was parsed is not there")
