"""Answers that nobody reads, over real sockets, plain and over TLS: bounded for their address, cut in time, and of no harm to others."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from coordinator.core.guests import Guests, parse_networks
from coordinator.io.answers import Answers
from service import connections, leaving
from service.http import start_site
from service.process import rss_bytes
from service.tls import server_tls
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S, Start
from tests.support.certificates import put_pair, trusting
from tests.support.p2p_access import access_of, door_of
from tests.support.poll import until

MB = 1_000_000
SHARE = 20 * MB
LONG = 8 * MB
"""More than the buffers of both systems take."""

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"


class Site:
    """Answers `/{size}` with so many bytes."""

    def __init__(self, trust: ssl.SSLContext | None) -> None:
        self.guests = Guests(100, 0.001, 10_000, max_waiting_bytes=2 * SHARE, max_address_bytes=SHARE)
        self.trust = trust
        self.port = 0
        self.open: Callable[[], int] = lambda: 0

        self.last: web.Response | None = None

    async def handle(self, request: web.Request) -> web.Response:
        headers = {"Access-Control-Allow-Origin": "*", "X-Other": "1"}
        self.last = web.Response(body=bytes(int(request.match_info["size"])), headers=headers)
        return self.last

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """Says back what it hears."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        return socket

    def outbox(self, address: str) -> int:
        """What counts for it."""
        return self.guests.guest(address, CLOCK.now()).outbox.bytes

    @contextlib.asynccontextmanager
    async def asked(
        self, size: int | str, address: str = A, method: str = "GET", times: int = 1
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection on which something was asked and nothing is read yet."""
        link = socket.socket()
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await asyncio.get_running_loop().sock_connect(link, ("127.0.0.1", self.port))
        name = None if self.trust is None else "localhost"
        reader, writer = await asyncio.open_connection(sock=link, ssl=self.trust, server_hostname=name, limit=1_024)
        writer.write(f"{method} /{size} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\n\r\n".encode() * times)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def answer(self, size: int | str, address: str = A, method: str = "GET") -> tuple[int, str, bytes]:
        """Status, head and body of an answer that is read at once."""
        async with self.asked(size, address, method) as (reader, _):
            return await read_answer(reader, method)


async def read_answer(reader: asyncio.StreamReader, method: str = "GET") -> tuple[int, str, bytes]:
    """Status, head and body."""
    async with asyncio.timeout(PATIENCE_S):
        head = ""
        while not head.endswith("\r\n\r\n"):
            head += (await reader.readline()).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        body = b"" if method == "HEAD" else await reader.readexactly(length)
    return int(head.split()[1]), head, body


@pytest.fixture(params=["plain", "tls"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    trust = tls = None
    if request.param == "tls":
        put_pair(tmp_path)
        trust, tls = trusting(tmp_path), server_tls(tmp_path / "cert.pem", tmp_path / "key.pem")
    made = Site(trust)
    access = access_of(made.guests, CLOCK, trusted=parse_networks(["127.0.0.1"]))
    app = web.Application()
    app.add_routes([web.get("/socket", made.socket), web.get("/{size}", made.handle), web.get("/api/{size}", made.handle)])
    answers = Answers(door_of(CLOCK), made.guests, access.address, CLOCK.now)
    context = None if tls is None else tls.context
    runner, made.port = await start_site(app, "127.0.0.1", 0, shutdown_timeout=0.5, ssl_context=context, outlet=answers)
    made.open = lambda: runner.connections
    yield made
    await asyncio.wait_for(runner.cleanup(), PATIENCE_S)


async def hang(stack: contextlib.AsyncExitStack, site: Site, address: str = A) -> None:
    """One more answer that nobody reads."""
    before = site.outbox(address)
    await stack.enter_async_context(site.asked(LONG, address))
    await until(lambda: site.outbox(address) > before, PATIENCE_S, "it counts")


async def test_every_answer_counts_until_it_has_left(site: Site) -> None:
    async with site.asked(LONG) as (reader, _):
        await until(lambda: site.outbox(A) > LONG, PATIENCE_S, "it counts")
        assert len((await read_answer(reader))[2]) == LONG
    await until(lambda: site.outbox(A) == 0, PATIENCE_S, "it was read")
    for size in (0, 1, 1_000, 65_536, 65_537, 500_000):
        status, _, body = await site.answer(size)
        assert (status, body) == (200, bytes(size))
    assert (await site.answer(5, method="HEAD"))[0] == 200
    assert (await site.answer(LONG, method="HEAD"))[0] == 200
    await until(lambda: site.guests.waiting == 0, PATIENCE_S, "all of them have left")


async def test_one_after_the_other_on_one_connection(site: Site) -> None:
    async with site.asked(100_000, times=5) as (reader, _):
        for _ in range(5):
            assert len((await read_answer(reader))[2]) == 100_000
        await until(lambda: site.guests.waiting == 0, PATIENCE_S, "all of them have left")
        assert site.open() == 1


async def test_so_much_of_one_address(site: Site) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            await hang(stack, site)
        status, head, body = await site.answer(LONG)
        assert (status, json.loads(body)["reason"]) == (429, "too much that is for this address has not left yet")
        assert "Retry-After: 1\r\n" in head
        assert "Access-Control-Allow-Origin: *\r\n" in head, "or a page could not read why"
        assert "X-Other" not in head
        assert (await site.answer(100))[0] == 200, "there is room for what is short"
        assert (await site.answer(LONG, method="HEAD"))[0] == 200, "which is without a body"
        assert (await site.answer(LONG, B))[0] == 200
    await until(lambda: site.guests.waiting == 0, PATIENCE_S, "they have hung up")
    assert (await site.answer(LONG))[0] == 200


async def test_so_much_of_all(site: Site) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for address in (A, A, B):
            await hang(stack, site, address)
        status, head, body = await site.answer(LONG, C)
        assert (status, json.loads(body)["reason"], "Retry-After: 1\r\n" in head) == (503, "too much has not left yet", True)
        status, head, body = await site.answer(f"api/{LONG}", C)
        assert (status, json.loads(body)["type"]) == (503, "urn:rtcbroker:problem:server-full")
        assert "application/problem+json" in head


async def test_one_that_is_longer_than_all_an_address_may_have_takes_all_of_that(site: Site) -> None:
    async with site.asked(SHARE + 1) as (reader, _):
        await until(lambda: site.outbox(A) == SHARE, PATIENCE_S, "it counts")
        assert (await site.answer(1))[0] == 429
        assert len((await read_answer(reader))[2]) == SHARE + 1


async def test_memory_is_bounded_and_free_in_the_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "LEAVING_S", 1.0)
    before = rss_bytes()
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(40):
            await stack.enter_async_context(site.asked(LONG))
        await until(lambda: site.outbox(A) > LONG, PATIENCE_S, "they count")
        assert site.outbox(A) <= SHARE
        assert (await site.answer(LONG, B))[0] == 200, "others go on"
        await until(lambda: site.guests.waiting == 0 and site.open() == 0, PATIENCE_S, "all were cut")
        gc.collect()
        assert rss_bytes() - before < 8 * SHARE, f"{40 * LONG} were asked for"


@pytest.mark.parametrize("size", [0, 60_000, LONG])
async def test_what_was_answered_is_not_kept_until_the_next_request(site: Site, size: int) -> None:
    async with site.asked(size) as (reader, _):
        assert len((await read_answer(reader))[2]) == size
        await until(lambda: site.last is not None and site.last.body is None, PATIENCE_S, "aiohttp has nothing more of it")
        assert site.open() == 1


@pytest.mark.parametrize("site", ["plain"], indirect=True)  # a peer's TLS reads ahead of the peer
@pytest.mark.parametrize("size", [30_000, 60_000])
async def test_a_short_one_counts_until_it_has_left_too(site: Site, size: int) -> None:
    """All of it is with the network at once, but not yet with the peer."""
    async with site.asked(100, times=3) as (reader, writer):
        for _ in range(3):
            await read_answer(reader)
        writer.write(f"GET /{size} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {A}\r\n\r\n".encode())
        await until(lambda: site.last is not None and site.last.body is None, PATIENCE_S, "it was answered")
        await asyncio.sleep(4 * connections.FIRST_LOOK_S)
        assert site.outbox(A) > size
        assert len((await read_answer(reader))[2]) == size
        await until(lambda: site.outbox(A) == 0, PATIENCE_S, "it has left")


async def test_a_websocket_is_for_others_to_bound(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that begins behind an answer which nobody has read yet."""
    monkeypatch.setattr(leaving, "LEAVING_S", 0.5)
    async with site.asked(60_000) as (reader, writer):
        headers = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        writer.write(f"GET /socket HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {A}\r\n{headers}\r\n\r\n".encode())
        await until(lambda: site.last is not None and site.outbox(A) == 0, PATIENCE_S, "it does not count any more")
        await asyncio.sleep(3 * leaving.LEAVING_S)
        assert site.open() == 1, "nor is it cut"
        assert len((await read_answer(reader))[2]) == 60_000
        assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")


async def test_who_hangs_up_in_the_midst_of_an_answer_is_no_error(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with site.asked(LONG) as (reader, _):
        await until(lambda: site.outbox(A) > LONG, PATIENCE_S, "it counts")
        await reader.readexactly(100_000)
    await until(lambda: site.open() == 0 and site.guests.waiting == 0, PATIENCE_S, "it is over")
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


def test_what_an_answer_takes() -> None:
    """What holds it, and of a long one what is handed ahead of its peer's reading, a second time."""
    assert connections.cost(0) == 1_024
    assert connections.cost(65_536) == 65_536 + 1_024
    assert connections.cost(65_537) == 65_537 + 1_024 + 65_536


async def test_who_was_answered_and_stays_keeps_nothing(site: Site) -> None:
    before = rss_bytes()
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(30):
            reader, _ = await stack.enter_async_context(site.asked(LONG))
            assert len((await read_answer(reader))[2]) == LONG
            await until(lambda: site.guests.waiting == 0, PATIENCE_S, "all of it has left")
        assert site.open() == 30
        gc.collect()
        assert rss_bytes() - before < 8 * LONG


async def test_short_ones_that_nobody_reads(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "LEAVING_S", 0.5)
    async with site.asked(2_000, times=30) as (_, writer):
        for _ in range(300):
            writer.write(b"GET /30000 HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n" * 30)
        await until(lambda: site.outbox(A) > 30_000, PATIENCE_S, "they count")
        assert site.outbox(A) < LONG, "a connection is answered no faster than it reads"
        await until(lambda: site.open() == 0 and site.outbox(A) == 0, PATIENCE_S, "it was cut")


async def test_who_reads_slowly_gets_all_of_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "LEAVING_S", 0.5)
    async with site.asked(LONG) as (reader, _):
        got = 0
        while got < LONG:
            got += len(await reader.readexactly(min(LONG // 20, LONG - got)))
            await asyncio.sleep(0.05)
    await until(lambda: site.guests.waiting == 0, PATIENCE_S, "all of it has left")


async def test_what_leaves_a_full_buffer_of_the_system_has_left(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system asks for more when a third of its buffer is free, which may be megabytes: until then a slow reader reads on, too."""
    monkeypatch.setattr(leaving, "LEAVING_S", 1.0)
    async with site.asked(LONG) as (reader, _):
        for _ in range(40):
            await reader.readexactly(30_000)
            await asyncio.sleep(0.1)
        assert site.open() == 1


async def test_who_reads_byte_by_byte_is_cut(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "LEAVING_S", 0.5)
    async with site.asked(LONG) as (reader, _):
        await until(lambda: site.outbox(A) > LONG, PATIENCE_S, "it counts")

        async def is_cut() -> bool:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await reader.read(100)
            return not site.open()

        await until(is_cut, PATIENCE_S, "it is cut")
    assert site.guests.waiting == 0


async def test_what_was_said_for_who_comes_stays_where_it_cannot_be_told(start: Start) -> None:
    coordinator = await start(auth="none", p2p=["apprtc"], trusted_proxies=["127.0.0.1"])
    http = coordinator.http

    async def post(path: str, data: bytes = b"", address: str = A) -> tuple[int, dict[str, object]]:
        async with http.post(f"/apprtc/{path}", data=data, headers={"X-Forwarded-For": address}) as answer:
            return answer.status, json.loads(await answer.text())

    _, joined = await post("join/room")
    params = joined["params"]
    assert isinstance(params, dict)
    said = "\x01" * 100_000
    assert await post(f"message/room/{params['client_id']}", said.encode()) == (200, {"result": "SUCCESS"})
    outbox = coordinator.guests.guest(B, CLOCK.now()).outbox
    assert outbox.take(outbox.max_bytes - 600_000)
    status, refused = await post("join/room", address=B)
    assert (status, refused["reason"]) == (429, "too much that is for this address has not left yet")
    outbox.give_back(600_000)
    status, joined = await post("join/room", address=B)
    params = joined["params"]
    assert isinstance(params, dict)
    assert (status, params["messages"], params["is_initiator"]) == (200, [said], "false")
