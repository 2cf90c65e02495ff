"""A coordinator on a real port of the loopback, and peers with real sockets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest

from coordinator.app import ANSWERS, DRIVER, build_app
from coordinator.core.guests import Guests
from coordinator.io.driver import Driver
from coordinator.io.pages import STATIC
from coordinator.settings import CoordinatorSettings
from protocol.pb import broker_pb2 as pb
from protocol.signalling import Signal, decode_signal
from protocol.tokens import TokenRole, sign
from service.clock import Clock
from service.http import start_site
from tests.support.forge import SECRET, SECRET_KEY

CLOCK = Clock()
PATIENCE_S = 10.0
M = TypeVar("M")

SERVER_PATH = "/discover?role=COMMUNICATION_SERVER"


def token(subject: str = "alice", role: TokenRole = TokenRole.CLIENT, **changes: Any) -> str:
    """A token the coordinator accepts, but for the changes."""
    return sign(**{"key": SECRET_KEY, "subject": subject, "role": role, "now": CLOCK.now(), "lifetime_s": 60, **changes})


class Peer:
    """A peer's end of a WebSocket, after its WELCOME."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.welcome = pb.WelcomeMessage()

    @property
    def alias(self) -> int:
        return self.welcome.alias

    async def send(self, frame: bytes) -> None:
        await self.socket.send_bytes(frame)

    async def next(self) -> Signal:
        """The next frame."""
        signal = decode_signal(await self.socket.receive_bytes(timeout=PATIENCE_S))
        assert signal is not None
        return signal

    async def expect(self, kind: type[M]) -> M:
        """The next frame, which is of that class."""
        signal = await self.next()
        assert isinstance(signal, kind), signal
        return signal

    async def end(self) -> tuple[int | None, str]:
        """The code and reason the coordinator closes with."""
        message = await self.socket.receive(timeout=PATIENCE_S)
        assert message.type is aiohttp.WSMsgType.CLOSE, message
        return message.data, message.extra or ""

    async def close(self) -> None:
        await self.socket.close()


class Running:
    """One running coordinator."""

    def __init__(self, port: int, driver: Driver, guests: Guests, stop: Callable[[], Awaitable[None]]) -> None:
        self.port = port
        self.driver = driver
        self.guests = guests
        self.stop = stop
        self.http = aiohttp.ClientSession(f"http://127.0.0.1:{port}")
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []
        """One that nobody holds is closed when it is collected, whenever that is."""

    async def dial(self, path: str, query: dict[str, str] | None = None, **options: Any) -> aiohttp.ClientWebSocketResponse:
        """Only the socket."""
        socket: aiohttp.ClientWebSocketResponse = await self.http.ws_connect(path, params=query or {}, **options)
        self._sockets.append(socket)
        return socket

    async def join(self, path: str, text: str, query: dict[str, str], **options: Any) -> Peer:
        """A peer that has its WELCOME."""
        peer = Peer(await self.dial(path, {**({"access_token": text} if text else {}), "v": "2", **query}, **options))
        peer.welcome = await peer.expect(pb.WelcomeMessage)
        return peer

    async def client(self, subject: str = "alice", *, query: dict[str, str] | None = None, **options: Any) -> Peer:
        return await self.join("/connect", token(subject), query or {}, **options)

    async def server(self, subject: str = "server", *, query: dict[str, str] | None = None, **options: Any) -> Peer:
        role = TokenRole.COMMUNICATION_SERVER
        return await self.join("/discover", token(subject, role), {"role": role, **(query or {})}, **options)

    async def refusal(self, path: str, text: str | None = None, **options: Any) -> tuple[int, dict[str, Any], Any]:
        """The answer to a peer that is not let in: status, body, headers."""
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            **options.pop("headers", {}),
        }
        params = {} if text is None else {"access_token": text}
        async with self.http.get(path, params=params, headers=headers, **options) as response:
            return response.status, await response.json(), response.headers


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """`await start(option=..)` runs a coordinator until the end of the test."""
    running: list[Running] = []

    async def start(*, authenticator: Any = None, backplane: Any = None, static: Path = STATIC, **options: Any) -> Running:
        if "auth" not in options:
            options.setdefault("auth_secret", SECRET.decode())
        settings = CoordinatorSettings(host="127.0.0.1", **options)
        app = build_app(
            settings, clock=CLOCK, rng=random.Random(1), authenticator=authenticator, backplane=backplane, static=static
        )
        timeout = settings.stop_timeout
        runner, port = await start_site(app, "127.0.0.1", options.get("port", 0), shutdown_timeout=timeout, outlet=app[ANSWERS])
        running.append(Running(port, app[DRIVER], app[ANSWERS].guests, runner.cleanup))
        return running[-1]

    yield start
    for each in running:
        await each.http.close()
        await asyncio.wait_for(each.stop(), PATIENCE_S)


@pytest.fixture
async def coordinator(start: Start) -> Running:
    """One with default settings."""
    return await start()
