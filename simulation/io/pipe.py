"""Messages on a pipe: eight bytes of length, then a pickle. Only between processes of one run; never read anything else with it."""

from __future__ import annotations

import asyncio
import pickle
import struct
from typing import Any

_LENGTH = struct.Struct("<Q")

MAX_MESSAGE_BYTES = 1 << 31
"""More than the send logs of any run; beyond it the pipe is garbled, by a print somewhere for example."""


def frame(message: object) -> bytes:
    """`message` ready to be written."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


async def receive(reader: asyncio.StreamReader) -> Any:
    """The next message, or None at the end of the pipe. Raises ValueError when the pipe is garbled."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of {length} bytes on the pipe")
        return pickle.loads(await reader.readexactly(length))
    except asyncio.IncompleteReadError:
        return None
