"""Bodies of requests, over real sockets: whole, too long, too slow, broken."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from coordinator.p2p.io import bodies
from coordinator.p2p.io.bodies import read_body
from tests.integration.coordinator.conftest import PATIENCE_S
from tests.support.poll import until

MAX = 100_000


class Site:
    """Says how long a body was."""

    def __init__(self) -> None:
        self.port = 0
        self.began = 0
        self.ended: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.began += 1
        try:
            body = await read_body(request, MAX)
        except web.HTTPException as refusal:
            self.ended.append(str(refusal.status))
            raise
        self.ended.append("whole")
        return web.Response(text=str(len(body)))

    async def ask(self, *lines: str, data: bytes = b"") -> str:
        """The first line of the answer, and its body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write("\r\n".join(["POST / HTTP/1.1", "Host: a", *lines, "", ""]).encode() + data)
            async with asyncio.timeout(PATIENCE_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"Content-Length: (\d+)", head)
                assert length is not None
                text = (await reader.readexactly(int(length[1]))).decode()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        return f"{head.splitlines()[0]} | {text}"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.add_routes([web.post("/", made.handle)])
    # Or what a refused client still sends would be read for some seconds, in a task that outlives its connection.
    runner = web.AppRunner(app, lingering_time=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    await asyncio.wait_for(runner.cleanup(), PATIENCE_S)


@pytest.mark.parametrize("size", [0, 1, MAX])
async def test_a_whole_body(site: Site, size: int) -> None:
    answer = await site.ask(f"Content-Length: {size}", data=b"x" * size)
    assert answer == f"HTTP/1.1 200 OK | {size}"


async def test_one_that_says_it_is_too_long_is_not_read(site: Site) -> None:
    answer = await site.ask(f"Content-Length: {MAX + 1}")
    assert answer == f"HTTP/1.1 413 Request Entity Too Large | at most {MAX} bytes are taken here\n"


async def test_one_that_is_too_long_is_not_read_to_its_end(site: Site) -> None:
    chunk = b"%x\r\n" % (MAX + 1) + b"x" * (MAX + 1) + b"\r\n"
    answer = await site.ask("Transfer-Encoding: chunked", data=chunk)
    assert answer.startswith("HTTP/1.1 413 ")


async def test_one_that_is_small_only_while_it_is_zipped(site: Site) -> None:
    body = gzip.compress(b"x" * (MAX + 1))
    answer = await site.ask("Content-Encoding: gzip", f"Content-Length: {len(body)}", data=body)
    assert answer.startswith("HTTP/1.1 413 ")


async def test_one_that_does_not_come(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.05)
    answer = await site.ask("Content-Length: 2", data=b"x")
    assert answer == "HTTP/1.1 408 Request Timeout | the body did not come within 0.05 s\n"


async def test_one_that_is_broken(site: Site) -> None:
    answer = await site.ask("Content-Encoding: gzip", "Content-Length: 7", data=b"nothing")
    assert answer.startswith("HTTP/1.1 400 ")


async def test_a_client_that_goes_before_it_has_said_all(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        await until(lambda: site.began == 1, PATIENCE_S, "the request is being handled")
        writer.close()
        await writer.wait_closed()
        await until(lambda: site.ended == ["400"], PATIENCE_S, "reading ends")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
