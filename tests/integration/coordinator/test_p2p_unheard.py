"""What is not heard yet, on real sockets: it stays with its sender, takes nobody's time, is not lost, and keeps nobody alive for ever."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from coordinator.core.guests import Guest, Guests, parse_networks
from coordinator.io.turns import PASS_DELIVERIES
from coordinator.p2p.core.incoming import PORTION_FRAMES, Incoming
from coordinator.p2p.core.limits import Limits
from coordinator.p2p.core.nextrtc import NextRtc
from coordinator.p2p.core.signalling import Signalling
from coordinator.p2p.io import metered
from coordinator.p2p.io.metered import READ_AHEAD_BYTES
from coordinator.p2p.io.socket import SocketEndpoint, SocketLimits
from protocol.limits import KIB
from service.bucket import TokenBucket
from service.http import start_site
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S
from tests.support.certificates import put_pair, trusting
from tests.support.p2p_access import access_of
from tests.support.parrot import Parrot
from tests.support.passes import Passes
from tests.support.poll import until

ONE, OTHER = "192.0.2.1", "192.0.2.2"
LIMITS = SocketLimits(messages_per_s=0, outbox_frames=100_000)
RATE, BURST, SHARE = 5_000, 1_000, 8 * 2 * READ_AHEAD_BYTES + 100_000

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Site:
    """Sockets of a core, of which the test sees each byte."""

    def __init__(self, core: Signalling) -> None:
        self.guests = Guests(
            100, 1, 1_000, deliveries_per_s=RATE, deliveries_burst=BURST, max_waiting_bytes=10 * SHARE, max_address_bytes=SHARE
        )
        self.core = core
        access = access_of(self.guests, CLOCK, trusted=parse_networks(["127.0.0.1"]))
        self.endpoint = SocketEndpoint("core", core, access, LIMITS, CLOCK)
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    def guest(self, address: str = ONE) -> Guest:
        return self.guests.guest(address, CLOCK.now())

    def owe(self, seconds: float) -> None:
        """Nothing of that address is heard for so long."""
        self.guest().deliveries.charge(CLOCK.now(), BURST + seconds * RATE)

    async def dial(self, address: str = ONE, tls: ssl.SSLContext | None = None) -> Wire:
        before = self.endpoint.open
        host = "127.0.0.1" if tls is None else "localhost"
        reader, writer = await asyncio.open_connection(host, self.port, ssl=tls)
        self._writers.append(writer)
        lines = ["GET / HTTP/1.1", "Host: here", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"X-Forwarded-For: {address}", "", ""]
        writer.write("\r\n".join(lines).encode())
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: self.endpoint.open > before, PATIENCE_S, "it is in")
        return reader, writer

    async def enter(self, conversation: str, count: int, address: str = ONE) -> list[Wire]:
        """So many members of a NextRTC conversation."""
        wires = [await self.dial(address) for _ in range(count)]
        joined = self.core.counts.joined
        for _, writer in wires:
            writer.write(text(json.dumps({"signal": "join", "content": conversation}).encode()))
        await until(lambda: self.core.counts.joined == joined + count, PATIENCE_S, "all are in")
        return wires

    async def stop(self, runner: web.AppRunner) -> None:
        for writer in self._writers:
            writer.close()
        self.endpoint.stop()
        await asyncio.wait_for(runner.cleanup(), PATIENCE_S)


async def started(core: Signalling, tls: ssl.SSLContext | None = None) -> AsyncIterator[Any]:
    made = Site(core)
    app = web.Application()
    app.add_routes([web.get("/", made.endpoint.handle)])
    runner, made.port = await start_site(app, "127.0.0.1", 0, ssl_context=tls)
    yield made
    await made.stop(runner)
    assert made.guests.kept == 0


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async for made in started(Parrot()):
        yield made


@pytest.fixture
async def hall() -> AsyncIterator[Site]:
    """NextRTC."""
    async for made in started(NextRtc(Limits(), random.Random(1))):
        yield made


def text(content: bytes, opcode: int = 0x81) -> bytes:
    """Masked with zeros (RFC 6455 section 5.2)."""
    return bytes([opcode, 0xFE]) + len(content).to_bytes(2, "big") + bytes(4) + content


PING = b"\x89\x80\0\0\0\0"
CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"

MORE_THAN_FITS = 16_000
"""Of 1,000 bytes: several times what the network keeps for a sender."""


async def test_what_is_not_heard_stays_with_its_sender(site: Site) -> None:
    _, writer = await site.dial()
    site.owe(600)
    writer.write(text(b"x" * 1_000) * MORE_THAN_FITS)
    await until(lambda: site.guests.kept > 1_000, PATIENCE_S, "some of it is here")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(writer.drain(), 0.3)
    assert site.guests.kept <= 2 * READ_AHEAD_BYTES + KIB
    writer.transport.abort()


@pytest.fixture
async def secret(tmp_path: Path) -> AsyncIterator[Site]:
    """One with TLS."""
    put_pair(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    async for made in started(Parrot(), context):
        yield made


async def test_nor_does_tls_read_on_by_itself(secret: Site, tmp_path: Path) -> None:
    """What it holds and nobody has asked for is not counted anywhere."""
    _, writer = await secret.dial(tls=trusting(tmp_path))
    (peer,) = secret.endpoint._sockets.values()
    transport: Any = peer._transport
    secret.owe(600)
    writer.write(text(b"x" * 1_000) * MORE_THAN_FITS)
    await until(lambda: transport._ssl_protocol._ssl_reading_paused, PATIENCE_S, "it stops reading")
    # What it reads at a time is what the network has.
    assert transport.get_read_buffer_size() <= 3 * READ_AHEAD_BYTES
    writer.transport.abort()


async def test_nor_is_one_read_that_says_too_much_by_itself(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It rests between what it says; meanwhile what it goes on to say stays with it, too."""
    monkeypatch.setattr(site.endpoint, "_limits", SocketLimits(messages_per_s=1, messages_burst=1))
    _, writer = await site.dial()
    for _ in range(4):
        writer.write(text(b"x") * 2)
        await asyncio.sleep(0.05)
    writer.write(text(b"x" * 1_000) * MORE_THAN_FITS)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(writer.drain(), 0.5)
    assert 0 < site.guests.kept <= 2 * READ_AHEAD_BYTES + KIB
    writer.transport.abort()


