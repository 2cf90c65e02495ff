"""NextRTC over real sockets, spoken by plain WebSockets that know only its messages: every text as it is on the wire."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from tests.integration.coordinator.conftest import PATIENCE_S, Running, Start, token
from tests.support.nextrtc import CANDIDATE, SDP, error, message

FENCE = "fence"


class Member:
    """A client's end. Pings are taken out of what it hears, as clients do."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.pings: list[float] = []
        self.id = ""

    async def says(self, signal: str, **values: Any) -> None:
        await self.socket.send_str(json.dumps({"signal": signal, **values}))

    async def heard(self) -> list[str]:
        """All that came since this was asked last: until the answer to a question that is asked now.

        What somebody else did is in it for certain when that one was asked before.
        """
        await self.says("upperCase", content=FENCE)
        frames: list[str] = []
        while True:
            frame = await self.next()
            if frame == message("upperCase", self.id, FENCE.upper()):
                return frames
            frames.append(frame)

    async def next(self) -> str:
        """The next frame that is no ping."""
        while True:
            frame = await self.socket.receive_str(timeout=PATIENCE_S)
            values = json.loads(frame)
            self.id = self.id or values["to"]
            assert values["to"] == self.id
            if values["signal"] != "ping":
                return frame
            assert frame == message("ping", self.id)
            self.pings.append(time.monotonic())

    async def meets(self) -> None:
        """Learn one's id, which is in any answer."""
        assert await self.heard() == []

    async def end(self) -> tuple[int | None, str]:
        """The code and reason it is closed with."""
        while True:
            frame = await self.socket.receive(timeout=PATIENCE_S)
            if frame.type is not aiohttp.WSMsgType.TEXT:
                assert frame.type is aiohttp.WSMsgType.CLOSE
                return frame.data, frame.extra or ""


@pytest.fixture
async def server(start: Start) -> Running:
    """A coordinator that wants no token."""
    return await start(auth="none", p2p=["nextrtc"])


async def members(server: Running, count: int) -> list[Member]:
    """So many, each with its id."""
    made = [Member(await server.dial("/signaling")) for _ in range(count)]
    for each in made:
        await each.meets()
    return made


async def conversation(server: Running, kind: str, count: int) -> list[Member]:
    """So many, in a conversation the first of them created, and no word of it left unread."""
    made = await members(server, count)
    for number, each in enumerate(made):
        await each.says("join" if number else "create", content="room", custom={"type": kind})
        assert (await each.heard())[0] == (
            message("joined", each.id, "room")
            if number
            else message("created", each.id, "room", {"type": "BROADCAST" if kind == "BROADCAST" else "MESH"})
        )
    for each in made:
        await each.heard()
    return made


async def negotiate(master: Member, slave: Member) -> None:
    """From the offer to the candidates; one of each side comes too early and waits."""
    await slave.says("candidate", to=master.id, content=CANDIDATE)
    await master.says("offerResponse", to=slave.id, content=SDP, custom={"type": "offer"})
    assert await slave.next() == message("answerRequest", slave.id, SDP, {"type": "offer"}, master.id)
    await master.says("candidate", to=slave.id, content=CANDIDATE)
    await master.meets()
    await slave.says("answerResponse", to=master.id, content=SDP)
    assert await master.next() == message("finalize", master.id, SDP, {}, slave.id)
    assert await master.next() == message("candidate", master.id, CANDIDATE, {}, slave.id)
    assert await slave.next() == message("candidate", slave.id, CANDIDATE, {}, master.id)
    await slave.says("candidate", to=master.id, content="late")
    assert await master.next() == message("candidate", master.id, "late", {}, slave.id)


async def test_a_mesh_from_its_first_member_to_its_last(server: Running) -> None:
    one, two, three = await members(server, 3)
    await one.says("create", **{"from": None, "to": None, "content": None, "custom": None})
    created = await one.next()
    name = json.loads(created)["content"]
    assert created == message("created", one.id, name, {"type": "MESH"})
    await two.says("join", content=name)
    assert await two.heard() == [message("joined", two.id, name), message("newJoined", two.id, one.id, {}, one.id)]
    assert await one.heard() == [
        message("newJoined", one.id, two.id, {}, two.id),
        message("offerRequest", one.id, "", {}, two.id),
    ]
    await negotiate(one, two)
    await three.says("join", content=name)
    assert len(await three.heard()) == 3
    assert (len(await one.heard()), len(await two.heard())) == (2, 2)
    await negotiate(one, three)
    await negotiate(two, three)
    await three.says("text", content="<hello> & it's me", custom={"to": "all"})
    for other in (one, two):
        assert await other.next() == message("text", other.id, "&lt;hello&gt; &amp; it's me", {"to": "all"}, three.id)
    await one.says("text", to=three.id, content="you")
    assert await three.next() == message("text", three.id, "you", {}, one.id)
    await two.says("left")
    assert [await each.heard() for each in (two, one, three)] == [[], left(two, one), left(two, three)]
    await one.socket.close()
    assert [await three.next()] == left(one, three)
    await two.says("join", content=name)
    assert (await two.heard())[0] == message("joined", two.id, name)


def left(leaver: Member, to: Member) -> list[str]:
    """What one who stays is told."""
    return [message("left", to.id, sender=leaver.id)]


