"""What is asked and not answered yet, over real sockets, plain and over TLS: bounded for its address and in time, and taken as it came."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from coordinator.core.guests import Guests
from coordinator.io import answers
from coordinator.io.answers import Answers
from protocol.limits import KIB
from service import connections
from service.http import start_site
from service.tls import server_tls
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S
from tests.support.certificates import put_pair, trusting
from tests.support.p2p_access import access_of, door_of
from tests.support.poll import until

SHARE = 1024 * KIB
HEAD = "POST /{path} HTTP/1.1\r\nHost: a\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Site:
    """`/now` is answered at once with the body that came, `/later` when the test says so."""

    def __init__(self, trust: ssl.SSLContext | None) -> None:
        self.trust = trust
        self.port = 0
        self.may_go = asyncio.Event()
        self.waiting = 0
        self.answers: Answers | None = None

    @property
    def asked(self) -> int:
        """Bytes that count."""
        assert self.answers is not None
        return self.answers.held()["asked"]

    async def now(self, request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def later(self, request: web.Request) -> web.Response:
        self.waiting += 1
        await self.may_go.wait()
        return web.Response(body=b"at last")

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        return socket

    @contextlib.asynccontextmanager
    async def say(self, *pieces: bytes | str) -> AsyncIterator[Streams]:
        name = None if self.trust is None else "localhost"
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trust, server_hostname=name)
        for piece in pieces:
            writer.write(piece.encode() if isinstance(piece, str) else piece)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


@pytest.fixture(params=["plain", "tls"])
async def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    trust = tls = None
    if request.param == "tls":
        put_pair(tmp_path)
        trust, tls = trusting(tmp_path), server_tls(tmp_path / "cert.pem", tmp_path / "key.pem")
    made = Site(trust)
    monkeypatch.setattr(answers, "ASKED_ADDRESS_BYTES", SHARE)
    guests = Guests(100, 0.001, 10_000)
    made.answers = Answers(door_of(CLOCK), guests, access_of(guests, CLOCK).address, CLOCK.now)
    app = web.Application()
    app.add_routes([web.post("/now", made.now), web.post("/later", made.later), web.get("/socket", made.socket)])
    context = None if tls is None else tls.context
    runner, made.port = await start_site(app, "127.0.0.1", 0, shutdown_timeout=0.5, ssl_context=context, outlet=made.answers)
    yield made
    made.may_go.set()
    await asyncio.wait_for(runner.cleanup(), PATIENCE_S)
    assert made.asked == 0


async def is_cut(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(PATIENCE_S):
        try:
            return await reader.read(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True


async def test_a_request_counts_until_it_is_answered(site: Site) -> None:
    body = b"x" * 20_000
    async with site.say(HEAD.format(path="later"), f"Content-Length: {len(body)}\r\n\r\n", body) as (reader, _):
        await until(lambda: site.asked > len(body), PATIENCE_S, "it counts")
        site.may_go.set()
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        assert site.asked == 0


async def test_those_behind_it_count_too(site: Site) -> None:
    one = HEAD.format(path="later") + "Content-Length: 0\r\n\r\n"
    async with site.say(*[one] * 20) as (reader, _):
        await until(lambda: site.asked == 20 * len(one), PATIENCE_S, "all of them count")
        site.may_go.set()
        for _ in range(20):
            await reader.readuntil(b"at last")
        assert site.asked == 0


async def test_a_head_that_is_not_whole_counts_and_has_so_much_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    async with site.say(HEAD.format(path="now"), "X-One: ") as (reader, writer):
        await until(lambda: site.asked > 0, PATIENCE_S, "it counts")
        for _ in range(3):
            writer.write(b"x")  # which gives it no more time
            await asyncio.sleep(0.05)
        assert await is_cut(reader)
    assert site.asked == 0


async def test_one_in_time_is_answered_and_the_next_has_its_own_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    async with site.say() as (reader, writer):
        for _ in range(3):
            for piece in (HEAD.format(path="now"), "Content-Length: 1\r\n", "\r\n", "x"):
                writer.write(piece.encode())
                await asyncio.sleep(0.08)
            assert (await reader.readuntil(b"\r\n\r\nx")).startswith(b"HTTP/1.1 200 ")
        await asyncio.sleep(0.8)
        writer.write((HEAD.format(path="now") + "Content-Length: 1\r\n\r\nx").encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 "), "who asks nothing has begun nothing"


async def test_a_head_has_an_end(site: Site) -> None:
    fields = "".join(f"X-{number}: {'x' * 8_000}\r\n" for number in range(9))
    async with site.say(HEAD.format(path="now"), fields) as (reader, _):
        assert await is_cut(reader)
    async with site.say(HEAD.format(path="now"), "X: y\r\n" * 100, "\r\n") as (reader, _):
        assert b" 400 " in await reader.readline()


async def test_the_rest_of_a_body_that_nobody_reads_is_no_head(site: Site) -> None:
    """It is read for a while, so that who sends it sees the answer."""
    size = 40 * 30_000
    async with site.say(f"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n") as (reader, writer):
        for _ in range(30):
            writer.write(b"x" * 30_000)
            await writer.drain()
            await asyncio.sleep(0.01)
        assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
        writer.write(b"x" * 10 * 30_000)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"404: Not Found")
        writer.write((HEAD.format(path="now") + "Content-Length: 1\r\n\r\nx").encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 "), "and the next request is heard"


async def test_so_much_of_one_address(site: Site) -> None:
    async with contextlib.AsyncExitStack() as held:
        for _ in range(4):
            lines = f"Content-Length: {SHARE // 5}\r\n\r\n"
            await held.enter_async_context(site.say(HEAD.format(path="later"), lines, b"x" * 30_000))
        await until(lambda: site.waiting == 4 and site.asked > 4 * 30_000, PATIENCE_S, "they count")
        reader, _ = await held.enter_async_context(
            site.say(HEAD.format(path="now"), f"Content-Length: {SHARE}\r\n\r\n", b"x" * SHARE)
        )
        assert await is_cut(reader)
        assert site.answers is not None
        assert site.answers.account("192.0.2.7").take(SHARE), "others have their own"
        site.answers.account("192.0.2.7").give_back(SHARE)
    await until(lambda: site.asked == 0, PATIENCE_S, "they have hung up")
    async with site.say(HEAD.format(path="now"), "Content-Length: 1\r\n\r\nx") as (reader, _):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


async def test_a_websocket_counts_elsewhere(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    headers = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    async with site.say(f"GET /socket HTTP/1.1\r\nHost: a\r\n{headers}\r\n") as (reader, writer):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert site.asked == 0
        writer.write(b"\x82\xfe")  # the beginning of a frame
        await asyncio.sleep(0.5)
        assert site.asked == 0
        assert not reader.at_eof(), "it is no head"


async def test_a_compressed_body_is_taken_as_it_is(site: Site) -> None:
    """Also one that is refused would be made a thousand times as long, to be thrown away."""
    body = gzip.compress(b"x" * 100_000)
    lines = f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    async with site.say(HEAD.format(path="now"), lines, body) as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(body)) == body
