"""Messages that are held back before their last byte, on real sockets: they count, they have a time, and end only who sends them.

It rests on what aiohttp has inside; with a version that differs, these tests fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from coordinator.core.guests import Guest, Guests, parse_networks
from coordinator.p2p.io import metered
from coordinator.p2p.io.socket import SocketEndpoint, SocketLimits
from service.http import start_site
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S
from tests.support.p2p_access import access_of
from tests.support.parrot import Parrot
from tests.support.poll import until

MAX = 10_000
SHARE = 50_000
ONE, OTHER = "192.0.2.1", "192.0.2.2"


class Site:
    """Sockets of which the test sees each byte."""

    def __init__(self) -> None:
        self.guests = Guests(100, 1, 1_000, max_waiting_bytes=2 * SHARE, max_address_bytes=SHARE)
        self.parrot = Parrot()
        access = access_of(self.guests, CLOCK, trusted=parse_networks(["127.0.0.1"]))
        self.endpoint = SocketEndpoint("parrot", self.parrot, access, SocketLimits(message_bytes=MAX), CLOCK)
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    def guest(self, address: str = ONE) -> Guest:
        return self.guests.guest(address, CLOCK.now())

    async def dial(self, address: str = ONE, early: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A socket, once it is in; `early` is sent together with the request for it."""
        before = self.parrot.members
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        lines = ["GET / HTTP/1.1", "Host: here", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"X-Forwarded-For: {address}", "", ""]
        writer.write("\r\n".join(lines).encode() + early)
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: self.parrot.members > before, PATIENCE_S, "it is in")
        return reader, writer

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.add_routes([web.get("/", made.endpoint.handle)])
    runner, made.port = await start_site(app, "127.0.0.1", 0)
    yield made
    made.close()
    made.endpoint.stop()
    await asyncio.wait_for(runner.cleanup(), PATIENCE_S)
    assert made.guests.kept == 0


def message(size: int, opcode: int = 0x82) -> bytes:
    """Masked with zeros, its content zeros (RFC 6455 section 5.2)."""
    return bytes([opcode, 0xFE]) + size.to_bytes(2, "big") + bytes(4 + size)


async def closed(reader: asyncio.StreamReader) -> tuple[int, str]:
    """The code and reason of the close frame that comes next."""
    head = await asyncio.wait_for(reader.readexactly(2), PATIENCE_S)
    assert head[0] == 0x88
    content = await reader.readexactly(head[1])
    return int.from_bytes(content[:2], "big"), content[2:].decode()


async def test_what_is_held_back_counts_until_it_is_whole(site: Site) -> None:
    reader, writer = await site.dial()
    data = message(MAX)
    for size in (4_000, 8_000):
        writer.write(data[size - 4_000 : size])
        await until(lambda size=size: site.guests.kept >= size, PATIENCE_S, "it counts")  # type: ignore[misc]
    writer.write(data[8_000:])
    echo = await asyncio.wait_for(reader.readexactly(4 + MAX), PATIENCE_S)
    assert echo == b"\x82\x7e" + MAX.to_bytes(2, "big") + bytes(MAX)
    await until(lambda: site.guests.kept == 0, PATIENCE_S, "it was handled")


async def test_what_comes_with_the_request_counts_too(site: Site) -> None:
    data = message(1_000)
    reader, writer = await site.dial(early=data + data[:500])
    await asyncio.wait_for(reader.readexactly(1_004), PATIENCE_S)
    await until(lambda: 500 <= site.guests.kept < 1_000, PATIENCE_S, "the first was handled, half of the other is here")
    writer.write(data[500:])
    await asyncio.wait_for(reader.readexactly(1_004), PATIENCE_S)
    await until(lambda: site.guests.kept == 0, PATIENCE_S, "both were handled")


