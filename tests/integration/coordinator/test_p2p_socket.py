"""The WebSocket shell of the peer-to-peer protocols, over real sockets, with a core that answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from socket import AF_INET, SO_RCVBUF, SOCK_STREAM, SOL_SOCKET
from socket import socket as Socket
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from coordinator.core.guests import Guests, parse_networks
from coordinator.p2p.core.prices import UNIT_BYTES
from coordinator.p2p.io.socket import SocketEndpoint, SocketLimits
from protocol.codes import Code
from protocol.limits import KIB
from protocol.tokens import DEFAULT_LEEWAY_S, TokenRole
from service.http import start_site
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S, token
from tests.support.p2p_access import access_of
from tests.support.parrot import Parrot
from tests.support.poll import until

FAST = SocketLimits(messages_per_s=1_000, messages_burst=1_000)
SOME = 1_000


class World:
    """One endpoint on a port."""

    def __init__(self, parrot: Parrot, endpoint: SocketEndpoint, port: int, guests: Guests) -> None:
        self.parrot = parrot
        self.endpoint = endpoint
        self.guests = guests
        self.url = f"http://127.0.0.1:{port}"
        self.http = aiohttp.ClientSession()
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []
        """One that nobody holds is closed when it is collected, whenever that is."""

    @property
    def owed(self) -> int:
        """Deliveries that this address has caused, where it has SOME at once and no more later."""
        bucket = self.guests.guest("127.0.0.1", CLOCK.now()).deliveries
        left = bucket.take_some(CLOCK.now(), SOME)
        bucket.charge(CLOCK.now(), -left)
        return SOME - left

    async def dial(self, query: str = "", **options: Any) -> aiohttp.ClientWebSocketResponse:
        socket: aiohttp.ClientWebSocketResponse = await self.http.ws_connect(f"{self.url}/ws{query}", **options)
        self._sockets.append(socket)
        return socket

    async def dial_raw(self, link: Socket | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A socket of which the test sees each byte, once it is in."""
        before = self.parrot.members
        place: Any = {"sock": link, "limit": 1} if link else {"host": "127.0.0.1", "port": int(self.url.rsplit(":", 1)[1])}
        reader, writer = await asyncio.open_connection(**place)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await reader.read(1) if link else await reader.readuntil(b"\r\n\r\n")
        await until(lambda: self.parrot.members > before, PATIENCE_S, "it is in")
        return reader, writer

    async def refused(self, query: str = "", headers: dict[str, str] | None = None) -> int:
        """The status of the answer to an upgrade."""
        upgrade = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            **(headers or {}),
        }
        async with self.http.get(f"{self.url}/ws{query}", headers=upgrade) as response:
            return response.status


@pytest.fixture
async def opened() -> AsyncIterator[Any]:
    """`await opened(auth=.., limits=..)`: a world, until the end of the test."""
    ends: list[Any] = []

    async def make(
        *,
        auth: bool = False,
        is_open: bool = False,
        limits: SocketLimits = FAST,
        sockets: int = 10,
        requests: int = 1_000,
        **deliveries: Any,
    ) -> World:
        guests = Guests(sockets, 0.001, requests, **deliveries)
        access = access_of(guests, CLOCK, auth=auth, is_open=is_open, trusted=parse_networks(["127.0.0.1"]))
        parrot = Parrot()
        endpoint = SocketEndpoint("parrot", parrot, access, limits, CLOCK)
        app = web.Application()
        app.add_routes([web.get("/ws", endpoint.handle)])
        runner, port = await start_site(app, "127.0.0.1", 0)
        world = World(parrot, endpoint, port, guests)
        ends.append((world, runner))
        return world

    yield make
    for world, runner in ends:
        world.endpoint.stop()
        await world.http.close()
        await asyncio.wait_for(runner.cleanup(), PATIENCE_S)


async def test_text_stays_text_and_bytes_stay_bytes(opened: Any) -> None:
    world = await opened()
    one, two = await world.dial(), await world.dial()
    await one.send_str("grüße")
    await two.receive_str(timeout=PATIENCE_S)
    assert await one.receive_str(timeout=PATIENCE_S) == "grüße"
    await two.send_bytes(b"\0\xff")
    assert await one.receive_bytes(timeout=PATIENCE_S) == b"\0\xff"
    await one.close()
    assert await two.receive_bytes(timeout=PATIENCE_S) == b"\0\xff"
    assert await two.receive_str(timeout=PATIENCE_S) == "1 left"
    assert world.parrot.gone == [1]


