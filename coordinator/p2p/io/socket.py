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

from coordinator.core.outputs import Dismiss
from coordinator.io.tasks import stopped
from coordinator.io.websocket import CLOSE_TIMEOUT_S, CUT_S, WRITE_AHEAD_BYTES, close_reason
from coordinator.p2p.core.guests import Guest
from coordinator.p2p.core.incoming import Incoming
from coordinator.p2p.core.outbox import Outbox
from coordinator.p2p.core.outputs import Close, Output, Send
from coordinator.p2p.core.signalling import Signalling
from coordinator.p2p.core.store import Store
from coordinator.p2p.io.access import Access
from coordinator.p2p.io.metered import MeteredWebSocket
from coordinator.p2p.io.turns import price
from protocol.codes import Code
from protocol.limits import KIB
from protocol.tokens import Claims
from service.bucket import TokenBucket
from service.clock import Clock

log = logging.getLogger(__name__)

_HEARD = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)
_FRAMES_A_DELIVERY = 32
"""A message in many frames takes its time, however short it is."""

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

    def __init__(self, ws: MeteredWebSocket, limits: SocketLimits, outbox: Store, transport: asyncio.Transport | None) -> None:
        """`outbox`: what may wait for all sockets of its address."""
        self._ws = ws
        self._transport = transport
        self._outbox = Outbox(limits.outbox_frames, limits.outbox_bytes, outbox)
        self._wanted = asyncio.Event()
        self._end: tuple[int, str] | None = None

    def send(self, data: str | bytes) -> bool:
        """Queue a frame; False when the peer is too slow to be sent any more."""
        if not self._outbox.push(data):
            return False
        self._wanted.set()
        return True

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        """Close it when what is queued has left, or without that. The first reason counts."""
        if self._end is not None:
            return
        self._end = (code, reason)
        if drop:
            self._outbox.clear()
        self._wanted.set()
        if self._transport is not None:  # a peer that does not read never takes the close frame
            asyncio.get_running_loop().call_later(CUT_S, self._transport.abort)

    async def write(self) -> None:
        """Send until the socket ends, and everything that was to be sent before that has left."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while (frame := self._outbox.pop()) is not None:
                await self._ws.send_frame(frame.data, WSMsgType.TEXT if frame.is_text else WSMsgType.BINARY)
            if self._end is not None:
                return

    async def shake_hands(self) -> None:
        """Our close frame, and the peer's (RFC 6455 section 7.1.1): to be called when nobody reads or writes any more."""
        if self._end is not None:
            code, reason = self._end
            await self._ws.close(code=code, message=close_reason(reason))

    def release(self) -> None:
        """Nothing is kept for it any more."""
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
        if not web.WebSocketResponse().can_prepare(request):
            return web.Response(status=426, text="a WebSocket is wanted here\n", headers={"Upgrade": "websocket"})
        if (refusal := await self._access.refuse(request)) is not None:
            return refusal
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
        socket = P2PSocket(ws, self._limits, guest.outbox, request.transport)
        ws.refuse = partial(self._refuse, socket)
        try:
            if self._stopping:
                return web.Response(status=503, text="the coordinator is stopping\n")
            await ws.prepare(request)
            await self._serve(ws, socket, request, guest)
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

    def settle(self) -> int:
        """Carry out what the core wants, and set its timer. To be called after anything that was asked of the core from elsewhere.

        Returns how much that was; see :mod:`coordinator.p2p.io.turns`.
        """
        deliveries = 0
        while outputs := self._core.outputs():  # closing a slow peer makes more
            for output in outputs:
                deliveries += self._perform(output)
        self._set_timer()
        return deliveries

    def dismiss(self, whom: Dismiss) -> None:
        """Close those who came in with such a token."""
        for key in [key for key, claims in self._bearers.items() if whom.concerns(claims)]:
            self._drop(key, WSCloseCode.POLICY_VIOLATION, whom.code.reason)
        self.settle()

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
            return 0
        match output:
            case Send():
                if not socket.send(output.data):
                    self._drop(output.key, WSCloseCode.TRY_AGAIN_LATER, "too slow: too much waits for it")
                return price(len(output.data))
            case Close():
                del self._sockets[output.key]
                socket.close(output.code, output.reason)
                return 1

    async def _serve(self, ws: MeteredWebSocket, socket: P2PSocket, request: web.Request, guest: Guest) -> None:
        key = next(self._keys)
        self._sockets[key] = socket
        if (claims := self._access.claims(request)) is not None:
            self._bearers[key] = claims
        self._core.connected(key, guest.account, self.now())
        self.settle()
        reader = asyncio.create_task(self._read(ws, key, guest), name=f"{self._name}-reader")
        writer = asyncio.create_task(socket.write(), name=f"{self._name}-writer")
        expiry = self._end_with_token(key, self._access.expires_at(request))
        if self._access.is_revoked(request):  # while the upgrade was on its way
            self._drop(key, WSCloseCode.POLICY_VIOLATION, Code.TOKEN_REVOKED.reason)
            self.settle()
        try:
            await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if expiry is not None:
                expiry.cancel()
            self._bearers.pop(key, None)
            if self._sockets.pop(key, None) is not None:
                self._core.left(key, self.now())
                self._access.turns.charge(guest, self.settle())
            await stopped(reader)
            await stopped(writer)
        with contextlib.suppress(ConnectionError):
            await socket.shake_hands()

    async def _read(self, ws: MeteredWebSocket, key: int, guest: Guest) -> None:
        bucket = TokenBucket(self._limits.messages_per_s, self._limits.messages_burst, self.now())
        while True:
            message = await ws.receive()
            if message.type not in _HEARD:
                return
            await self._access.turns.take(guest, partial(self._hear, ws, key, message))
            if message.type is WSMsgType.PING:
                await ws.pong(message.data)
            now = self.now()
            bucket.charge(now, 1)
            if bucket.in_debt(now):
                await asyncio.sleep(1 / self._limits.messages_per_s)

    def _hear(self, ws: MeteredWebSocket, key: int, message: WSMessageNoDecodeText) -> int:
        """Let the core have it, and bring everybody what follows from it. Returns what that cost."""
        if message.type in (WSMsgType.PING, WSMsgType.PONG):
            return 1
        deliveries = 0
        if key in self._sockets:
            try:
                data = message.data.decode() if message.type is WSMsgType.TEXT else message.data
            except UnicodeDecodeError:
                self._drop(key, WSCloseCode.INVALID_TEXT, "a text that is not UTF-8")
            else:
                self._core.received(key, data, self.now())
            deliveries = self.settle()
        return max(deliveries, price(len(message.data)), ws.handled() // _FRAMES_A_DELIVERY)

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
        self.settle()

    def _drop(self, key: int, code: int, reason: str) -> None:
        """Close a socket that the core would have kept."""
        socket = self._sockets.pop(key, None)
        if socket is None:
            return
        log.info("closed a %s peer: %s", self._name, reason)
        socket.close(code, reason, drop=True)
        self._core.left(key, self.now())  # what follows from it is carried out by whoever called this

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
