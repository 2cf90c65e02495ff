"""What a bot's packet says about itself, so that its receiver can count it: run, sender, number, topic and time of sending.

The header is 24 bytes, little-endian. A position may follow; zeros fill the body up to the size asked for. Times are those of the
machine's monotonic clock, which all processes of one machine share.
"""

from __future__ import annotations

import struct
import zlib

HEADER = struct.Struct("<IIIId")
"""run, sender, sequence, :func:`topic_mark`, seconds at which it was sent."""

POSITION = struct.Struct("<ff")
"""x and y in metres."""

MIN_BODY_BYTES = HEADER.size

MIN_POSITION_BODY_BYTES = HEADER.size + POSITION.size
"""Where packets say a position."""

MAX_BODY_BYTES = 60_000
"""A packet with its topic and wrapping stays under MAX_MESSAGE_BYTES."""


def topic_mark(topic: str) -> int:
    """32 bits of the topic: a packet that was delivered under another topic than its own gives itself away."""
    return zlib.crc32(topic.encode())


def body_tail(size: int, position: tuple[float, float] | None = None) -> bytes:
    """What follows the header in a body of `size` bytes."""
    return (POSITION.pack(*position) if position else b"").ljust(size - HEADER.size, b"\0")
