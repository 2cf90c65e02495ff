"""The WebSocket of one peer: judged before the upgrade, one writer, every end with a code.

Reading is a loop in the handler; writing is one task that takes frames from the core's outbox, so a peer that does not read blocks
only its own writer while its outbox fills up to its mark. Closing never waits for such a peer: CUT_S later the connection is cut. What
is not whole counts on the account of the peer's address.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aiohttp import WSMsgType, web

from coordinator.core import admission as rules
from coordinator.core.admission import Admission, Refusal
from coordinator.core.guests import Guests
from coordinator.io.bounded import BoundedWebSocket
from coordinator.io.door import REQUEST_ID_HEADER, Door, is_page, request_id_of
from coordinator.io.driver import Driver
from protocol.codes import Code
from protocol.errors import TokenError
from protocol.limits import MAX_SIGNAL_BYTES
from protocol.text import cut
from protocol.tokens import Claims, TokenRole, anonymous
from service.auth import Authenticator

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 2.0
"""For our close frame to leave and the peer's to come (RFC 6455 section 7.1.1)."""

CUT_S = CLOSE_TIMEOUT_S + 0.5
"""After that a connection that should be closed is cut. A peer that does not read never takes the close frame, nor lets buffers empty."""

WRITE_AHEAD_BYTES = 16 * 1024
"""Handed to the network ahead of the peer's reading; the rest waits in the outbox, where it is counted."""

MAX_REASON_BYTES = 123
"""Of a close frame (RFC 6455 section 5.5)."""

MAX_FRAME_BYTES = 2 * MAX_SIGNAL_BYTES
"""Up to here an oversized frame is read and answered with our own code; above, aiohttp closes with 1009 without reading it."""


def close_reason(text: str) -> bytes:
    """A sentence as a close frame holds it."""
    return cut(text, MAX_REASON_BYTES).encode()


class PeerSocket:
    """One upgraded WebSocket, from its first frame to its last."""

    def __init__(self, ws: BoundedWebSocket, driver: Driver, transport: asyncio.Transport | None) -> None:
        """`ws` is not prepared yet: something may come together with the request."""
        self._ws = ws
        self._driver = driver
        self._transport = transport
        self._key = 0
        self._refused: tuple[Code, str] | None = None
        ws.refuse = self._refuse
        self._wanted = asyncio.Event()  # the writer has something to do
        self._ping_wanted = False
        self._pong_wanted: bytes | None = None
        """What the newest ping said; those before it need no answer (RFC 6455 section 5.5.3)."""
        self._writer: asyncio.Task[None] | None = None
        self._closer: asyncio.Task[None] | None = None

    async def run(self, admission: Admission) -> None:
        """Serve the peer until its socket is gone."""
        self._writer = asyncio.create_task(self._write(), name="peer-writer")
        self._key = self._driver.joined(self, admission)
        if self._refused is not None:
            self._refuse(*self._refused)
        try:
            await self._read()
        finally:
            self._driver.left(self._key)
            if self._closer is not None:
                await self._ended(self._closer)
            # Not earlier: closer and writer may wait for the same buffer, and aiohttp lets a cancellation of one end both.
            self._writer.cancel()
            await self._ended(self._writer)
            self._cut_later()

    def wake(self) -> None:
        """Frames can be taken."""
        self._wanted.set()

    def ping(self) -> None:
        """Send a ping, when what is before it has left."""
        self._ping_wanted = True
        self._wanted.set()

    def close(self, code: int, reason: str) -> None:
        """Close with a code. Idempotent."""
        if self._closer is None:
            self._closer = asyncio.create_task(self._shut(code, reason), name="peer-closer")
            self._cut_later()

    def _refuse(self, code: Code, reason: str) -> None:
        """Nothing more is taken of what it sends."""
        self._refused = code, reason
        if self._key:
            self._driver.misframed(self._key, reason, code)

    async def _read(self) -> None:
        """Waits for nothing but the next message: what is whole is never kept here."""
        while True:
            message = await self._ws.receive()
            if message.type is WSMsgType.BINARY:
                self._driver.frame(self._key, message.data)
            elif message.type is WSMsgType.TEXT:
                self._driver.misframed(self._key, "text frames are not part of this protocol")
            elif message.type is WSMsgType.PING:
                self._driver.heard(self._key)
                self._pong_wanted = message.data
                self._wanted.set()
            elif message.type is WSMsgType.PONG:
                self._driver.heard(self._key)
            else:  # CLOSE, CLOSING, CLOSED, ERROR
                return

    async def _write(self) -> None:
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                if self._ping_wanted:
                    self._ping_wanted = False
                    await self._ws.ping()
                if self._pong_wanted is not None:
                    data, self._pong_wanted = self._pong_wanted, None
                    await self._ws.pong(data)
                while (frame := self._driver.take(self._key)) is not None:
                    await self._ws.send_bytes(frame)
        except ConnectionError:
            pass  # the reader finds the same, and ends the peer

    async def _shut(self, code: int, reason: str) -> None:
        await self._ws.close(code=code, message=close_reason(reason))

    def _cut_later(self) -> None:
        if self._transport is not None:
            asyncio.get_running_loop().call_later(CUT_S, self._transport.abort)

    @staticmethod
    async def _ended(task: asyncio.Task[None]) -> None:
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)