async def test_a_broadcast(server: Running) -> None:
    """Each listener with the broadcaster alone; when that one goes, everybody is free again."""
    broadcaster, one, two = await conversation(server, "BROADCAST", 3)
    await negotiate(broadcaster, one)
    await negotiate(broadcaster, two)
    await one.says("candidate", to=two.id, content=CANDIDATE)
    await one.says("text", content="to all")
    assert [await each.heard() for each in (one, broadcaster, two)] == [
        [],
        [message("text", broadcaster.id, "to all", {}, one.id)],
        [message("text", two.id, "to all", {}, one.id)],
    ]
    await one.says("left")
    assert [await each.heard() for each in (one, broadcaster, two)] == [[], left(one, broadcaster), []]
    await broadcaster.socket.close()
    assert await two.next() == message("left", two.id, sender=broadcaster.id)
    assert await two.next() == message("end", two.id, "room", {}, broadcaster.id)
    await two.says("create", content="room")
    await one.says("join", content="room")
    assert await two.next() == message("created", two.id, "room", {"type": "MESH"})
    assert await one.next() == message("joined", one.id, "room")


async def test_a_mesh_with_master(server: Running) -> None:
    master, one, two = await conversation(server, "MESH_WITH_MASTER", 3)
    await negotiate(one, two)
    await master.says("left")
    assert [await each.heard() for each in (master, one, two)] == [
        [],
        left(master, one),
        [*left(master, two), *left(one, two)],
    ]
    await two.says("left")
    assert await two.heard() == [error(two.id, "CONVERSATION_NOT_FOUND")]


async def test_what_is_refused(server: Running) -> None:
    """Every code a client can meet; the socket stays open."""
    inside, _ = await conversation(server, "MESH", 2)
    (outside,) = await members(server, 1)
    for member, signal, values, code in (
        (inside, "create", {"content": "other"}, "MEMBER_IN_OTHER_CONVERSATION"),
        (inside, "join", {"content": "room"}, "MEMBER_IN_OTHER_CONVERSATION"),
        (outside, "create", {"content": "room"}, "CONVERSATION_NAME_OCCUPIED"),
        (outside, "left", {}, "CONVERSATION_NOT_FOUND"),
        (outside, "offerResponse", {"to": inside.id}, "INVALID_RECIPIENT"),
        (outside, "answerResponse", {"to": inside.id}, "INVALID_RECIPIENT"),
        (outside, "candidate", {"to": inside.id}, "INVALID_RECIPIENT"),
    ):
        await member.says(signal, **values)
        assert await member.heard() == [error(member.id, code)]


async def test_what_cannot_be_read(server: Running) -> None:
    """Text and binary; the one who sent it goes on, in its conversation."""
    one, two = await conversation(server, "MESH", 2)
    await one.socket.send_str("{'signal':'text','content':'it's'}")
    await one.socket.send_bytes(b'{"signal":"left"}')
    await one.socket.send_str("{'signal':'text','content':'single \"quotes\"'}")
    assert await one.heard() == [
        error(one.id, "UNKNOWN_ERROR", "a message is JSON"),
        error(one.id, "UNKNOWN_ERROR", "binary frames are not part of this protocol"),
    ]
    assert await two.heard() == [message("text", two.id, 'single "quotes"', {}, one.id)]


async def test_the_first_thing_a_socket_hears_is_a_ping(server: Running) -> None:
    """After a second, then every three; a client that says nothing stays."""
    opened = time.monotonic()
    member = Member(await server.dial("/signaling"))
    first = await member.socket.receive_str(timeout=PATIENCE_S)
    assert time.monotonic() - opened > 0.9
    member.id = json.loads(first)["to"]
    assert first == message("ping", member.id)
    second = await member.socket.receive_str(timeout=PATIENCE_S)
    assert second == first
    assert time.monotonic() - opened > 3.9


async def test_sixty_four_in_one_conversation(server: Running) -> None:
    everyone = await members(server, 64)
    for number, newcomer in enumerate(everyone):
        await newcomer.says("join", content="crowd")
        heard = await newcomer.heard()
        assert heard[1:] == [message("newJoined", newcomer.id, each.id, {}, each.id) for each in everyone[:number]]
    first = await everyone[0].heard()
    assert [json.loads(frame)["signal"] for frame in first] == ["newJoined", "offerRequest"] * 63
    for each in everyone:
        await each.heard()
    await everyone[-1].says("text", content="hello")
    assert await everyone[-1].heard() == []
    for each in everyone[:-1]:
        assert await each.heard() == [message("text", each.id, "hello", {}, everyone[-1].id)]


async def test_the_conversation_is_as_large_as_is_allowed(start: Start) -> None:
    server = await start(auth="none", p2p=["nextrtc"], p2p_max_room_members=2, p2p_max_rooms=1, p2p_max_members=4)
    await conversation(server, "MESH", 2)
    three, four = await members(server, 2)
    await three.says("join", content="room")
    assert await three.heard() == [error(three.id, "UNKNOWN_ERROR", "the conversation is full")]
    await four.says("create")
    assert await four.heard() == [error(four.id, "UNKNOWN_ERROR", "there are too many conversations")]
    five = Member(await server.dial("/signaling"))
    assert json.loads(await five.next())["custom"]["reason"] == "there are too many members"
    assert await five.end() == (1013, "there are too many members")


async def test_it_takes_a_token_where_the_cluster_does(start: Start) -> None:
    server = await start(p2p=["nextrtc"])
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await server.dial("/signaling")
    member = Member(await server.dial("/signaling", {"access_token": token()}))
    await member.says("create", content="room")
    assert json.loads(await member.next())["content"] == "room"


async def test_it_is_off_unless_it_is_switched_on(start: Start) -> None:
    server = await start(auth="none")
    async with server.http.get("/signaling") as response:  # a handshake that fails would leave its connection to the collector
        assert response.status == 404


async def test_who_is_connected_hears_of_the_end(server: Running) -> None:
    one, two = await conversation(server, "MESH", 2)
    ends = [asyncio.create_task(each.end()) for each in (one, two)]
    await server.stop()
    assert await asyncio.gather(*ends) == [(1001, "going away")] * 2
