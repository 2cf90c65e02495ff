"""Comm servers in this process, on real sockets of the loopback, and a stand-in for their coordinator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from commserver.app import CommServer
from commserver.settings import CommServerSettings
from protocol.tokens import TokenRole, sign
from service.clock import Clock
from service.settings import load
from tests.support.exchange import PATIENCE_S, Exchange, RawClient
from tests.support.forge import SECRET, SECRET_KEY
from tests.support.poll import until

Start = Callable[..., Awaitable[CommServer]]
NewClient = Callable[[], RawClient]


def settings(exchange: Exchange, **changes: Any) -> CommServerSettings:
    """Settings of a comm server on free ports of the loopback."""
    given = {
        "coordinator": exchange.url,
        "auth_secret": SECRET.decode(),
        "bind": ["127.0.0.1"],
        "port": 0,
        "udp_port": 0,
        "drain_seconds": 2.0,
    }
    return load(CommServerSettings, {**given, **changes})


def token(
    subject: str = "alice",
    role: TokenRole = TokenRole.CLIENT,
    lifetime_s: float = 60.0,
    publish: Sequence[str] = ("**",),
    subscribe: Sequence[str] = ("**",),
) -> str:
    """A token that is granted everything, unless said otherwise."""
    return sign(
        SECRET_KEY, subject=subject, role=role, now=Clock().now(), lifetime_s=lifetime_s, publish=publish, subscribe=subscribe
    )


def alias_of(server: CommServer) -> int:
    """As the coordinator gave it; 0 until then."""
    return server.broker._state.alias


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    exchange = Exchange()
    await exchange.start()
    yield exchange
    await exchange.stop()


@pytest.fixture
async def start(exchange: Exchange) -> AsyncIterator[Start]:
    """Starts a comm server and waits until the coordinator knows it."""
    servers: list[CommServer] = []

    async def start(*, wait: bool = True, **changes: Any) -> CommServer:
        server = await CommServer.start(settings(exchange, **changes))
        servers.append(server)
        if wait:
            await until(lambda: alias_of(server), PATIENCE_S, "the server is known to its coordinator")
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def client(exchange: Exchange) -> AsyncIterator[NewClient]:
    """Makes raw clients."""
    clients: list[RawClient] = []

    def new() -> RawClient:
        clients.append(RawClient(exchange.url))
        return clients[-1]

    yield new
    for one in clients:
        await one.close()