class PeerEndpoint:
    """The handler of ``/connect`` and ``/discover``."""

    def __init__(
        self,
        driver: Driver,
        authenticator: Authenticator,
        door: Door,
        accounts: Guests,
        address: Callable[[web.Request], str],
    ) -> None:
        """`accounts` of those whom `address` says that a request comes from: what they have begun to say."""
        self._driver = driver
        self._authenticator = authenticator
        self._door = door
        self._accounts = accounts
        self._address = address

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Admit the peer or refuse it; then serve it until it goes."""
        if (answer := self._door.turn_away(request, web.WebSocketResponse())) is not None:
            return answer
        verdict = await self._admit(request)
        if isinstance(verdict, Refusal) and not is_page(request):
            return self._door.refuse(request, verdict)
        ws = self._socket(request)
        ws.headers[REQUEST_ID_HEADER] = request_id_of(request)
        try:
            return await self._serve(request, ws, verdict)
        finally:
            ws.release()

    def _socket(self, request: web.Request) -> BoundedWebSocket:
        now = self._driver.now
        account = self._accounts.guest(self._address(request), now()).account
        return BoundedWebSocket(
            account, now, timeout=CLOSE_TIMEOUT_S, max_msg_size=MAX_FRAME_BYTES, writer_limit=WRITE_AHEAD_BYTES
        )

    async def _serve(self, request: web.Request, ws: BoundedWebSocket, verdict: Admission | Refusal) -> web.StreamResponse:
        socket = PeerSocket(ws, self._driver, request.transport)
        try:
            await ws.prepare(request)
        except ConnectionError:
            log.debug("a peer was gone before its upgrade was answered")
            return web.Response(status=400)  # which nobody reads; a socket that was never prepared cannot be ended
        if isinstance(verdict, Refusal):
            await self._tell(request, ws, verdict)
        else:
            await socket.run(verdict)
        return ws

    async def _tell(self, request: web.Request, ws: BoundedWebSocket, refusal: Refusal) -> None:
        """Refuse a page, which cannot read the answer to its upgrade, where it can read: in the close frame."""
        self._door.note(request, refusal)
        if request.transport is not None:
            asyncio.get_running_loop().call_later(CUT_S, request.transport.abort)
        with contextlib.suppress(ConnectionError):
            await ws.close(code=int(refusal.code), message=close_reason(refusal.detail))

    async def _admit(self, request: web.Request) -> Admission | Refusal:
        role = rules.wanted_role(request.path, request.query)
        if isinstance(role, Refusal):
            return role
        wish = rules.alias_wish(request.query)
        if isinstance(wish, Refusal):
            return wish
        claims = await self._claims(request, role)
        if isinstance(claims, Refusal):
            return claims
        verdict = rules.admit(role, claims, part2=request.query.get("v") == "2", wish=wish, request_id=request_id_of(request))
        if isinstance(verdict, Refusal):
            return verdict
        if (problem := self._driver.problem()) is not None:
            return Refusal(503, Code.COORDINATOR_STOPPING, problem)
        if not self._driver.core.has_room(role):
            return Refusal(503, Code.SERVER_FULL, "the coordinator has no room for another peer of this role")
        return verdict

    async def _claims(self, request: web.Request, role: TokenRole) -> Claims | Refusal:
        if not self._authenticator.enabled:
            return anonymous(role)
        token = rules.bearer_token(request.query, request.headers.get("Authorization"))
        if not token:
            return rules.NO_TOKEN
        try:
            return await self._authenticator.verify_patiently(token)
        except TokenError as error:
            return rules.refused_token(error)
