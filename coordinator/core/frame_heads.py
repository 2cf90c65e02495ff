"""The heads of WebSocket frames (RFC 6455 section 5.2), as far as is needed to tell where frames and messages begin and end."""

from __future__ import annotations

from typing import NamedTuple

SHORTEST_HEAD, LONGEST_HEAD = 2, 14
"""Bytes."""
MASK_BYTES = 4

LAST, OPCODE, CONTROL = 0x80, 0x0F, 0x08
"""In the first byte. Control frames are never parts of a message, and may stand between its frames."""
CLOSE = 0x08
"""An opcode."""
MASKED, LENGTH = 0x80, 0x7F
"""In the second byte."""
IN_TWO_BYTES, IN_EIGHT_BYTES = 126, 127
"""Lengths that say where the length is."""

_LENGTH_BYTES = {IN_TWO_BYTES: 2, IN_EIGHT_BYTES: 8}


class FrameHead(NamedTuple):
    """What one says."""

    length: int
    """Bytes of content."""
    is_last: bool
    """Whether it ends a message."""
    is_control: bool


def head_bytes(data: bytes, at: int = 0) -> int:
    """How long the head is that begins there, as far as can be told."""
    if len(data) < at + SHORTEST_HEAD:
        return SHORTEST_HEAD
    second = data[at + 1]
    return SHORTEST_HEAD + _LENGTH_BYTES.get(second & LENGTH, 0) + (MASK_BYTES if second & MASKED else 0)


def read_head(head: bytes) -> FrameHead:
    """Of a whole head."""
    first, length = head[0], head[1] & LENGTH
    if size := _LENGTH_BYTES.get(length):
        length = int.from_bytes(head[SHORTEST_HEAD : SHORTEST_HEAD + size], "big")
    return FrameHead(length, bool(first & LAST), bool(first & CONTROL))
