"""The WebSocket shell of the three protocols: frames in, the core's outputs out, one timer, one writer for each socket.

Nothing waits between a frame that was heard and the frames it causes: they are in the outboxes, and their writers awake, before the next
frame is heard. A peer that does not read fills its own outbox and is closed; one that says too much is read more slowly, and so are all
of an address that together cause too much.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
from dataclasses import dataclass
from functools import partial

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.http_websocket import WSMessageNoDecodeText

from coordinator.core.guests import Guest
from coordinator.core.outputs import Dismiss
from coordinator.io.tasks import stopped
from coordinator.io.websocket import CLOSE_TIMEOUT_S, CUT_S, WRITE_AHEAD_BYTES, close_reason
from coordinator.p2p.core.incoming import Incoming
from coordinator.p2p.core.outbox import Outbox
from coordinator.p2p.core.outputs import Close, Output, Send
from coordinator.p2p.core.prices import price
from coordinator.p2p.core.signalling import Signalling
from coordinator.p2p.io.access import Access
from coordinator.p2p.io.metered import MeteredWebSocket
from protocol.codes import Code
from protocol.limits import KIB
from protocol.tokens import Claims
from service.bucket import TokenBucket
from service.clock import Clock

log = logging.getLogger(__name__)

_END_DELIVERIES = 8
"""To say goodbye, and to take a socket down, takes as long each, whoever is told of it."""

LAST_WORDS_S = 10.0
"""For what a peer said before its connection was lost to be heard. It takes its time only where the address has said far too much."""

_REFUSED = {WSCloseCode.TRY_AGAIN_LATER: "address_full", WSCloseCode.POLICY_VIOLATION: "message_not_whole"}
"""How it is counted that nothing more is taken of a socket, by its close code."""

PING_INTERVAL_S = 30.0
"""As GStreamer's server does; a peer that does not answer within half of it is gone. Idle sockets are never closed."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What one socket may cost."""

    message_bytes: int = 1024 * KIB
    """Of one message."""
    messages_per_s: float = 50.0
    messages_burst: int = 1_000
    outbox_frames: int = 4_096
    outbox_bytes: int = 4 * 1024 * KIB
    """That may wait for it."""


class P2PSocket:
    """One socket, from its upgrade to its end."""

    def __init__(self, ws: MeteredWebSocket, limits: SocketLimits, guest: Guest, transport: asyncio.Transport | None) -> None:
        self.guest = guest
        """Its address."""
        self._ws = ws
        self._transport = transport
        self._outbox = Outbox(limits.outbox_frames, limits.outbox_bytes, guest.outbox)
        self._wanted = asyncio.Event()
        self._end: tuple[int, str] | None = None
        self._is_deaf = False
        """Whether its connection is lost, so that nothing reaches it."""
        self._last_words: asyncio.TimerHandle | None = None

    @property
    def is_closed(self) -> bool:
        """Whether we have closed it."""
        return self._end is not None

    @property
    def is_unheard(self) -> bool:
        """Whether something that it said is here and waits for its turn."""
        return self._ws.incoming.is_held_back

    def send(self, data: str | bytes) -> bool:
        """Queue a frame; False when the peer is too slow to be sent any more."""
        if self._is_deaf:
            return True
        if not self._outbox.push(data):
            return False
        self._wanted.set()
        return True

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        """Close it when what is queued has left, or without that. The first reason counts."""
        if self.is_closed:
            return
        self._end = (code, reason)
        if drop:
            self._outbox.clear()
        self._wanted.set()
        if self._transport is not None:  # a peer that does not read never takes the close frame
            asyncio.get_running_loop().call_later(CUT_S, self._transport.abort)

    def lost(self) -> None:
        """Its connection is. What it has said before is still heard, but not for ever."""
        loop = asyncio.get_running_loop()
        self._last_words = loop.call_later(LAST_WORDS_S, self.close, WSCloseCode.GOING_AWAY, "its connection is lost")

    async def write(self) -> None:
        """Send until the socket ends, and everything that was to be sent before that has left."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                while (frame := self._outbox.pop()) is not None:
                    await self._ws.send_frame(frame.data, WSMsgType.TEXT if frame.is_text else WSMsgType.BINARY)
            except ConnectionError:  # what it has said before may still be heard
                self._is_deaf = True
                self._outbox.clear()
            if self.is_closed:
                return

    async def shake_hands(self) -> None:
        """Our close frame, and the peer's (RFC 6455 section 7.1.1): to be called when nobody reads or writes any more."""
        if self._end is not None:
            code, reason = self._end
            await self._ws.close(code=code, message=close_reason(reason))

    def release(self) -> None:
        """Nothing is kept for it any more."""
        if self._last_words is not None:
            self._last_words.cancel()
        self._ws.release()
        self._outbox.clear()
        self._outbox.settle()


