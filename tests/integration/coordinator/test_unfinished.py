"""Frames of peers that are held back before their last byte, on real sockets: they count, they have a time, and end only who sends them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from coordinator.core.guests import Guests
from coordinator.io import bounded
from coordinator.io.bounded import LATE, TOO_MUCH
from protocol import signalling
from protocol.codes import Code
from protocol.limits import KIB
from protocol.pb import broker_pb2 as pb
from tests.integration.coordinator.conftest import PATIENCE_S, SERVER_PATH, Running, Start
from tests.support.poll import until
from tests.support.raw_websocket import BINARY, LAST, PING, RawSocket, frame

CLIENT_PATH = "/connect?v=2"
SHARE, ALL = 1024 * KIB, 3 * 1024 * KIB
PART = 100 * KIB
PARTS = {"of a frame": frame(bytes(PART))[:-1], "of several": frame(bytes(PART), BINARY)}
ONE = "192.0.2.1"


class Crowd:
    """Sockets from many addresses, and what is kept of them."""

    def __init__(self, coordinator: Running, accounts: Guests) -> None:
        self.coordinator = coordinator
        self.accounts = accounts
        self._sockets: list[RawSocket] = []

    async def dial(self, address: str = ONE, path: str = CLIENT_PATH, early: bytes = b"") -> RawSocket:
        """One that has its WELCOME."""
        socket = await RawSocket.dial(self.coordinator.port, path, address, early)
        self._sockets.append(socket)
        await socket.next(PATIENCE_S)
        return socket

    async def hold_back(self, part: bytes, address: str = ONE, path: str = CLIENT_PATH) -> RawSocket:
        """A socket that sends only that."""
        socket, before = await self.dial(address, path), self.accounts.kept
        socket.writer.write(part)
        await until(lambda: self.accounts.kept >= before + len(part) or self.closed > 0, PATIENCE_S, "it counts")
        return socket

    @property
    def closed(self) -> int:
        return self.coordinator.driver.core.stats.closed.total()

    def close(self) -> None:
        for socket in self._sockets:
            socket.close()


@pytest.fixture
async def crowd(start: Start, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crowd]:
    accounts = Guests(0, 0, 0, max_waiting_bytes=ALL, max_address_bytes=SHARE)
    monkeypatch.setattr(bounded, "accounts", lambda: accounts)
    made = Crowd(await start(auth="none", trusted_proxies=["127.0.0.1"]), accounts)
    yield made
    made.close()
    await until(lambda: accounts.kept == 0, PATIENCE_S, "all is given back")


@pytest.mark.parametrize("path", [CLIENT_PATH, SERVER_PATH])
@pytest.mark.parametrize("part", PARTS)
async def test_an_address_that_holds_too_much_back_ends_its_sockets_alone(crowd: Crowd, path: str, part: str) -> None:
    sockets = [await crowd.hold_back(PARTS[part], path=path) for _ in range(SHARE // len(PARTS[part]))]
    assert crowd.closed == 0
    last = await crowd.hold_back(PARTS[part], path=path)
    assert await last.closed(PATIENCE_S) == (Code.SERVER_FULL, TOO_MUCH)
    assert crowd.accounts.kept <= SHARE
    assert crowd.coordinator.driver.core.stats.closed == {Code.SERVER_FULL: 1}
    other = await crowd.hold_back(PARTS[part], "192.0.2.2", path)
    other.writer.write(b"\0" if part == "of a frame" else frame(b"", LAST))
    assert (await other.closed(PATIENCE_S))[0] != Code.SERVER_FULL, "it is whole, and no message"
    sockets[0].close()
    await until(lambda: crowd.accounts.kept <= SHARE - len(PARTS[part]), PATIENCE_S, "it is given back")
    await crowd.hold_back(PARTS[part], path=path)
    assert crowd.coordinator.driver.core.stats.closed[Code.SERVER_FULL] == 1


async def test_many_addresses_have_a_bound_together_and_leave_room(crowd: Crowd) -> None:
    part = PARTS["of a frame"]
    for number in range(2 * ALL // PART):
        await crowd.hold_back(part, f"192.0.2.{number // 8}")
    await until(lambda: crowd.closed == 2 * ALL // PART - crowd.accounts.kept // len(part), PATIENCE_S, "all others are closed")
    assert ALL // 2 < crowd.accounts.kept <= ALL
    assert set(crowd.coordinator.driver.core.stats.closed) == {Code.SERVER_FULL}
    refused = crowd.closed
    server = await crowd.coordinator.join("/discover", "", {"role": "COMMUNICATION_SERVER"})
    client = await crowd.coordinator.join("/connect", "", {})
    await client.send(signalling.connect(server.alias))
    assert (await server.expect(pb.ConnectMessage)).from_alias == client.alias, "others join as ever"
    await server.send(signalling.offer(client.alias, "v=0" + " " * 5_000))
    assert len((await client.expect(pb.WebRtcMessage)).data) > 5_000
    assert crowd.closed == refused
    await client.close()
    await server.close()


async def test_a_frame_has_a_time_to_come(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.core.unfinished.MESSAGE_S", 0.2)
    late, idle = await crowd.dial(), await crowd.dial()
    late.writer.write(frame(b"a", BINARY) + frame(b"", LAST | PING))
    assert await late.next(PATIENCE_S) == (0x8A, b""), "a ping may come between frames of a message"
    assert await late.closed(PATIENCE_S) == (Code.TIMEOUT, LATE)
    idle.writer.write(frame(b"", LAST | PING))
    assert await idle.next(PATIENCE_S) == (0x8A, b""), "between messages there is time without end"


async def test_what_comes_too_much_with_the_request_is_refused_as_well(crowd: Crowd) -> None:
    for _ in range(SHARE // len(PARTS["of a frame"])):
        await crowd.hold_back(PARTS["of a frame"])
    socket = await RawSocket.dial(crowd.coordinator.port, CLIENT_PATH, ONE, PARTS["of a frame"][:50_000])
    assert await socket.closed(PATIENCE_S) == (Code.SERVER_FULL, TOO_MUCH)
    socket.close()


async def test_a_part_that_looks_like_a_message_is_still_a_part(crowd: Crowd) -> None:
    like_one = frame(b"y" * 300)
    data = frame(b"x" * 200 + like_one + b"x" * 200)
    socket = await crowd.dial()
    for piece in (data[:208], data[208 : 208 + len(like_one)], data[208 + len(like_one) : -1]):
        before = crowd.accounts.kept
        socket.writer.write(piece)
        await until(lambda before=before, piece=piece: crowd.accounts.kept > before + len(piece), PATIENCE_S, "it counts")  # type: ignore[misc]
    socket.writer.write(data[-1:])
    assert (await socket.closed(PATIENCE_S))[0] == Code.BAD_MESSAGE, "it is whole, and no signal"


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_whatever_the_pieces_messages_are_heard_in_order(crowd: Crowd, size: int) -> None:
    """The first comes together with the request; small ones and large ones, pings between them."""
    server = await crowd.coordinator.join("/discover", "", {"role": "COMMUNICATION_SERVER"})
    said = [("v=0 " + "x" * length) for length in (10, 200, 5_000, 30, 40_000, 1)]
    frames = [frame(signalling.answer(server.alias, sdp)) for sdp in said]
    data = frame(signalling.connect(server.alias)) + b"".join(each + frame(b"", LAST | PING) for each in frames)
    early, rest = data[:9], data[9:]
    socket = await crowd.dial(early=early)
    for at in range(0, len(rest), size):
        socket.writer.write(rest[at : at + size])
        if size > 1 or at % 64 == 0:
            await socket.writer.drain()
    await server.expect(pb.ConnectMessage)
    for sdp in said:
        assert sdp.encode() in (await server.expect(pb.WebRtcMessage)).data
    await until(lambda: crowd.accounts.kept == 0, PATIENCE_S, "all was handled")
    assert crowd.closed == 0
    await server.close()
