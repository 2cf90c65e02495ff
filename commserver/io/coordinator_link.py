"""The WebSocket to the coordinator, kept for ever: dial, read, write, and dial again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from pathlib import Path

import aiohttp
from yarl import URL

from commserver.core.registration import Registration
from protocol.errors import ConfigError
from protocol.limits import MAX_SIGNAL_BYTES
from service.tls import client_context
from service.urls import Turns, split_urls

log = logging.getLogger(__name__)

OUTBOX_FRAMES = 2_000
"""Frames that may wait for the coordinator to read: one per join in the seconds a busy coordinator may need."""
CONNECT_TIMEOUT_S = 5.0
WELCOME_TIMEOUT_S = 5.0
"""From the open socket to WELCOME; a coordinator that takes longer is dialed again."""
CLOSE_TIMEOUT_S = 2.0
HEARTBEAT_S = 5.0
"""Between WebSocket pings; a coordinator that does not answer for half of it is gone."""


class CoordinatorLink:
    """One socket at a time. Frames come by `on_frame`, its end by `on_lost`; both in the event loop."""

    def __init__(
        self,
        url: str,
        registration: Registration,
        token: Callable[[], str],
        on_frame: Callable[[bytes], None],
        on_lost: Callable[[], None],
        *,
        ca_file: Path | None = None,
    ) -> None:
        """`url` may be several, separated by commas: each dial goes to the next. `ca_file` names whom to trust in place of the system's
        authorities. It is read for each dial: a certificate that is renewed may need another one.
        """
        self._urls = Turns(split_urls(url), random.Random())
        self._registration = registration
        self._token = token
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._ca_file = ca_file
        self._outbox: asyncio.Queue[bytes] | None = None
        self.welcomed = False
        """The coordinator has welcomed us on the present socket."""
        self.connects = 0
        self.dropped = 0
        """Frames dropped because the coordinator was away, or too slow to read them."""

    def send(self, frame: bytes) -> None:
        """Send one frame; without a socket it is dropped, since whoever waits for an answer has a deadline."""
        if self._outbox is None or self._outbox.full():
            self.dropped += 1
            return
        self._outbox.put_nowait(frame)

    async def run(self) -> None:
        """Until cancelled."""
        async with aiohttp.ClientSession() as session:
            while True:
                refused = await self._one_connection(session)
                await asyncio.sleep(self._registration.wait(refused=refused))

    async def _one_connection(self, session: aiohttp.ClientSession) -> bool:
        """Dial and serve one socket to its end; returns whether the coordinator refused us."""
        try:
            socket = await self._dial(session)
        except aiohttp.WSServerHandshakeError as error:
            log.error("the coordinator refuses us: HTTP %d %s", error.status, error.message)
            return error.status in (401, 403)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the coordinator cannot be reached: %s", error or type(error).__name__)
            return False
        except ConfigError as error:
            log.error("the coordinator cannot be dialed: %s", error)
            return False
        self.connects += 1
        self._outbox = asyncio.Queue(OUTBOX_FRAMES)
        writer = asyncio.create_task(self._write(socket, self._outbox), name="coordinator writer")
        try:
            await self._read(socket)
        finally:
            self._outbox, self.welcomed = None, False
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await socket.close()
            log.warning("the coordinator's socket is closed (%s)", socket.close_code)
            self._on_lost()
        return False

    async def _dial(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        token = self._token()
        tls = client_context(self._ca_file)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await session.ws_connect(
                (URL(self._urls.next()) / "discover").update_query(self._registration.query()),
                headers={"Authorization": f"Bearer {token}"} if token else None,
                heartbeat=HEARTBEAT_S,
                max_msg_size=MAX_SIGNAL_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
                ssl=True if tls is None else tls,
            )

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async with asyncio.timeout(WELCOME_TIMEOUT_S) as until_welcome:
                async for message in socket:
                    if message.type is not aiohttp.WSMsgType.BINARY:
                        continue
                    if not self.welcomed and self._registration.frame(message.data):
                        self.welcomed = True
                        until_welcome.reschedule(None)
                        log.info("the coordinator knows us as %d", self._registration.alias)
                    self._on_frame(message.data)
        except TimeoutError:
            log.warning("the coordinator does not welcome us")

    async def _write(self, socket: aiohttp.ClientWebSocketResponse, outbox: asyncio.Queue[bytes]) -> None:
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):  # the reader sees the end too, and says so
            while True:
                await socket.send_bytes(await outbox.get())