async def test_so_many_frames_are_looked_at_in_one_pass_and_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sockets send them at once."""
    wires = [await site.dial() for _ in range(40)]
    passes = Passes(monkeypatch, Incoming, "hand_on")
    for _, writer in wires:
        writer.write(PING * 10 * PORTION_FRAMES)
    await until(lambda: passes.calls == 40 * 10, PATIENCE_S, "all are heard")
    assert passes.most <= 2 * PASS_DELIVERIES // PORTION_FRAMES


async def test_others_are_heard_between(site: Site) -> None:
    wires = [await site.dial() for _ in range(20)]
    reader, writer = await site.dial(OTHER)
    for _, each in wires:
        each.write(PING * 2_000)
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    for _ in range(10):
        began = loop.time()
        writer.write(text(b"hello"))
        assert await asyncio.wait_for(reader.readexactly(7), PATIENCE_S) == b"\x81\x05hello"
        assert loop.time() - began < 1
    for _, each in wires:
        each.transport.abort()


async def test_many_who_say_much_are_read_more_slowly_and_lose_nothing(site: Site) -> None:
    """Far more than may be kept for their address."""
    count, content = 8, b"x" * 8_000
    wires = [await site.dial() for _ in range(count)]
    said = 100
    assert count * said * len(content) > 4 * SHARE

    async def listen(reader: asyncio.StreamReader) -> int:
        return len(await reader.readexactly(count * said * (len(content) + 4)))

    async def speak(writer: asyncio.StreamWriter) -> None:
        for _ in range(said):
            writer.write(text(content))
            await writer.drain()

    async with asyncio.timeout(3 * PATIENCE_S):
        await asyncio.gather(*(listen(reader) for reader, _ in wires), *(speak(writer) for _, writer in wires))
    assert not site.core.counts.errors


async def test_pings_in_front_of_a_message_give_it_no_more_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.p2p.core.incoming.MESSAGE_S", 0.2)
    reader, writer = await site.dial()
    writer.write(PING * 500 + text(b"x" * 200, 0x01))
    assert await asyncio.wait_for(reader.readexactly(1_000), PATIENCE_S) == b"\x8a\0" * 500
    head = await asyncio.wait_for(reader.readexactly(4), PATIENCE_S)
    assert (head[0], int.from_bytes(head[2:], "big")) == (0x88, 1008)
    assert (await reader.read(200)).decode() == metered.LATE


async def test_pings_do_not_keep_alive_who_says_nothing_any_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.p2p.io.socket.PING_INTERVAL_S", 0.2)
    _, writer = await site.dial()
    writer.write(PING * 500)
    await until(lambda: site.core.members == 0, PATIENCE_S, "it does not answer our ping")


async def test_who_does_not_take_our_pongs_is_gone_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is not read any more, since it is not answered."""
    monkeypatch.setattr("coordinator.p2p.io.socket.PING_INTERVAL_S", 0.2)
    monkeypatch.setattr("coordinator.p2p.io.socket.LAST_WORDS_S", 0.2)
    site.guest().deliveries = TokenBucket(0, 1, CLOCK.now())
    reader, writer = await site.dial()
    link: socket.socket = writer.get_extra_info("socket")
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a stream's transport
    one = bytes([0x89, 0xFD]) + bytes(4 + 125)

    async def ping() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(one * 1_000)
                await writer.drain()

    pinging = asyncio.create_task(ping())
    await until(lambda: site.core.members == 0, PATIENCE_S, "it is cut")
    writer.transport.abort()
    await pinging
    await until(lambda: site.guests.kept == 0, PATIENCE_S, "it is given back")
    del reader


