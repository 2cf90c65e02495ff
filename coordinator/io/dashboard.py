"""The dashboard's WebSocket, ``/dashboard/live``: a token in, then the state of the cluster once a second.

A page cannot set headers on a WebSocket, and what stands in a URL gets into histories and logs; so the token comes in the first frame,
``{"token": ".."}``, and nothing is told before it has been verified to be of an administrator. Where the cluster runs without
authentication the first frame is ``{}``. That is all a viewer ever sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiohttp import WSMessage, WSMsgType, web

from coordinator.core.admission import Refusal
from coordinator.core.feed import INTERVAL_S
from coordinator.core.guests import group_of
from coordinator.core.outputs import Dismiss
from coordinator.io.door import Door
from coordinator.io.driver import Driver
from coordinator.io.frames import Frames
from coordinator.io.tasks import stopped
from coordinator.io.websocket import CLOSE_TIMEOUT_S, CUT_S, WRITE_AHEAD_BYTES, close_reason
from coordinator.p2p.core.counts import PeerToPeerStats
from protocol.codes import Code, describe
from protocol.errors import TokenError
from protocol.limits import KIB, MAX_TOKEN_BYTES
from protocol.tokens import Claims, TokenRole, anonymous
from service.auth import Authenticator

log = logging.getLogger(__name__)

LIVE_PATH = "/dashboard/live"

MAX_VIEWERS = 32
"""Who looks at once. Each costs a frame a second, some KiB."""

MAX_WAITING = 32
"""Sockets that have not shown a token yet. Counted apart, and a newcomer takes the place of one of the address that holds most, so that
strangers cannot keep administrators out."""

TOKEN_TIMEOUT_S = 5.0
"""For the first frame to come."""

SEND_TIMEOUT_S = 10.0
"""For one frame to leave; a viewer that is slower has gone or will never catch up."""

PING_INTERVAL_S = 10.0
"""A viewer that does not answer within half of it is gone."""

MAX_FRAME_BYTES = MAX_TOKEN_BYTES + KIB


@dataclass(frozen=True, slots=True)
class End:
    """What a viewer is closed with."""

    code: Code
    reason: str = ""


class Viewer:
    """One socket, from its upgrade to its end."""

    def __init__(self, ws: web.WebSocketResponse, dashboard: Dashboard) -> None:
        self._ws = ws
        self._dashboard = dashboard
        self._end: asyncio.Future[End | None] = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()

    async def run(self) -> End | None:
        """Serve it to its end; None when it went by itself."""
        serving = asyncio.create_task(self._serve(), name="dashboard-viewer")
        try:
            await asyncio.wait([serving, self._end], return_when=asyncio.FIRST_COMPLETED)
            if self._end.done():
                return self._end.result()
            error = serving.exception()
            if error is None:
                return serving.result()
            return None if isinstance(error, ConnectionError) else End(Code.INTERNAL)
        finally:
            await stopped(serving)

    def wake(self) -> None:
        """There is a new state."""
        self._news.set()

    def finish(self, end: End | None) -> None:
        """Close it; the first reason counts."""
        if not self._end.done():
            self._end.set_result(end)

    async def _serve(self) -> End | None:
        try:
            claims = await self._admitted()
        except TokenError as error:
            return End(error.code, error.detail)
        if claims is None:
            return None
        if not self._dashboard.seat(self, claims):
            return End(Code.SERVER_FULL, f"{MAX_VIEWERS} dashboards are open already")
        reader = asyncio.create_task(self._read(), name="dashboard-reader")
        try:
            async with asyncio.timeout(max(0.0, claims.expires_at - self._dashboard.now()) if claims.subject else None) as life:
                return await self._show()
        except TimeoutError:
            return End(Code.TOKEN_EXPIRED) if life.expired() else End(Code.SLOW_CONSUMER)
        finally:
            await stopped(reader)

    async def _admitted(self) -> Claims | None:
        """Who it is, from its first frame; None when it went instead. Raises :class:`TokenError`."""
        try:
            message = await self._ws.receive(timeout=TOKEN_TIMEOUT_S)
        except TimeoutError:
            raise TokenError(Code.AUTH_TIMEOUT, f"no token came within {TOKEN_TIMEOUT_S:g} s") from None
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            return await self._dashboard.claims(token_of(message))
        return None

    async def _show(self) -> End | None:
        frames = self._dashboard.frames
        text, told = frames.hello()
        while True:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._ws.send_str(text)
            await self._news.wait()
            self._news.clear()
            text, told = frames.state(told)

    async def _read(self) -> None:
        message = await self._ws.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self.finish(End(Code.UNEXPECTED_MESSAGE))
        else:
            self.finish(None)


class Dashboard:
    """The handler of :data:`LIVE_PATH`, and the one clock that all viewers see."""

    def __init__(
        self,
        driver: Driver,
        authenticator: Authenticator,
        door: Door,
        p2p: Callable[[], Iterable[PeerToPeerStats]] = tuple,
        address: Callable[[web.Request], str] = lambda request: request.remote or "",
    ) -> None:
        """`address`: where a request comes from."""
        self._authenticator = authenticator
        self._door = door
        self._address = address
        self._waiting: dict[Viewer, str] = {}
        """Their addresses, the oldest first."""
        self._seated: dict[Viewer, Claims] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._stopping = False
        self.now = driver.now
        self.frames = Frames(driver.core, driver.now, p2p)

    @property
    def viewers(self) -> int:
        """Who is shown the cluster just now."""
        return len(self._seated)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve a viewer until it goes."""
        ws = web.WebSocketResponse(
            timeout=CLOSE_TIMEOUT_S,
            heartbeat=PING_INTERVAL_S,
            compress=False,
            max_msg_size=MAX_FRAME_BYTES,
            writer_limit=WRITE_AHEAD_BYTES,
        )
        if (answer := self._door.turn_away(request, ws)) is not None:
            return answer
        if self._stopping:
            return self._door.refuse(request, Refusal(503, Code.COORDINATOR_STOPPING, Code.COORDINATOR_STOPPING.reason))
        try:
            await ws.prepare(request)
        except ConnectionError:
            return web.Response(status=400)  # which nobody reads
        viewer = Viewer(ws, self)
        self._make_room()
        self._waiting[viewer] = group_of(self._address(request))
        try:
            end = await viewer.run()
        finally:
            self._waiting.pop(viewer, None)
            self._seated.pop(viewer, None)
            if request.transport is not None:  # a viewer that does not read never takes the close frame
                asyncio.get_running_loop().call_later(CUT_S, request.transport.abort)
        if end is not None:
            log.info("a dashboard at %s is closed: %s", request.remote, describe(end.code))
            with contextlib.suppress(ConnectionError):
                await ws.close(code=int(end.code), message=close_reason(end.reason or end.code.reason))
        return ws

    async def claims(self, token: str) -> Claims:
        """Whose token that is. Raises :class:`TokenError` for one that does not open this door."""
        if not self._authenticator.enabled:
            return anonymous(TokenRole.ADMIN)
        if not token:
            raise TokenError(Code.AUTH_FAILED, "a token of an administrator is needed")
        claims = await self._authenticator.verify_patiently(token)
        if claims.role is not TokenRole.ADMIN:
            raise TokenError(Code.WRONG_ROLE, f"the token's role is {claims.role}, {TokenRole.ADMIN} is needed here")
        return claims

    def dismiss(self, whom: Dismiss) -> None:
        """Close those who came in with such a token."""
        for viewer, claims in self._seated.items():
            if whom.concerns(claims):
                viewer.finish(End(whom.code))

    def seat(self, viewer: Viewer, claims: Claims) -> bool:
        """Give a viewer that may look its place; False when all are taken."""
        self._waiting.pop(viewer, None)
        if len(self._seated) >= MAX_VIEWERS:
            return False
        self._seated[viewer] = claims
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick(), name="dashboard-ticker")
        elif self.frames.is_there():
            viewer.wake()
        return True

    async def close(self) -> None:
        """Close all viewers with COORDINATOR_STOPPING. Idempotent."""
        self._stopping = True
        for viewer in (*self._waiting, *self._seated):
            viewer.finish(End(Code.COORDINATOR_STOPPING))
        if self._ticker is not None:
            await stopped(self._ticker)

    def _make_room(self) -> None:
        """Close the oldest of those that wait, of the address that has most of them, where too many do."""
        if len(self._waiting) < MAX_WAITING:
            return
        crowd, _ = Counter(self._waiting.values()).most_common(1)[0]
        oldest = next(viewer for viewer, address in self._waiting.items() if address == crowd)
        del self._waiting[oldest]
        oldest.finish(End(Code.SERVER_FULL, "too many dashboards are coming at once"))

    async def _tick(self) -> None:
        try:
            while self._seated:
                self.frames.renew()
                for viewer in self._seated:
                    viewer.wake()
                await asyncio.sleep(INTERVAL_S)
        except Exception:
            log.exception("the dashboard's picture could not be made")
            for viewer in self._seated:
                viewer.finish(End(Code.INTERNAL))
        finally:
            self._ticker = None
            self.frames.forget()


def token_of(message: WSMessage) -> str:
    """The token in a first frame, empty where there is none. Raises :class:`TokenError` for a frame that is not such an object."""
    try:
        document = json.loads(message.data)
    except (ValueError, RecursionError):
        document = None
    token = document.get("token", "") if isinstance(document, dict) else None
    if not isinstance(token, str):
        raise TokenError(Code.BAD_MESSAGE, 'the first frame is not {"token": ".."}')
    return token
