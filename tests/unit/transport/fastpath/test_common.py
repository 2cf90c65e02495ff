"""The common packets are, byte for byte, what aiortc writes and reads; anything else is left to it."""

from __future__ import annotations

from typing import Any

import pytest
from aiortc.rtcsctptransport import Chunk, DataChunk, ForwardTsnChunk, SackChunk, parse_packet, serialize_packet
from google_crc32c import value as crc32c
from hypothesis import given
from hypothesis import strategies as st

from transport.fastpath import common
from transport.fastpath.common import Message

PORTS = (5000, 5001)
U32 = st.integers(0, 2**32 - 1)
U16 = st.integers(0, 2**16 - 1)
MESSAGES = st.builds(Message, U32, U16, U16, st.booleans(), U32, st.binary(min_size=1, max_size=50))


def chunk_of(message: Message) -> DataChunk:
    chunk = DataChunk(7 if message.unordered else 3)
    chunk.tsn, chunk.stream_id, chunk.stream_seq = message.tsn, message.stream_id, message.stream_seq
    chunk.protocol, chunk.user_data = message.protocol, message.body
    return chunk


def sack_of(tsn: int, window: int = 1000, **lists: Any) -> SackChunk:
    sack = SackChunk()
    sack.cumulative_tsn, sack.advertised_rwnd = tsn, window
    sack.gaps, sack.duplicates = lists.get("gaps", []), lists.get("duplicates", [])
    return sack


def packet(tag: int, *chunks: Chunk) -> bytes:
    """Chunks bundled into one packet, as other stacks do."""
    parts = [serialize_packet(*PORTS, tag, chunk) for chunk in chunks]
    unsigned = parts[0][:8] + bytes(4) + b"".join(part[12:] for part in parts)
    return unsigned[:8] + int(crc32c(unsigned)).to_bytes(4, "little") + unsigned[12:]


@given(U32, MESSAGES)
def test_a_message_is_written_as_aiortc_writes_it(tag: int, message: Message) -> None:
    written = common.data_packet(PORTS, tag, message)
    assert written == serialize_packet(*PORTS, tag, chunk_of(message))
    assert common.read(written) == (tag, None, message)


@given(U32, U32, U32)
def test_a_sack_is_written_as_aiortc_writes_it(tag: int, tsn: int, window: int) -> None:
    written = common.sack_packet(PORTS, tag, tsn, window)
    assert written == serialize_packet(*PORTS, tag, sack_of(tsn, window))
    assert common.read(written) == (tag, tsn, None)


@given(U32, U32, MESSAGES)
def test_a_sack_and_a_message_in_one_packet(tag: int, tsn: int, message: Message) -> None:
    assert common.read(packet(tag, sack_of(tsn), chunk_of(message))) == (tag, tsn, message)


MESSAGE = Message(7, 1, 2, False, 53, b"body")


def fragment(flags: int) -> DataChunk:
    chunk = chunk_of(MESSAGE)
    chunk.flags = flags
    return chunk


@pytest.mark.parametrize(
    "chunks",
    [
        [fragment(0)],
        [fragment(1)],
        [fragment(2)],
        [chunk_of(MESSAGE), chunk_of(MESSAGE)],
        [chunk_of(MESSAGE), sack_of(1)],
        [sack_of(1, gaps=[(2, 3)])],
        [sack_of(1, duplicates=[1])],
        [sack_of(1), sack_of(2)],
        [ForwardTsnChunk()],
    ],
    ids=["middle", "last", "first", "two messages", "message and SACK", "gaps", "duplicates", "two SACKs", "FORWARD-TSN"],
)
def test_other_shapes_are_not_read(chunks: list[Chunk]) -> None:
    whole = packet(1, *chunks)
    assert len(parse_packet(whole)[3]) == len(chunks), "aiortc reads it"
    assert common.read(whole) is None


@given(MESSAGES, st.data())
def test_a_changed_packet_is_not_read(message: Message, data: st.DataObject) -> None:
    written = bytearray(common.data_packet(PORTS, 9, message))
    written[data.draw(st.integers(0, len(written) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert common.read(bytes(written)) is None


@given(st.binary(max_size=60))
def test_no_bytes_raise(data: bytes) -> None:
    common.read(data)
    common.read(bytes(12) + data)
    common.read(bytes(12) + b"\x03\0\0\x10" + data)


@given(MESSAGES, st.integers(0, 80))
def test_a_packet_that_is_cut_short_is_not_read(message: Message, length: int) -> None:
    written = common.data_packet(PORTS, 9, message)
    assert common.read(written[:length]) is None or length >= len(written)