async def test_what_was_sent_before_a_close_arrives_before_it(opened: Any) -> None:
    world = await opened()
    socket = await world.dial()
    await socket.send_str("bye")
    assert await socket.receive_str(timeout=PATIENCE_S) == "last words"
    message = await socket.receive(timeout=PATIENCE_S)
    assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 1002, "said bye")
    await until(lambda: not world.endpoint._sockets, PATIENCE_S, "the socket is forgotten")
    assert world.parrot.gone == [], "the core closed it itself"


async def test_the_timer_of_the_core(opened: Any) -> None:
    world = await opened()
    socket = await world.dial()
    await socket.send_str("later")
    await until(lambda: world.parrot.ticks == 1, PATIENCE_S, "the tick comes")


async def test_a_peer_that_does_not_read_is_closed_and_the_others_hear_of_it(opened: Any) -> None:
    world = await opened(limits=SocketLimits(messages_per_s=1_000, outbox_frames=4))
    other = await world.dial()
    socket = await world.dial()
    await socket.send_str("flood 200")
    assert await other.receive_str(timeout=PATIENCE_S) == "2 left"
    while (message := await socket.receive(timeout=PATIENCE_S)).type is aiohttp.WSMsgType.TEXT:
        assert message.data == "x" * 100_000
    assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert socket.close_code in (1013, 1006)
    assert world.parrot.here == [1]


async def test_a_message_that_is_too_long_ends_its_socket(opened: Any) -> None:
    world = await opened(limits=SocketLimits(message_bytes=1_000))
    socket = await world.dial()
    await socket.send_str("x" * 2_000)
    message = await socket.receive(timeout=PATIENCE_S)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)
    await until(lambda: world.parrot.gone == [1], PATIENCE_S, "the core hears of it")


@pytest.mark.parametrize("limit", [1_000, 1024 * KIB])
@pytest.mark.parametrize("fragments", [1, 3])
async def test_the_longest_message_is_taken_and_one_byte_more_is_not(opened: Any, limit: int, fragments: int) -> None:
    """Whether it comes in one frame or in several."""
    world = await opened(limits=SocketLimits(message_bytes=limit))
    other = await world.dial(max_msg_size=0)
    reader, writer = await world.dial_raw()
    writer.write(b"".join(frames_of(b"x" * limit, fragments)))
    assert await other.receive_bytes(timeout=PATIENCE_S) == b"x" * limit
    writer.close()
    assert await other.receive_str(timeout=PATIENCE_S) == "2 left"
    reader, writer = await world.dial_raw()
    writer.write(b"".join(frames_of(b"x" * (limit + 1), fragments)))
    close = await asyncio.wait_for(reader.readexactly(4), PATIENCE_S)
    assert (close[0], int.from_bytes(close[2:4], "big")) == (0x88, 1009)
    writer.close()
    assert await other.receive_str(timeout=PATIENCE_S) == "3 left"


def frames_of(message: bytes, count: int) -> list[bytes]:
    """A binary message in so many frames, masked with zeros (RFC 6455 section 5.2)."""
    step = len(message) // count + 1
    parts = [message[start : start + step] for start in range(0, len(message), step)]
    heads = [0x02, *[0x00] * (len(parts) - 1)]
    heads[-1] |= 0x80
    return [bytes([head, 0xFF]) + len(part).to_bytes(8, "big") + bytes(4) + part for head, part in zip(heads, parts, strict=True)]


async def test_who_says_too_much_is_heard_more_slowly_and_loses_nothing(opened: Any) -> None:
    world = await opened(limits=SocketLimits(messages_per_s=100, messages_burst=10))
    socket = await world.dial()
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(60):
        await socket.send_str(str(number))
    assert [await socket.receive_str(timeout=PATIENCE_S) for _ in range(60)] == [str(number) for number in range(60)]
    assert loop.time() - began > 0.4, "50 of them are over the burst, at 100 a second"


async def test_sockets_of_one_address(opened: Any) -> None:
    world = await opened(sockets=2)
    one, _two = await world.dial(), await world.dial()
    assert await world.refused() == 429
    elsewhere = await world.dial(headers={"X-Forwarded-For": "192.0.2.1"})
    assert not elsewhere.closed
    await one.close()
    await until(lambda: world.parrot.gone == [1], PATIENCE_S, "the first is gone")
    await world.dial()


async def test_requests_of_one_address(opened: Any) -> None:
    world = await opened(requests=2)
    await world.dial()
    await world.dial()
    assert await world.refused() == 429


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:9999", "https://elsewhere.example", "null"])
async def test_pages_of_any_origin_come_as_at_the_servers_their_clients_know(opened: Any, origin: str | None) -> None:
    world = await opened(auth=True)
    headers = {} if origin is None else {"Origin": origin}
    assert await world.refused(headers=headers) == 401
    await world.dial(f"?access_token={token()}", headers=headers)


