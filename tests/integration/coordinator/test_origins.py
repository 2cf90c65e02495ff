"""Which pages may open a WebSocket: judged before the upgrade, the same at every door."""

from __future__ import annotations

import aiohttp
import pytest

from coordinator.io.dashboard import LIVE_PATH
from protocol.codes import Code
from tests.integration.coordinator.conftest import SERVER_PATH, Running, Start

DOORS = ["/connect", SERVER_PATH, LIVE_PATH]


async def opens(coordinator: Running, path: str, **headers: str) -> bool:
    try:
        socket = await coordinator.dial(path, headers=headers)
    except aiohttp.WSServerHandshakeError as error:
        if error.status != 403:
            raise
        return False
    await socket.close()
    return True


@pytest.mark.parametrize("path", DOORS)
async def test_own_pages_and_programs_come_in_and_others_do_not(start: Start, path: str) -> None:
    coordinator = await start(auth="none")
    assert await opens(coordinator, path)
    assert await opens(coordinator, path, Origin=f"http://127.0.0.1:{coordinator.port}")
    assert await opens(coordinator, path, Origin="https://broker.example", Host="broker.example")
    assert await opens(coordinator, path, Origin="http://[::1]:9090", Host="[::1]:9090")
    for origin in ("http://evil.example", "https://127.0.0.1", f"http://localhost:{coordinator.port}", "null", ""):
        assert not await opens(coordinator, path, Origin=origin)
    for header in ("X-Forwarded-Host", "Forwarded"):
        assert not await opens(coordinator, path, Origin="http://evil.example", **{header: "evil.example"})


@pytest.mark.parametrize("path", DOORS)
async def test_the_operators_list_counts_too(start: Start, path: str) -> None:
    coordinator = await start(auth="none", allowed_origins=["https://app.example.com", "http://localhost:3000"])
    for origin in ("https://app.example.com", "http://localhost:3000", f"http://127.0.0.1:{coordinator.port}"):
        assert await opens(coordinator, path, Origin=origin)
    assert not await opens(coordinator, path, Origin="https://app.example.com:3000")
    everyone = await start(auth="none", allowed_origins="*")
    assert await opens(everyone, path, Origin="null")


async def test_a_page_is_refused_with_a_code_whatever_token_it_has(coordinator: Running) -> None:
    for path in DOORS:
        status, body, _ = await coordinator.refusal(path, headers={"Origin": "http://evil.example", "Authorization": "Bearer x"})
        assert (status, body["code"], body["retry"]) == (403, Code.ORIGIN_REFUSED, "do not retry")
        assert "http://evil.example" in body["reason"]
    assert coordinator.driver.core.stats.refused == {(403, Code.ORIGIN_REFUSED): 3}


async def test_two_origins_are_refused(start: Start) -> None:
    coordinator = await start(auth="none")
    own = f"http://127.0.0.1:{coordinator.port}"
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await coordinator.http.ws_connect("/connect", headers=[("Origin", own), ("Origin", own)])