@pytest.mark.parametrize("part", [message(9_000)[:-1], message(9_000, 0x02)])
async def test_an_address_that_holds_too_much_back_ends_its_sockets_alone(site: Site, part: bytes) -> None:
    """In a frame that is not whole, and in one of several."""
    sockets = [await site.dial() for _ in range(5)]
    for _, writer in sockets:
        writer.write(part)
    await until(lambda: site.guest().account.bytes > 5 * 9_000, PATIENCE_S, "they count")
    reader, writer = await site.dial()
    writer.write(part)
    assert await closed(reader) == (1013, "too much of what this address has sent is still kept")
    assert site.parrot.counts.errors == {"address_full": 1}
    other, writer = await site.dial(OTHER)
    writer.write(message(9_000))
    await asyncio.wait_for(other.readexactly(9_004), PATIENCE_S)
    for _, writer in sockets:
        writer.close()
    await until(lambda: site.guests.kept == 0, PATIENCE_S, "it is given back")


async def test_a_message_has_a_time_to_come(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.p2p.core.incoming.MESSAGE_S", 0.2)
    reader, writer = await site.dial()
    idle, idle_writer = await site.dial()
    idle_writer.write(message(200))
    await asyncio.wait_for(idle.readexactly(204), PATIENCE_S)
    writer.write(message(200, 0x02))
    assert (await reader.readexactly(204))[:2] == b"\x82\x7e", "the other's message"
    writer.write(b"\x89\x80\0\0\0\0")  # a ping, between its frames
    assert await reader.readexactly(2) == b"\x8a\0"
    assert await closed(reader) == (1008, metered.LATE)
    assert site.parrot.counts.errors == {"message_not_whole": 1}
    assert await asyncio.wait_for(idle.readexactly(8), PATIENCE_S) == b"\x81\x061 left"
    idle_writer.write(message(200))
    assert await asyncio.wait_for(idle.readexactly(2), PATIENCE_S) == b"\x82\x7e", "between messages there is time without end"


async def test_a_message_in_too_many_frames(site: Site) -> None:
    reader, writer = await site.dial()
    writer.write(b"\x02\x80\0\0\0\0")
    for _ in range(40):
        writer.write(b"\x00\x80\0\0\0\0" * 100)
        await writer.drain()
        await asyncio.sleep(0)
    assert await closed(reader) == (1008, "a message in too many frames")


async def test_very_many_messages_at_a_time_are_all_heard(site: Site) -> None:
    reader, writer = await site.dial()
    writer.write(b"\x82\x80\0\0\0\0" * 900)
    assert await asyncio.wait_for(reader.readexactly(1_800), PATIENCE_S) == b"\x82\0" * 900


async def test_a_text_that_is_not_utf8_ends_its_socket(site: Site) -> None:
    reader, writer = await site.dial()
    writer.write(b"\x81\x81\0\0\0\0\xff")
    assert (await closed(reader))[0] == 1007


async def test_pings_are_answered(site: Site) -> None:
    reader, writer = await site.dial()
    writer.write(b"\x89\x82\0\0\0\0ab")
    assert await asyncio.wait_for(reader.readexactly(4), PATIENCE_S) == b"\x8a\x02ab"


async def test_who_is_not_heard_is_not_taken_for_dead(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer to our ping is behind what we have not looked at yet."""
    monkeypatch.setattr("coordinator.p2p.io.socket.PING_INTERVAL_S", 0.1)
    _, writer = await site.dial()
    guest = site.guest()
    guest.deliveries.charge(CLOCK.now(), 31_000)
    writer.write(message(1) * 2)
    await until(lambda: guest.deliveries.debt_s(CLOCK.now()) == 0, PATIENCE_S, "its debt is paid")
    await until(lambda: site.parrot.heard == 2, PATIENCE_S, "it is heard")


def aiohttp_has(thing: Any, name: str) -> bool:
    return name in dir(thing)


def test_the_names_inside_aiohttp_that_are_used() -> None:
    """If one is missing, look at :mod:`coordinator.p2p.io.metered` before aiohttp is upgraded."""
    names = ("_reader", "_pong_not_received", "_reset_heartbeat", "_handle_ping_pong_exception")
    assert all(aiohttp_has(web.WebSocketResponse, name) for name in names)