class SocketEndpoint:
    """The handler of one protocol's WebSockets, and the clock of its core."""

    def __init__(self, name: str, core: Signalling, access: Access, limits: SocketLimits, clock: Clock) -> None:
        self._name = name
        self._core = core
        self._access = access
        self._limits = limits
        self._sockets: dict[int, P2PSocket] = {}
        self._bearers: dict[int, Claims] = {}
        """Of those sockets that came with a token."""
        self._keys = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._stopping = False
        self.now = clock.now

    @property
    def open(self) -> int:
        """Sockets there are."""
        return len(self._sockets)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Let a socket in or refuse it; then serve it until it goes."""
        is_socket = bool(web.WebSocketResponse().can_prepare(request))
        if (refusal := await self._access.refuse(request, token_needed=lambda: is_socket)) is not None:
            return refusal
        if not is_socket:
            return web.Response(status=426, text="a WebSocket is wanted here\n", headers={"Upgrade": "websocket"})
        guest = self._access.enter(request)
        if isinstance(guest, web.Response):
            return guest
        ws = MeteredWebSocket(
            Incoming(guest.account),
            self.now,
            timeout=CLOSE_TIMEOUT_S,
            heartbeat=PING_INTERVAL_S,
            max_msg_size=self._limits.message_bytes + 1,  # aiohttp refuses what has as many bytes as it is told
            writer_limit=WRITE_AHEAD_BYTES,
        )
        socket = P2PSocket(ws, self._limits, guest, request.transport)
        ws.refuse, ws.lost = partial(self._refuse, socket), socket.lost
        try:
            if self._stopping:
                return web.Response(status=503, text="the coordinator is stopping\n")
            await ws.prepare(request)
            await self._serve(ws, socket, request)
        except ConnectionError:
            log.debug("a %s peer was gone before its upgrade was answered", self._name)
            return web.Response(status=400)  # which nobody reads
        finally:
            self._let_go(socket, request)
        return ws

    def _let_go(self, socket: P2PSocket, request: web.Request) -> None:
        """The socket counts for its address until the network has let go of it: what a peer does not read stays in a buffer there."""

        def gone() -> None:
            if transport is not None:
                transport.abort()
            socket.release()
            self._access.leave(request)

        transport = request.transport
        if transport is None or not transport.get_write_buffer_size():
            socket.release()
            self._access.leave(request)
        else:
            asyncio.get_running_loop().call_later(CUT_S, gone)

    def is_unheard(self, key: int) -> bool:
        """Whether something that this socket said is here and waits for its turn."""
        socket = self._sockets.get(key)
        return socket is not None and socket.is_unheard

    def settle(self) -> int:
        """Carry out what the core wants, and set its timer. To be called after anything that was asked of the core from elsewhere.

        Returns how much that was; see :mod:`coordinator.io.turns`.
        """
        deliveries = 0
        for output in self._core.outputs():
            deliveries += self._perform(output)
        self._set_timer()
        return deliveries

    def dismiss(self, whom: Dismiss) -> None:
        """Close those who came in with such a token."""
        for key in [key for key, claims in self._bearers.items() if whom.concerns(claims)]:
            self._drop(key, WSCloseCode.POLICY_VIOLATION, whom.code.reason)

    def stop(self) -> None:
        """Close every socket; whoever still comes is refused. Idempotent."""
        self._stopping = True
        self._core.stop(self.now())
        self.settle()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _perform(self, output: Output) -> int:
        """Returns its price."""
        socket = self._sockets.get(output.key)
        if socket is None:
            return 1  # it was made for nobody, and took its time
        match output:
            case Send():
                if not socket.send(output.data):
                    self._drop(output.key, WSCloseCode.TRY_AGAIN_LATER, "too slow: too much waits for it")
                return price(len(output.data))
            case Close():
                del self._sockets[output.key]
                socket.close(output.code, output.reason)
                return 1

    async def _serve(self, ws: MeteredWebSocket, socket: P2PSocket, request: web.Request) -> None:
        key = next(self._keys)
        self._sockets[key] = socket
        if (claims := self._access.claims(request)) is not None:
            self._bearers[key] = claims
        self._core.connected(key, socket.guest.account, self.now())
        self.settle()
        reader = asyncio.create_task(self._read(ws, key, socket.guest), name=f"{self._name}-reader")
        writer = asyncio.create_task(socket.write(), name=f"{self._name}-writer")
        expiry = self._end_with_token(key, self._access.expires_at(request))
        if self._access.is_revoked(request):  # while the upgrade was on its way
            self._drop(key, WSCloseCode.POLICY_VIOLATION, Code.TOKEN_REVOKED.reason)
        try:
            await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if expiry is not None:
                expiry.cancel()
            self._bearers.pop(key, None)
            try:
                await stopped(reader)
            finally:
                if self._sockets.pop(key, None) is not None:
                    await self._leave(key, socket.guest)
            await stopped(writer)
        if socket.is_closed:
            await self._shake_hands(ws, socket)

    async def _read(self, ws: MeteredWebSocket, key: int, guest: Guest) -> None:
        bucket = TokenBucket(self._limits.messages_per_s, self._limits.messages_burst, self.now())
        turns, pings = self._access.turns, list[bytes]()
        hear = partial(self._hear, ws, key, bucket, pings)
        while await ws.arrived():
            if not turns.take_now(guest, hear):
                ws.hold()
                await turns.take(guest, hear, despite_debt=ws.incoming.is_close_next)
            if pings:
                await ws.answer(pings)
                pings.clear()
            if (owed_s := bucket.debt_s(self.now())) > 0:
                await asyncio.sleep(owed_s)
        await ws.receive()  # aiohttp answers a close frame, and frames that are none

    def _hear(self, ws: MeteredWebSocket, key: int, bucket: TokenBucket, pings: list[bytes]) -> int:
        """Let the core have what is next, and bring everybody what follows from it. Returns what that cost.

        What it says is charged on `bucket`, and what it wants to be answered is put into `pings`.
        """
        portion, messages = ws.hand_on()
        bucket.charge(self.now(), len(messages))
        deliveries = 0
        for message in messages:
            if message.type is WSMsgType.PING:
                pings.append(message.data)
            elif message.type is not WSMsgType.PONG:
                deliveries += self._receive(key, message)
        ws.incoming.heard()
        cost = portion.cost + max(0, deliveries - portion.message_cost)
        return cost + (_END_DELIVERIES if ws.is_over else 0)

    def _receive(self, key: int, message: WSMessageNoDecodeText) -> int:
        """Returns what was delivered."""
        if key not in self._sockets:
            return 0
        try:
            data = message.data.decode() if message.type is WSMsgType.TEXT else message.data
        except UnicodeDecodeError:
            self._drop(key, WSCloseCode.INVALID_TEXT, "a text that is not UTF-8")
        else:
            self._core.received(key, data, self.now())
        return self.settle()

    async def _leave(self, key: int, guest: Guest) -> None:
        """Tell the core that one is gone when it is the turn of its address, whatever that owes; it may be news for hundreds."""
        leave = partial(self._left, key)
        if self._stopping:  # nobody is told any more
            leave()
            return
        try:
            await self._access.turns.take(guest, leave, despite_debt=True)
        except asyncio.CancelledError:
            self._access.turns.charge(guest, leave())
            raise

    def _left(self, key: int) -> int:
        """Returns what it cost."""
        self._core.left(key, self.now())
        return max(_END_DELIVERIES, self.settle())

    async def _shake_hands(self, ws: MeteredWebSocket, socket: P2PSocket) -> None:
        """What the peer has said before its close frame is in its way, and has its turn, too."""
        skipping = asyncio.create_task(self._skip(ws, socket.guest), name=f"{self._name}-skipper")
        try:
            with contextlib.suppress(ConnectionError):
                await socket.shake_hands()
        finally:
            await stopped(skipping)

    async def _skip(self, ws: MeteredWebSocket, guest: Guest) -> None:
        while await ws.arrived():
            ws.hold()
            await self._access.turns.take(guest, ws.skip, despite_debt=ws.incoming.is_close_next)

    def _refuse(self, socket: P2PSocket, code: WSCloseCode, reason: str) -> None:
        """Close a socket of which nothing more is taken; its end is noticed by whoever serves it."""
        log.info("closed a %s peer: %s", self._name, reason)
        self._core.counts.errors[_REFUSED[code]] += 1
        socket.close(code, reason, drop=True)

    def _end_with_token(self, key: int, expires_at: float) -> asyncio.TimerHandle | None:
        if expires_at == math.inf:
            return None
        delay = max(0.0, expires_at - self.now())
        return asyncio.get_running_loop().call_later(delay, self._expired, key)

    def _expired(self, key: int) -> None:
        self._drop(key, WSCloseCode.POLICY_VIOLATION, "the token has expired")

    def _drop(self, key: int, code: int, reason: str) -> None:
        """Close a socket that the core would have kept. The others are told in turn: many may be closed at once."""
        socket = self._sockets.pop(key, None)
        if socket is None:
            return
        log.info("closed a %s peer: %s", self._name, reason)
        socket.close(code, reason, drop=True)
        self._access.turns.ask(socket.guest, partial(self._left, key))

    def _set_timer(self) -> None:
        deadline = None if self._stopping else self._core.next_deadline()
        if deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - self.now()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._core.tick(self.now())
        self.settle()
