"""AppRTC over real sockets, and somebody who makes it keep all he can: others go on, and what cannot be kept is not read first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from coordinator.core.guests import Guests
from coordinator.core.store import MESSAGE_OVERHEAD_BYTES
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S
from tests.support.apprtc_site import MAX_MESSAGE, ROOM_SERVER, Site, apprtc_site, text_of
from tests.support.poll import until

ONE = "192.0.2.1"
OTHER = "192.0.2.2"
EACH = 5
"""Largest messages that may be kept of one address."""
FULL = "Failed to send the message: Too many messages queued for the client\n"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """With room for three addresses."""
    size = MAX_MESSAGE + MESSAGE_OVERHEAD_BYTES
    # One more than can be kept: a message counts as it comes, too, with what is around it, until it is answered.
    each = EACH * size + MAX_MESSAGE + 300
    guests = Guests(100, 0.001, 10_000, max_waiting_bytes=3 * each, max_address_bytes=each)
    async with apprtc_site(CLOCK, guests=guests) as made:
        yield made


async def say(site: Site, room: str, address: str, body: str = "x" * MAX_MESSAGE) -> str:
    """Join a room as the first, and say something: the result."""
    client = (await site.join(room))["client_id"]
    answer = await site.post(f"/message/{room}/{client}", body, **{"X-Forwarded-For": address})
    return str(answer.json["result"])


async def test_an_address_that_fills_the_room_server_is_refused_alone(site: Site) -> None:
    results = [await say(site, f"room-{number}", ONE) for number in range(EACH + 3)]
    assert results == ["SUCCESS"] * EACH + ["ERROR"] * 3
    assert await say(site, "other", OTHER) == "SUCCESS"
    assert (await site.join("other"))["messages"] == ["x" * MAX_MESSAGE]
    assert (await site.join("room-0"))["messages"] == ["x" * MAX_MESSAGE], "nothing is lost of what was taken"
    assert await say(site, "another", ONE) == "SUCCESS", "and its place is free again"


async def test_an_address_that_fills_collider_is_refused_alone(site: Site) -> None:
    """Nor does it help to go there after the room server is full."""
    assert [await say(site, f"room-{number}", ONE) for number in range(EACH - 1)] == ["SUCCESS"] * (EACH - 1)
    answers = [await post(site, f"at-collider-{number}", ONE) for number in range(3)]
    assert answers == ["OK\n", FULL, FULL]
    assert await post(site, "other", OTHER) == "OK\n"
    socket = await site.dial(headers={"X-Forwarded-For": ONE})
    await socket.send_json({"cmd": "register", "roomid": "third", "clientid": "1"})
    await socket.send_json({"cmd": "send", "msg": "x" * MAX_MESSAGE})
    await until(lambda: site.service.counts.errors["queue_full"] == 3, PATIENCE_S, "what is sent is of its address, too")


async def test_a_text_of_four_byte_characters_takes_what_it_takes(site: Site) -> None:
    text = "\U0001f600" * (MAX_MESSAGE // 4)
    assert await say(site, "room", ONE, text) == "SUCCESS"
    assert site.guests.kept == MAX_MESSAGE + MESSAGE_OVERHEAD_BYTES
    assert (await site.join("room"))["messages"] == [text]
    assert site.guests.kept == 0
    assert await post(site, "room-2", ONE, text) == "OK\n"
    assert site.guests.kept == MAX_MESSAGE + MESSAGE_OVERHEAD_BYTES
    socket = await site.dial()
    await socket.send_json({"cmd": "register", "roomid": "room-2", "clientid": "2"})
    assert len(await text_of(socket)) > MAX_MESSAGE
    assert site.guests.kept == 0


async def test_a_message_of_a_stranger_is_answered_before_it_is_here(site: Site) -> None:
    client = (await site.join("room"))["client_id"]
    assert await answer_to_half(site, "/apprtc/message/nowhere/1") == "UNKNOWN_ROOM"
    assert await answer_to_half(site, "/apprtc/message/room/1") == "UNKNOWN_CLIENT"
    assert site.service.counts.errors == {"unknown_room": 1, "unknown_client": 1}
    assert await answer_to_half(site, f"/apprtc/message/room/{client}") == "", "of that one it is waited for"


async def test_a_third_one_at_collider_is_answered_before_the_message_is_here(site: Site) -> None:
    for client in ("1", "2"):
        assert (await site.post(f"{site.collider}/room/{client}", "x")).status == 200
    assert await answer_to_half(site, "/collider/room/3") == "Max room capacity reached"
    assert await answer_to_half(site, "/collider/room/1") == ""


async def test_bodies_that_are_held_back_take_of_the_same_share(site: Site) -> None:
    assert [await say(site, f"room-{number}", ONE) for number in range(EACH)] == ["SUCCESS"] * EACH
    client = (await site.join("mine"))["client_id"]
    async with half(site, f"/apprtc/message/mine/{client}", ONE):
        taken = EACH * (MAX_MESSAGE + MESSAGE_OVERHEAD_BYTES) + 500
        await until(lambda: site.guests.kept == taken, PATIENCE_S, "half of it counts")
        answer = await site.post(f"/message/mine/{client}", "x" * MAX_MESSAGE, **{"X-Forwarded-For": ONE})
        assert (answer.status, answer.json["reason"]) == (429, "too much of what this address has sent is still kept")
        assert await say(site, "other", OTHER) == "SUCCESS"
    await until(lambda: site.guests.kept < taken + MAX_MESSAGE, PATIENCE_S, "it is broken off")
    assert await site.post("/leave/mine/" + client) == (200, ROOM_SERVER, "")


async def post(site: Site, room: str, address: str, body: str = "x" * MAX_MESSAGE) -> str:
    """To Collider, for a client that is alone."""
    return (await site.post(f"{site.collider}/{room}/1", body, **{"X-Forwarded-For": address})).body


@contextlib.asynccontextmanager
async def half(site: Site, path: str, address: str = ONE) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A POST of which only a half has come."""
    host, port = site.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {path} HTTP/1.1\r\nHost: {site.host}\r\nX-Forwarded-For: {address}\r\nContent-Length: 1000\r\n\r\n"
    writer.write(head.encode() + b"x" * 500)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def answer_to_half(site: Site, path: str) -> str:
    """Which of these words is in the answer; empty where none comes before the other half, although all that came was counted."""
    words = ("UNKNOWN_ROOM", "UNKNOWN_CLIENT", "Max room capacity reached")
    before = site.guests.kept
    async with half(site, path) as (reader, writer):
        came = asyncio.create_task(reader.read(10_000))
        await until(lambda: came.done() or site.guests.kept >= before + 500, PATIENCE_S, "it is answered, or waited for")
        was_answered = came.done()
        writer.write(b"x" * 500)  # or the server would go on reading for some seconds
        text = (await asyncio.wait_for(came, PATIENCE_S)).decode()
        return next(word for word in words if word in text) if was_answered else ""
