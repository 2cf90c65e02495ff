"""Bodies of requests, over real sockets: whole, too long, too slow, broken, too many, too much."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from coordinator.core.guests import Guests, parse_networks
from coordinator.io import bodies
from coordinator.p2p.io.bodies import whole_body
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S
from tests.support.p2p_access import access_of
from tests.support.poll import until

MAX = 100_000
MOST_BODIES = 3


class Site:
    """Says how long a body was."""

    def __init__(self) -> None:
        self.guests = Guests(MOST_BODIES, 0.001, 1_000, max_waiting_bytes=4 * MAX, max_address_bytes=2 * MAX)
        self._access = access_of(self.guests, CLOCK, trusted=parse_networks(["127.0.0.1"]))
        self.port = 0
        self.began = 0
        self.ended: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.began += 1
        try:
            async with whole_body(request, self._access, MAX) as body:
                assert self.guests.kept >= len(body.data)
        except web.HTTPException as refusal:
            self.ended.append(str(refusal.status))
            raise
        self.ended.append("whole")
        return web.Response(text=str(len(body.data)))

    @contextlib.asynccontextmanager
    async def slow(self, size: int, address: str = "192.0.2.1") -> AsyncIterator[asyncio.StreamWriter]:
        """A request of which all has come but the last of `size` bytes; then it is broken off."""
        began, kept = self.began, self.guests.kept
        _reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"POST / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\nContent-Length: {size}\r\n\r\n"
        writer.write(head.encode() + b"x" * (size - 1))
        await until(lambda: self.began > began and self.guests.kept == kept + size - 1, PATIENCE_S, "it counts as it comes")
        try:
            yield writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

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
    """A few bytes may become a gigabyte, which takes seconds even to throw away."""
    body = gzip.compress(b"x" * MAX)
    answer = await site.ask("Content-Encoding: gzip", f"Content-Length: {len(body)}", data=body)
    assert answer == "HTTP/1.1 415 Unsupported Media Type | Content-Encoding 'gzip': bodies are taken as they are\n"
    answer = await site.ask("Content-Encoding: identity", "Content-Length: 1", data=b"x")
    assert answer.startswith("HTTP/1.1 200 ")


async def test_one_that_does_not_come(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.05)
    answer = await site.ask("Content-Length: 2", data=b"x")
    assert answer == "HTTP/1.1 408 Request Timeout | the body did not come within 0.05 s\n"


async def test_one_that_is_broken(site: Site) -> None:
    answer = await site.ask("Transfer-Encoding: chunked", data=b"nothing\r\n")
    assert answer.startswith("HTTP/1.0 400 Bad Request | Invalid character in chunk size")


async def test_a_client_that_goes_before_it_has_said_all(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        await until(lambda: site.began == 1, PATIENCE_S, "the request is being handled")
        writer.close()
        await writer.wait_closed()
        await until(lambda: site.ended == ["400"], PATIENCE_S, "reading ends")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_they_count_as_they_come_until_they_are_answered(site: Site) -> None:
    async with site.slow(1_000), site.slow(MAX):
        assert site.guests.kept == 999 + MAX - 1
    await until(lambda: site.guests.kept == 0, PATIENCE_S, "both are broken off")
    await site.ask("Content-Length: 10", data=b"x" * 10)
    assert site.guests.kept == 0
    await site.ask(f"Content-Length: {MAX + 1}")
    assert site.guests.kept == 0


REFUSED = re.compile(r'HTTP/1\.1 (\d+) .* \| {"code": (\d+), "reason": "(.*)", "retry": ".*"}')


def refusal(answer: str) -> tuple[str, ...]:
    found = REFUSED.fullmatch(answer)
    assert found is not None, answer
    return found.groups()


async def test_so_much_of_one_address_that_others_still_have_room(site: Site) -> None:
    own, other = (f"X-Forwarded-For: 192.0.2.{number}" for number in (1, 2))
    async with site.slow(MAX), site.slow(MAX):
        answer = await site.ask(own, "Content-Length: 10", data=b"x" * 10)
        assert refusal(answer) == ("429", "4303", "too much of what this address has sent is still kept")
        assert await site.ask(other, f"Content-Length: {MAX}", data=b"x" * MAX) == f"HTTP/1.1 200 OK | {MAX}"
    await until(lambda: site.guests.kept == 0, PATIENCE_S, "they are broken off")
    assert (await site.ask(own, "Content-Length: 10", data=b"x" * 10)).startswith("HTTP/1.1 200 ")


async def test_so_much_of_all(site: Site) -> None:
    async with site.slow(MAX), site.slow(MAX), site.slow(MAX, "192.0.2.2"):
        answer = await site.ask("X-Forwarded-For: 192.0.2.3", f"Content-Length: {MAX}", data=b"x" * MAX)
        assert refusal(answer) == ("503", "4100", "too much is kept here")
        answer = await site.ask("X-Forwarded-For: 192.0.2.3", "Content-Length: 10", data=b"x" * 10)
        assert answer.startswith("HTTP/1.1 200 "), "there is room for what is small"


async def test_so_many_of_one_address(site: Site) -> None:
    own, other = (f"X-Forwarded-For: 192.0.2.{number}" for number in (1, 2))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(MOST_BODIES):
            writer = await stack.enter_async_context(site.slow(2))
        answer = await site.ask(own, "Content-Length: 1", data=b"x")
        assert refusal(answer) == ("429", "4303", "too many requests of this address are not whole yet")
        assert (await site.ask(other, "Content-Length: 1", data=b"x")).startswith("HTTP/1.1 200 ")
        writer.write(b"x")
        await until(lambda: "whole" in site.ended[-1:], PATIENCE_S, "one of them is whole")
        assert (await site.ask(own, "Content-Length: 1", data=b"x")).startswith("HTTP/1.1 200 ")


async def test_one_that_does_not_come_is_kept_no_longer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.05)
    async with site.slow(MAX):
        await until(lambda: site.ended == ["408"], PATIENCE_S, "its time is over")
        assert site.guests.kept == 0