async def test_a_peer_that_never_reads_leaves_nothing_behind(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when it is the ping that finds it out: what the network holds for it is thrown away, and it counts until then."""
    monkeypatch.setattr("coordinator.p2p.io.socket.PING_INTERVAL_S", 0.4)
    world = await opened(sockets=1)
    link = Socket(AF_INET, SOCK_STREAM)
    link.setsockopt(SOL_SOCKET, SO_RCVBUF, 4_096)  # else the kernel reads for it
    link.connect(("127.0.0.1", int(world.url.rsplit(":", 1)[1])))
    _reader, writer = await world.dial_raw(link)
    text = b"flood 30"
    writer.write(b"\x81" + bytes([0x80 | len(text)]) + b"\0\0\0\0" + text)
    await until(lambda: world.parrot.gone == [1], PATIENCE_S, "the ping finds out")
    assert await world.refused() == 429, "its buffers are still full"

    async def has_room() -> bool:
        return bool(await world.refused() != 429)

    await until(has_room, PATIENCE_S, "the connection is cut")
    assert world.guests.waiting == 0
    writer.close()


async def test_a_token_is_wanted_where_the_cluster_wants_one(opened: Any) -> None:
    world = await opened(auth=True)
    assert await world.refused() == 401
    assert await world.refused("?access_token=nonsense") == 401
    server = token("server", TokenRole.COMMUNICATION_SERVER)
    assert await world.refused(f"?access_token={server}") == 403
    await world.dial(f"?access_token={token()}")
    await world.dial(headers={"Authorization": f"Bearer {token('admin', TokenRole.ADMIN)}"})
    await until(lambda: world.parrot.members == 2, PATIENCE_S, "both are in")


async def test_open_to_everyone_although_the_cluster_is_not(opened: Any) -> None:
    world = await opened(auth=True, is_open=True)
    await world.dial()
    await until(lambda: world.parrot.members == 1, PATIENCE_S, "it is in")


async def test_a_socket_ends_with_its_token(opened: Any) -> None:
    world = await opened(auth=True)
    brief = token("alice", now=CLOCK.now() - DEFAULT_LEEWAY_S, lifetime_s=1)  # it has ended, and lives on for a second of leeway
    socket = await world.dial(f"?access_token={brief}")
    message = await socket.receive(timeout=PATIENCE_S)
    assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 1008, "the token has expired")
    assert world.parrot.gone == [1]


async def test_stopping(opened: Any) -> None:
    world = await opened()
    socket = await world.dial()
    world.endpoint.stop()
    message = await socket.receive(timeout=PATIENCE_S)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
    assert await world.refused() == 503


async def test_a_token_that_was_revoked_while_the_upgrade_was_on_its_way(opened: Any) -> None:
    world = await opened(auth=True)
    answers = iter([False, True])  # when the token is verified, and when the socket is there
    world.endpoint._access._authenticator.obey(lambda claims: next(answers))
    socket = await world.dial(f"?access_token={token()}")
    message = await socket.receive(timeout=PATIENCE_S)
    assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 1008, Code.TOKEN_REVOKED.reason)
    await until(lambda: world.parrot.gone == [1], PATIENCE_S, "the core knows")


@pytest.mark.parametrize("kind", ["close frame", "lost"])
async def test_the_end_of_a_socket_counts_eight_at_least(opened: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    world = await opened(deliveries_per_s=1e-9, deliveries_burst=SOME)
    monkeypatch.setattr(world.endpoint._access.turns, "_worked", lambda: 0.0)
    socket = await world.dial()
    before = world.owed
    if kind == "lost":
        assert socket._response.connection is not None
        socket._response.connection.transport.abort()
    else:
        await socket.close()
    await until(lambda: world.parrot.gone == [1], PATIENCE_S, "it has left")
    assert world.owed - before >= 8


async def test_what_is_said_to_many_counts_for_each_and_by_its_length(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await opened(deliveries_per_s=1e-9, deliveries_burst=SOME)
    monkeypatch.setattr(world.endpoint._access.turns, "_worked", lambda: 0.0)
    sockets = [await world.dial() for _ in range(5)]
    before = world.owed
    await sockets[0].send_str("all" + "x" * 9 * UNIT_BYTES)
    for socket in sockets:
        await socket.receive_str(timeout=PATIENCE_S)
    assert world.owed - before == 5 * 10


async def test_a_plain_request_is_told_what_is_wanted(opened: Any) -> None:
    world = await opened(auth=True)
    async with world.http.get(f"{world.url}/ws") as response:
        assert response.status == 426