@pytest.mark.parametrize("end", [b"", CLOSE])
async def test_who_goes_is_heard_to_the_end(site: Site, end: bytes) -> None:
    """With a close frame or without."""
    listener, _ = await site.dial(OTHER)
    _, writer = await site.dial()
    site.owe(0.3)
    words = [str(number).zfill(4).encode() for number in range(500)]
    writer.write(b"".join(text(word) for word in words) + end)
    writer.close()
    heard = await asyncio.wait_for(listener.readexactly(500 * 6), PATIENCE_S)
    assert heard == b"".join(b"\x81\x04" + word for word in words)
    assert await asyncio.wait_for(listener.readexactly(8), PATIENCE_S) == b"\x81\x062 left"


async def test_but_not_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.p2p.io.socket.LAST_WORDS_S", 0.2)
    _, other = await site.dial(OTHER)
    _, writer = await site.dial()
    site.owe(600)
    writer.write(text(b"x") * 10)
    await until(lambda: site.guests.kept > 0, PATIENCE_S, "it is here")
    writer.transport.abort()

    def is_gone() -> bool:
        other.write(text(b"are you there"))
        return site.core.members == 1

    await until(is_gone, PATIENCE_S, "it is gone")
    await until(lambda: site.guest().sockets == 0, PATIENCE_S, "nothing is left of it")
    assert site.guest().account.bytes == 0


async def test_who_is_not_read_is_found_gone_by_our_ping(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.p2p.io.socket.PING_INTERVAL_S", 0.2)
    monkeypatch.setattr("coordinator.p2p.io.socket.LAST_WORDS_S", 0.2)
    _, writer = await site.dial()
    site.owe(600)
    writer.write(text(b"x" * 1_000) * 1_000)
    await until(lambda: site.guests.kept > 0, PATIENCE_S, "some of it is here")
    await asyncio.sleep(0.5)
    assert site.core.members == 1, "its answer to our ping may be in what is not read"
    writer.transport.abort()
    await until(lambda: site.core.members == 0, PATIENCE_S, "it is gone")


async def test_our_close_is_answered_behind_what_is_not_heard(site: Site) -> None:
    reader, writer = await site.dial()
    writer.write(text(b"bye") + text(b"x") * 1_000 + CLOSE)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await asyncio.wait_for(reader.read(), PATIENCE_S)).endswith(b"said bye")
    assert loop.time() - began < 1.5, "it did not wait until the time for it was over"


async def test_many_who_leave_at_once_are_told_of_in_turn(hall: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 80
    wires = await hall.enter("hall", count)
    await hall.enter("hall", 1, OTHER)
    passes = Passes(monkeypatch, hall.core, "left")
    for _, writer in wires:
        writer.transport.abort()
    await until(lambda: hall.core.members == 1, PATIENCE_S, "all are gone")
    assert passes.calls == count
    assert passes.most <= 2 * PASS_DELIVERIES // 8, "a socket takes some time, however few are left to be told"


@pytest.mark.parametrize("end", [b"", CLOSE])
async def test_those_who_leave_pay_for_it(hall: Site, end: bytes) -> None:
    """Each for all others whom it leaves behind."""
    count = 40
    wires = await hall.enter("hall", count)
    there = 100_000
    hall.guest().deliveries = TokenBucket(1, there, CLOCK.now())
    for _, writer in wires:
        writer.write(end)
        writer.close()
    await until(lambda: hall.core.members == 0, PATIENCE_S, "all are gone")
    left = hall.guest().deliveries.take_some(CLOCK.now(), there)
    assert there - left >= sum(range(count)) > 2 * 8 * count


async def test_who_leaves_does_not_wait_until_its_address_owes_nothing(hall: Site) -> None:
    await hall.enter("hall", 1, OTHER)
    (_, one), (_, two) = await hall.enter("hall", 2)
    hall.owe(600)
    one.write(CLOSE)
    two.close()
    await until(lambda: hall.core.members == 1, PATIENCE_S, "they are gone")


async def test_stopping_waits_for_nobodys_turn(hall: Site) -> None:
    """See the fixture: it is given some seconds."""
    wires = await hall.enter("hall", 40)
    hall.owe(600)
    for _, writer in wires[:20]:
        writer.write(text(b"x") * 1_000)
        writer.write_eof()
