"""The WebSocket to the coordinator: dialed once, read by one task, written by another, ended by whichever comes first."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl as tls
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import aiohttp

from protocol.codes import Code
from protocol.errors import ConfigError
from protocol.limits import MAX_SIGNAL_BYTES
from rtcbroker.core import events
from service.urls import host_of, split_urls

logger = logging.getLogger(__name__)

CONNECT_PATH = "/connect"

MAX_OUTGOING = 256
"""Frames waiting for the socket. A join sends about ten; more waiting than this means that the coordinator does not read."""

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}

MAX_REFUSAL_BYTES = 2_048
"""Of an answer that is no WebSocket: room for our coordinator's JSON, not for a proxy's page."""

CLOSE_TIMEOUT_S = 1.0
"""For the coordinator to answer our close frame."""


def connect_url(url: str) -> str:
    """The URL of a coordinator as it is dialed: ``/connect`` behind what was given. Raises :class:`ConfigError`."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _SCHEMES and bool(parts.hostname) and "," not in parts.netloc and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not match
        valid = False
    if not valid:
        raise ConfigError(f"url: {url[:200]!r} is not the URL of a coordinator, such as ws://localhost:9090")
    path = parts.path.rstrip("/")
    if not path.endswith(CONNECT_PATH):
        path += CONNECT_PATH
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, parts.query, ""))


def connect_urls(urls: str) -> list[str]:
    """One URL or several, separated by commas, as they are dialed. Raises :class:`ConfigError`."""
    return [connect_url(url) for url in split_urls(urls)]


def with_query(url: str, alias: int, resume: str) -> str:
    """Add what the coordinator is told: that we speak Part 2, and the alias we had."""
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("v", "2")]
    if alias:
        query += [("alias", str(alias)), ("resume", resume)]
    return urlunsplit(parts._replace(query=urlencode(query)))


class CoordinatorSocket:
    """One dial, and the socket if it comes to that. Reports by events until :meth:`hang_up`; :class:`events.SocketEnded` is the last."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        token: str,
        report: Callable[[events.Event], None],
        *,
        heartbeat: float,
        ssl: tls.SSLContext | None,
    ) -> None:
        """Dials at once; `heartbeat` in seconds."""
        self._http = http
        self._url = url
        # The header, not the query: URLs end up in the logs of proxies.
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._report: Callable[[events.Event], None] | None = report
        self._heartbeat = heartbeat
        self._ssl = ssl
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue(MAX_OUTGOING)
        self.task = asyncio.get_running_loop().create_task(self._run(), name="coordinator socket")

    def send(self, frame: bytes) -> None:
        """Send a frame after those before it. A socket that takes no more ends."""
        try:
            self._outgoing.put_nowait(frame)
        except asyncio.QueueFull:
            self._end(Code.SLOW_CONSUMER, "the coordinator does not read")
            self.task.cancel()

    def hang_up(self) -> None:
        """Close, or stop dialing; nothing is reported any more, and :attr:`task` ends."""
        self._report = None
        self.task.cancel()

    async def _run(self) -> None:
        try:
            async with self._http.ws_connect(
                self._url,
                headers=self._headers,
                heartbeat=self._heartbeat,
                max_msg_size=MAX_SIGNAL_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
                ssl=True if self._ssl is None else self._ssl,
            ) as socket:
                self._tell(events.SocketOpened())
                writer = asyncio.get_running_loop().create_task(self._write(socket), name="coordinator socket, writing")
                try:
                    await self._read(socket)
                finally:
                    writer.cancel()
                    await asyncio.wait([writer])
        except HttpRefusal as error:
            self._end(error.code, error.reason)
        except aiohttp.ClientResponseError as error:  # its own text has the whole URL
            self._end(Code.LINK_LOST, f"{host_of(self._url)}: HTTP {error.status}: {error.message}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self._end(Code.LINK_LOST, str(error) or type(error).__name__)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        while True:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                self._tell(events.SignalReceived(message.data))
            elif message.type is aiohttp.WSMsgType.CLOSE:
                self._end(message.data or Code.LINK_LOST, str(message.extra or ""))
                return
            elif message.type is not aiohttp.WSMsgType.TEXT:
                self._end(socket.close_code or Code.LINK_LOST, "the coordinator's socket broke")
                return

    async def _write(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        try:
            while True:
                await socket.send_bytes(await self._outgoing.get())
        except (aiohttp.ClientError, OSError) as error:
            logger.debug("the coordinator's socket takes no more: %s", error)  # the reader hears of it too, and tells

    def _tell(self, event: events.Event) -> None:
        if self._report is not None:
            self._report(event)

    def _end(self, code: int, reason: str) -> None:
        report, self._report = self._report, None
        if report is not None:
            report(events.SocketEnded(int(code), reason))


class HttpRefusal(Exception):
    """The coordinator answered with HTTP instead of a WebSocket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


async def check_answer(response: aiohttp.ClientResponse) -> None:
    """Read why a WebSocket was refused while the body is there to be read (aiohttp's own error has only the status).

    For ``aiohttp.ClientSession(raise_for_status=...)``. Raises :class:`HttpRefusal`.
    """
    if response.status >= 400:
        body = await response.content.read(MAX_REFUSAL_BYTES)
        response.close()
        raise HttpRefusal(*refusal(response.status, body))


def refusal(status: int, body: bytes) -> tuple[int, str]:
    """Code and reason of a refusal: what the body says, as our coordinators write it (JSON), or what the status is good for."""
    code: int = {401: Code.AUTH_FAILED, 403: Code.WRONG_ROLE}.get(status, Code.LINK_LOST)
    reason = f"HTTP {status}"
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return code, reason
    if isinstance(told, dict):
        if isinstance(told.get("code"), int) and 4000 <= told["code"] < 5000:
            code = told["code"]
        if isinstance(told.get("reason"), str):
            reason += f": {told['reason'][:200]}"
    return code, reason
