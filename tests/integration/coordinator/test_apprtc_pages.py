"""The files of the call pages over real HTTP, below a prefix and at the root."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from coordinator.io.pages import STATIC
from coordinator.p2p.io.apprtc_pages import FOLDER, AppRtcPages
from service.http import start_site

SERVED = sorted(
    path.relative_to(STATIC / FOLDER).as_posix()
    for path in (STATIC / FOLDER).rglob("*")
    if path.is_file() and path.suffix != ".html"
)


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    pages = AppRtcPages()
    app = web.Application()
    app.add_routes([*pages.routes(""), *pages.routes("/apprtc")])
    runner, port = await start_site(app, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


@pytest.mark.parametrize("prefix", ["", "/apprtc"])
async def test_every_file_is_served_below_each_prefix(origin: str, prefix: str) -> None:
    assert {"js/home.js", "js/call.js", "js/full.js", "css/style.css", "images/icon.svg", "robots.txt"} <= set(SERVED)
    async with aiohttp.ClientSession() as session:
        for name in SERVED:
            async with session.get(f"{origin}{prefix}/{name}") as response:
                assert response.status == 200, name
                assert await response.read() == (STATIC / FOLDER / name).read_bytes()
                assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
                assert response.headers["Content-Type"] != "application/octet-stream", name
                tag = response.headers["ETag"]
            async with session.get(f"{origin}{prefix}/{name}", headers={"If-None-Match": tag}) as response:
                assert response.status == 304


@pytest.mark.parametrize(
    "name", ["home.html", "call.html", "js/", "js/nothing.js", "js/../call.html", "css/%2e%2e/home.html", "images/../js"]
)
async def test_nothing_else_is_served(origin: str, name: str) -> None:
    async with aiohttp.ClientSession() as session:
        for prefix in ("", "/apprtc"):
            async with session.get(f"{origin}{prefix}/{name}") as response:
                assert response.status == 404
