"""A cluster behind nginx and behind Caddy, as deploy/ has them: TLS, WebSocket, origins, addresses, and nothing inward."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest

from rtcbroker import Client
from tests.support.cluster import Cluster, cluster
from tests.support.deployment import Tools
from tests.support.proxies import Proxy, caddy, free_port, nginx
from tests.support.talk import heard_by_all

Start = Callable[..., AbstractAsyncContextManager[Proxy]]

COORDINATOR = {"trusted_proxies": "127.0.0.1", "p2p": "nextrtc", "p2p_open": "true", "p2p_sockets_per_address": "1"}
SIGNALING = "/signaling"


@pytest.fixture(params=[pytest.param("nginx", marks=pytest.mark.needs("nginx")), "caddy"])
def start(request: pytest.FixtureRequest) -> Start:
    """Starts that proxy before coordinators on ports."""
    if request.param == "nginx":
        return nginx
    found: Tools = request.getfixturevalue("tools")
    return lambda *ports: caddy(found.folder / "caddy", *ports)


@contextlib.asynccontextmanager
async def behind(start: Start) -> AsyncIterator[tuple[Cluster, Proxy]]:
    """A cluster, and a proxy that believes in a second coordinator, which is down."""
    async with cluster(1, coordinator=COORDINATOR) as made, start(made.coordinator.port, free_port()) as proxy:
        yield made, proxy


def browser(proxy: Proxy, address: str = "127.0.0.1") -> aiohttp.ClientSession:
    """Someone at that address of the loopback."""
    connector = aiohttp.TCPConnector(ssl=proxy.trust(), local_addr=(address, 0))
    return aiohttp.ClientSession(f"https://localhost:{proxy.port}", connector=connector)


async def status(session: aiohttp.ClientSession, path: str, **headers: str) -> int:
    async with session.get(path, headers=headers, allow_redirects=False) as response:
        return response.status


@pytest.mark.timeout(300)
async def test_clients_join_and_talk_although_one_coordinator_of_two_is_down(start: Start) -> None:
    async with behind(start) as (made, proxy):
        trust = proxy.trust()
        for _ in range(3):
            async with (
                Client(proxy.url, token=made.token("ann"), ssl=trust) as ann,
                Client(proxy.url, token=made.token("bob"), ssl=trust) as bob,
                bob.subscribe("square") as packets,
            ):
                await heard_by_all(ann, "square", [packets])


@pytest.mark.timeout(300)
async def test_pages_are_shown_and_what_is_for_the_operator_is_not(start: Start) -> None:
    async with behind(start) as (made, proxy), browser(proxy) as session:
        assert await status(session, "/") == 200
        assert await status(session, "/healthz") == 200
        for path in ("/metrics", "/readyz"):
            assert await status(session, path) == 404
            assert (await made.coordinator.page(path))[0] == 200
        async with (
            aiohttp.ClientSession() as plain,
            plain.get(f"http://localhost:{proxy.plain}/", allow_redirects=False) as response,
        ):
            assert response.status in (301, 308)
            assert response.headers["Location"].startswith("https://localhost")


@pytest.mark.timeout(300)
async def test_pages_of_this_site_may_connect_and_those_of_others_may_not(start: Start) -> None:
    """The browser's Host comes through: the coordinator compares it with the page's origin."""
    async with behind(start) as (made, proxy), browser(proxy) as session:
        path = f"/connect?access_token={made.token('ann')}"
        async with session.ws_connect(path, headers={"Origin": f"https://localhost:{proxy.port}"}) as socket:
            assert (await socket.receive(10)).type is aiohttp.WSMsgType.BINARY, "the WELCOME"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(path, headers={"Origin": "https://elsewhere.example"})
        assert refused.value.status == 403


@pytest.mark.timeout(300)
async def test_each_address_counts_for_itself_and_cannot_be_made_up(start: Start) -> None:
    """One socket for an address here, of which a second is refused, whatever it says of itself; another address is another one."""
    async with (
        behind(start) as (_, proxy),
        browser(proxy, "127.0.0.2") as here,
        browser(proxy, "127.0.0.3") as there,
        here.ws_connect(SIGNALING),
        there.ws_connect(SIGNALING),
    ):
        for headers in ({}, {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "203.0.113.9, 127.0.0.1"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await here.ws_connect(SIGNALING, headers=headers)
            assert refused.value.status == 429
