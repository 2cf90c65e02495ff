"""GStreamer's signalling over real sockets, spoken by plain WebSockets: every text, close code and reason as it is on the wire."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from coordinator.p2p.core import gstreamer
from tests.integration.coordinator.conftest import PATIENCE_S, Running, Start, token

PATH = "/gstreamer"


class Peer:
    """A client's end."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def says(self, data: str | bytes) -> None:
        await (self.socket.send_str(data) if isinstance(data, str) else self.socket.send_bytes(data))

    async def hears(self, *frames: str | bytes) -> None:
        """Exactly these come next, text as text and binary as binary."""
        for frame in frames:
            message = await self.socket.receive(timeout=PATIENCE_S)
            assert message.data == frame
            assert message.type is (aiohttp.WSMsgType.TEXT if isinstance(frame, str) else aiohttp.WSMsgType.BINARY)

    async def answers(self, data: str | bytes, *frames: str | bytes) -> None:
        await self.says(data)
        await self.hears(*frames)

    async def is_closed(self, code: int, reason: str) -> None:
        message = await self.socket.receive(timeout=PATIENCE_S)
        assert (message.type, message.data, message.extra or "") == (aiohttp.WSMsgType.CLOSE, code, reason)


@pytest.fixture
async def server(start: Start) -> Running:
    """A coordinator that wants no token."""
    return await start(auth="none", p2p=["gstreamer"])


async def connected(server: Running, path: str = PATH, **options: Any) -> Peer:
    return Peer(await server.dial(path, **options))


async def peers(server: Running, *uids: str) -> list[Peer]:
    """Registered ones."""
    made = []
    for uid in uids:
        peer = await connected(server)
        await peer.answers(f"HELLO {uid}", "HELLO")
        made.append(peer)
    return made


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", f"{PATH}/any/path?and=query"])
async def test_any_path_below_will_do(server: Running, path: str) -> None:
    await (await connected(server, path)).answers("HELLO bob", "HELLO")


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("HALLO bob", "invalid protocol"),
        ("HELLO", "invalid protocol"),
        (b"HELLO bob", "invalid protocol"),
        ("HELLO bob ", "invalid peer uid"),
        ("HELLO a b", "invalid peer uid"),
        ("HELLO taken", "invalid peer uid"),
    ],
)
async def test_who_does_not_say_hello_properly_is_closed_without_a_word(server: Running, first: str | bytes, reason: str) -> None:
    (taken,) = await peers(server, "taken")
    peer = await connected(server)
    await peer.says(first)
    await peer.is_closed(1002, reason)
    await taken.answers("ROOM x", "ROOM_OK ")


async def test_who_says_nothing_is_closed(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gstreamer, "HELLO_S", 0.05)
    await (await connected(server)).is_closed(1002, "invalid protocol")


async def test_a_session(server: Running) -> None:
    bob, ann, eve = await peers(server, "bob", "ann", "it's-eve")
    await bob.answers("SESSION nobody", "ERROR peer 'nobody' not found")
    await bob.answers("SESSION it's-him", 'ERROR peer "it\'s-him" not found')
    await bob.answers("SESSION bob", "ERROR peer 'bob' busy")
    await bob.answers("SESSION ann", "SESSION_OK")
    await eve.answers("SESSION bob", "ERROR peer 'bob' busy")
    for sender, receiver in ((bob, ann), (ann, bob)):
        for data in (
            "OFFER_REQUEST",
            '{"sdp": "v=0\\r\\n"}',
            "SESSION it's-eve",
            "ROOM x",
            " ",
            "",
            b"\x00\xff",
            b"",
            "x" * 100_000,
        ):
            await sender.says(data)
            await receiver.hears(data)
    await ann.socket.close()
    await bob.is_closed(1000, "")
    again = await peers(server, "bob", "ann")
    await eve.answers("SESSION bob", "SESSION_OK")
    await eve.says("hallo")
    await again[0].hears("hallo")


async def test_a_peer_that_breaks_off_takes_its_partner_along(server: Running) -> None:
    bob, ann = await peers(server, "bob", "ann")
    await bob.answers("SESSION ann", "SESSION_OK")
    connection = ann.socket._response.connection  # as a crash does; aiohttp has no public way
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()
    await bob.is_closed(1000, "")


async def test_a_room(server: Running) -> None:
    ann, bob, eve, far = await peers(server, "ann", "bob", "eve", "far")
    await ann.answers("ROOM_PEER_LIST", "ERROR invalid msg, 'ROOM_PEER_LIST' without what it needs")
    await ann.answers("ROOM session", "ERROR invalid room id 'session'")
    await ann.answers("ROOM it's mine", 'ERROR invalid room id "it\'s mine"')
    await ann.answers("ROOM hall", "ROOM_OK ")
    await ann.answers("ROOM_PEER_LIST", "ROOM_PEER_LIST ")
    await bob.answers("ROOM hall", "ROOM_OK ann")
    await eve.answers("ROOM hall", "ROOM_OK ann bob")
    await far.answers("ROOM elsewhere", "ROOM_OK ")
    await eve.says("ROOM_PEER_MSG ann  two  blanks ")
    await ann.hears("ROOM_PEER_JOINED bob", "ROOM_PEER_JOINED eve", "ROOM_PEER_MSG eve two  blanks ")
    await bob.hears("ROOM_PEER_JOINED eve")
    await bob.answers("ROOM_PEER_LIST", "ROOM_PEER_LIST ann eve")
    await bob.answers("ROOM_PEER_MSG nobody hi", "ERROR peer 'nobody' not found")
    await bob.answers("ROOM_PEER_MSG far hi", "ERROR peer 'far' is not in the room")
    await bob.answers("ROOM_PEER_MSG ann", "ERROR invalid msg, 'ROOM_PEER_MSG' without what it needs")
    await bob.answers("SESSION far", "ERROR invalid msg, already in room")
    await bob.answers(b"binary", "ERROR invalid msg, already in room")
    await far.answers("SESSION ann", "ERROR invalid msg, already in room")
    await ann.socket.close()
    for peer in (bob, eve):
        await peer.hears("ROOM_PEER_LEFT ann")
    await bob.answers("ROOM_PEER_LIST", "ROOM_PEER_LIST eve")


async def test_a_message_that_is_too_long_ends_its_socket_and_its_session(start: Start) -> None:
    server = await start(auth="none", p2p=["gstreamer"], p2p_max_message=16 * 1024)
    bob, ann = await peers(server, "bob", "ann")
    await bob.answers("SESSION ann", "SESSION_OK")
    await bob.says("x" * 16_000)
    await ann.hears("x" * 16_000)
    await bob.says("x" * 20_000)
    message = await bob.socket.receive(timeout=PATIENCE_S)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)
    await ann.is_closed(1000, "")


async def test_a_token_in_the_url_opens_the_door(start: Start) -> None:
    server = await start(p2p=["gstreamer"])
    status, body, _ = await server.refusal(PATH)
    assert (status, body["code"]) == (401, 4210)
    await (await connected(server, query={"access_token": token()})).answers("HELLO bob", "HELLO")


async def test_at_the_end_everyone_is_told(server: Running) -> None:
    bob, ann, eve = await peers(server, "bob", "ann", "eve")
    await bob.answers("SESSION ann", "SESSION_OK")
    await eve.answers("ROOM hall", "ROOM_OK ")
    silent = await connected(server)
    await server.stop()
    for peer in (bob, ann, eve, silent):
        await peer.is_closed(1001, "going away")
