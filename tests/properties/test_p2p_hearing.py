"""What is heard of several sockets is what whoever reads all their bytes at once would read, however they come and whoever waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple
from unittest.mock import Mock

import pytest
from aiohttp import WSMsgType
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.guests import Guest, Guests
from coordinator.io import turns as module
from coordinator.io.turns import Turns
from coordinator.p2p.core.incoming import Incoming
from coordinator.p2p.io.metered import MeteredWebSocket
from service.clock import Clock

CLOCK = Clock()
MORE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KINDS = {WSMsgType.TEXT: TEXT, WSMsgType.BINARY: BINARY, WSMsgType.PING: PING, WSMsgType.PONG: PONG}

Said = tuple[int, bytes]


class Frame(NamedTuple):
    opcode: int
    is_last: bool
    content: bytes
    mask: bytes

    def encode(self) -> bytes:
        """RFC 6455 section 5.2."""
        size = len(self.content)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        content = bytes(byte ^ self.mask[at % 4] for at, byte in enumerate(self.content))
        return bytes([self.opcode | (0x80 if self.is_last else 0)]) + length + self.mask + content


def frames(opcodes: list[int], max_size: int) -> st.SearchStrategy[Frame]:
    return st.builds(
        Frame, st.sampled_from(opcodes), st.just(True), st.binary(max_size=max_size), st.binary(min_size=4, max_size=4)
    )


CONTROL = frames([PING, PONG], 125)


@st.composite
def messages(draw: st.DrawFn) -> list[Frame]:
    """One in some frames, with control frames between them."""
    parts = draw(st.lists(frames([MORE], 300), min_size=1, max_size=4))
    first = parts[0]._replace(opcode=draw(st.sampled_from([TEXT, BINARY])))
    made: list[Frame] = []
    for number, part in enumerate([first, *parts[1:]], 1):
        made += [part._replace(is_last=number == len(parts)), *draw(st.lists(CONTROL, max_size=2))]
    return made if made[-1].opcode not in (PING, PONG) else [*made, draw(CONTROL)]


STREAM = st.lists(st.one_of(messages(), st.lists(CONTROL, min_size=1, max_size=70)), max_size=4).map(
    lambda parts: [frame for part in parts for frame in part]
)


def naive(stream: list[Frame]) -> list[Said]:
    """What it says, read frame by frame."""
    said: list[Said] = []
    opcode, content = 0, b""
    for frame in stream:
        if frame.opcode in (PING, PONG):
            said.append((frame.opcode, frame.content))
            continue
        opcode, content = frame.opcode or opcode, content + frame.content
        if frame.is_last:
            said.append((opcode, content))
            content = b""
    return said


class Listener:
    """A socket without a network, and what was heard of it."""

    def __init__(self, turns: Turns, guest: Guest) -> None:
        self.heard: list[Said] = []
        self._turns = turns
        self._guest = guest
        self.ws = MeteredWebSocket(
            Incoming(guest.account), CLOCK.now, max_msg_size=10_000, timeout=1, heartbeat=30, writer_limit=1_000
        )
        self.ws.refuse = self.fail

    def fail(self, code: int, reason: str) -> None:
        raise AssertionError(reason)

    async def prepare(self) -> tuple[Callable[[bytes], tuple[bool, bytes]], Callable[[], None]]:
        """How to tell it of bytes, and of the end."""
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        connection = Mock(_message_tail=b"", _timeout_ceil_threshold=5, _reading_paused=False)
        connection.transport.is_closing.return_value = False
        connection.transport.set_read_buffer_limits = None
        request = make_mocked_request("GET", "/", headers=headers, protocol=connection, transport=connection.transport)
        await self.ws.prepare(request)
        return connection._payload_parser.feed_data, connection._payload_parser.feed_eof

    async def listen(self) -> None:
        while await self.ws.arrived():
            self.ws.hold()
            await self._turns.take(self._guest, self._hear)
        self.ws._cancel_heartbeat()
        self.ws.release()

    def _hear(self) -> int:
        portion, messages = self.ws.hand_on()
        self.heard += [(KINDS[message.type], bytes(message.data)) for message in messages]
        self.ws.incoming.heard()
        return portion.cost


@given(st.lists(STREAM, min_size=1, max_size=4), st.data())
def test_all_is_heard_once_and_in_order(streams: list[list[Frame]], data: st.DataObject) -> None:
    wires = [b"".join(frame.encode() for frame in stream) for stream in streams]
    cuts = [sorted(data.draw(st.sets(st.integers(0, len(wire)), max_size=8)) | {0, len(wire)}) for wire in wires]
    pieces = [(number, wires[number][start:end]) for number, cut in enumerate(cuts) for start, end in pairwise(cut)]
    order = data.draw(st.permutations([number for number, _ in pieces]))
    waits = data.draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)))
    addresses = [data.draw(st.sampled_from(["192.0.2.1", "192.0.2.2"])) for _ in streams]

    async def run() -> list[list[Said]]:
        turns, guests = Turns(CLOCK.now), Guests(100, 1, 1, deliveries_per_s=0)
        listeners = [Listener(turns, guests.guest(address, CLOCK.now())) for address in addresses]
        feeds = [await listener.prepare() for listener in listeners]
        tasks = [asyncio.create_task(listener.listen()) for listener in listeners]
        left = {number: [piece for owner, piece in pieces if owner == number] for number in range(len(streams))}
        for number, is_pause in zip(order, waits, strict=True):
            feeds[number][0](left[number].pop(0))
            if is_pause:
                await asyncio.sleep(0)
        for _, lost in feeds:
            lost()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        assert guests.kept == 0
        return [listener.heard for listener in listeners]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PASS_DELIVERIES", data.draw(st.sampled_from([1, 5, 128])))
        heard = asyncio.run(run())
    assert heard == [naive(stream) for stream in streams]


@given(STREAM, st.integers(0, 3))
def test_nothing_is_heard_behind_a_close_frame(stream: list[Frame], cut: int) -> None:
    wire = b"".join(frame.encode() for frame in stream)
    end = Frame(CLOSE, True, b"\x03\xe8", bytes(4)).encode()

    async def run() -> list[Said]:
        listener = Listener(Turns(CLOCK.now), Guests(100, 1, 1, deliveries_per_s=0).guest("192.0.2.1", CLOCK.now()))
        feed, _ = await listener.prepare()
        hearing = asyncio.create_task(listener.listen())
        await asyncio.sleep(0)
        for piece in (wire[:cut], wire[cut:] + end + wire, wire):
            if piece:
                feed(piece)
        await asyncio.wait_for(hearing, 10)
        return listener.heard

    assert asyncio.run(run()) == naive(stream)
