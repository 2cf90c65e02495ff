"""AppRTC on a cluster that wants tokens: where they are asked for, where they are kept, and what stands for them elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from coordinator.core.guests import Guests
from tests.integration.coordinator.conftest import CLOCK, token
from tests.support.apprtc_site import ROOM_SERVER, SAID, Site, apprtc_site, end_of, text_of

Opened = Callable[..., Awaitable[Site]]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """`await opened(option=..)`: a site, until the end of the test."""
    async with AsyncExitStack() as stack:

        async def make(**options: Any) -> Site:
            return await stack.enter_async_context(apprtc_site(CLOCK, **options))

        yield make


async def test_a_token_is_wanted_and_kept(opened: Opened) -> None:
    site = await opened(auth=True)
    query = f"?access_token={token()}"
    for method, path in [
        ("GET", "/"),
        ("GET", "/r/room"),
        ("GET", "/params"),
        ("POST", "/join/room"),
        ("POST", "/message/room/1"),
        ("POST", "/v1alpha/iceconfig"),
    ]:
        assert (await site.ask(method, path)).status == 401
        assert (await site.ask(method, f"{path}?access_token=nonsense")).status == 401
        assert (await site.ask(method, f"{path}{query}")).status == 200
    params = await site.join("another", query)
    assert params["room_link"] == f"{site.url}/apprtc/r/another{query}"
    assert (await site.get(params["room_link"])).status == 200
    assert (await site.post(params["ice_server_url"])).json == {"iceServers": []}
    await site.register(params)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await site.dial()


async def test_a_whole_call_with_a_token_where_clients_have_a_query(opened: Opened) -> None:
    site = await opened(auth=True)
    query = f"?access_token={token()}"
    caller = await site.join("room", query)
    socket = await site.register(caller)
    callee = await site.join("room", query)
    path = f"{callee['wss_post_url']}/room/{callee['client_id']}"
    assert (await site.post(path, "answer")).body == "OK\n"
    assert await text_of(socket) == '{"msg":"answer","error":""}\n'
    other = await site.register(callee)
    for client in (caller, callee):
        assert (await site.post(f"/leave/room/{client['client_id']}")).status == 200
    assert site.service.room_server.members == 0
    await other.close()
    assert await site.ask("DELETE", path) == (200, SAID, "OK\n")
    assert site.service.collider.members == 1, "the caller's socket is still there"
    assert (await site.post(f"{caller['wss_post_url']}/bye/room/{caller['client_id']}")).body == "OK\n"
    assert await end_of(socket) == (1000, "")


async def test_ids_that_nobody_was_told_prove_nothing(opened: Opened) -> None:
    site = await opened(auth=True)
    query = f"?access_token={token()}"
    refused = await site.post(f"{site.collider}/room/1", "m")
    assert refused.status == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    assert (await site.post(f"{site.collider}/room/1{query}", "m")).body == "OK\n"
    await site.join("room", f"{query}&debug=loopback")
    for method, url in [
        ("POST", f"{site.collider}/room/1"),
        ("DELETE", f"{site.collider}/room/1"),
        ("POST", f"{site.collider}/bye/room/1"),
        ("POST", f"{site.collider}/room/LOOPBACK_CLIENT_ID"),
        ("POST", f"{site.collider}/bye/room/LOOPBACK_CLIENT_ID"),
        ("POST", f"{site.url}/apprtc/leave/room/LOOPBACK_CLIENT_ID"),
        ("POST", f"{site.url}/apprtc/bye/room/LOOPBACK_CLIENT_ID"),
    ]:
        assert (await site.ask(method, url, "m")).status == 401
    assert (site.service.room_server.members, site.service.collider.members) == (2, 1)
    assert (await site.ask("DELETE", f"{site.collider}/room/1{query}")).status == 200
    assert (await site.post(f"/leave/room/LOOPBACK_CLIENT_ID{query}")).status == 200
    assert (site.service.room_server.members, site.service.collider.members) == (1, 0)


async def test_who_is_unknown_is_answered_as_ever(opened: Opened) -> None:
    site = await opened(auth=True)
    assert await site.post("/leave/room/12345678") == (200, ROOM_SERVER, "")
    assert await site.post("/bye/room/12345678") == (200, ROOM_SERVER, "")
    assert await site.ask("DELETE", f"{site.collider}/room/12345678") == (200, SAID, "OK\n")
    assert (await site.get(f"{site.collider}/status")).status == 200
    assert (await site.post("/a/", "{}")).status == 200
    assert (await site.ask("OPTIONS", f"{site.collider}/room/12345678")).status == 200


async def test_open_to_everyone_although_the_cluster_is_not(opened: Opened) -> None:
    site = await opened(auth=True, is_open=True)
    params = await site.join()
    assert "access_token" not in params["wss_url"]
    await site.register(params)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/apprtc/params"), ("POST", "/apprtc/leave/a/1"), ("POST", "/apprtc/a/"), ("GET", "/collider/status")]
    + [(method, f"/collider/{path}") for method, path in (("POST", "a/1"), ("DELETE", "a/1"), ("PUT", "a/1"), ("GET", "x"))],
)
async def test_too_many_requests_of_one_address(opened: Opened, method: str, path: str) -> None:
    site = await opened(guests=Guests(100, 0.001, 2))
    for status in (False, False, True):
        assert ((await site.ask(method, f"{site.url}{path}", "m")).status == 429) is status
