"""Messages arrive as they were sent, or the pipe is found out."""

from __future__ import annotations

import asyncio
import struct

import pytest

from simulation.core.messages import Progress
from simulation.io import pipe


def reader(data: bytes) -> asyncio.StreamReader:
    made = asyncio.StreamReader()
    made.feed_data(data)
    made.feed_eof()
    return made


async def test_messages_arrive_in_order() -> None:
    made = reader(pipe.frame(Progress(connected=1)) + pipe.frame("two"))
    assert [await pipe.receive(made) for _ in range(3)] == [Progress(connected=1), "two", None]


async def test_a_pipe_that_ends_within_a_message_has_ended() -> None:
    assert await pipe.receive(reader(pipe.frame("message")[:-1])) is None
    assert await pipe.receive(reader(b"\0\0")) is None


async def test_a_garbled_pipe_is_refused() -> None:
    with pytest.raises(ValueError, match="on the pipe"):
        await pipe.receive(reader(struct.pack("<Q", pipe.MAX_MESSAGE_BYTES + 1)))
