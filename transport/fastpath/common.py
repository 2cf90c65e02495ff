"""The packets that nearly all traffic consists of, read and written without an object for each of their parts. Pure.

One whole message in one DATA chunk, a SACK without gap blocks, or such a SACK followed by such a chunk (as browsers bundle them); RFC
9260 sections 3.1, 3.3.1 and 3.3.4. Whatever is of another shape is for aiortc to read and write.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from google_crc32c import value as crc32c

DATA: Final = 0
SACK: Final = 3

LAST_FRAGMENT: Final = 1
FIRST_FRAGMENT: Final = 2
UNORDERED: Final = 4
_WHOLE: Final = FIRST_FRAGMENT | LAST_FRAGMENT

_COMMON: Final = 12  # bytes of the common header
_HEADER: Final = 16  # of a DATA chunk, and all of a SACK without lists
_NO_CHECKSUM: Final = bytes(4)
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
_CHECKSUM: Final = struct.Struct("<L")

_DATA_PACKET: Final = struct.Struct("!HHLLBBHLHHL")
_SACK_PACKET: Final = struct.Struct("!HHLLBBHLLHH")
_TAG: Final = struct.Struct("!L")
_DATA_CHUNK: Final = struct.Struct("!BBHLHHL")
_SACK_CHUNK: Final = struct.Struct("!BBHLLL")


class Message(NamedTuple):
    """A DATA chunk that holds one whole message."""

    tsn: int
    stream_id: int
    stream_seq: int
    """0 and without meaning where `unordered`."""
    unordered: bool
    protocol: int
    body: bytes


class Common(NamedTuple):
    """What a packet of the common shape holds."""

    tag: int
    acknowledged: int | None
    """Cumulative TSN of its SACK."""
    message: Message | None


def read(packet: bytes) -> Common | None:
    """Read a packet of the common shape; None for any other, and for one whose checksum is wrong."""
    length = len(packet)
    if length < _COMMON + _HEADER:
        return None
    at = _COMMON
    acknowledged = None
    if packet[at] == SACK:
        _, _, size, acknowledged, _, lists = _SACK_CHUNK.unpack_from(packet, at)
        if size != _HEADER or lists:
            return None
        at += _HEADER
    message = None
    if at < length:
        message = _read_message(packet, at, length)
        if message is None:
            return None
    if _CHECKSUM.unpack_from(packet, 8)[0] != crc32c(packet[:8] + _NO_CHECKSUM + packet[12:]):
        return None
    return Common(_TAG.unpack_from(packet, 4)[0], acknowledged, message)


def _read_message(packet: bytes, at: int, length: int) -> Message | None:
    if packet[at] != DATA or at + _HEADER >= length:
        return None
    _, flags, size, tsn, stream_id, stream_seq, protocol = _DATA_CHUNK.unpack_from(packet, at)
    end = at + size
    if flags & _WHOLE != _WHOLE or size <= _HEADER or end > length or end + len(_PADDING[size & 3]) < length:
        return None  # a fragment, an empty or broken chunk, or more chunks behind it
    return Message(tsn, stream_id, stream_seq, bool(flags & UNORDERED), protocol, packet[at + _HEADER : end])


def data_packet(ports: tuple[int, int], tag: int, message: Message) -> bytes:
    """The packet of one whole message."""
    body = message.body
    size = _HEADER + len(body)
    flags = _WHOLE | UNORDERED if message.unordered else _WHOLE
    tsn, stream_id, stream_seq = message.tsn, message.stream_id, message.stream_seq
    header = _DATA_PACKET.pack(*ports, tag, 0, DATA, flags, size, tsn, stream_id, stream_seq, message.protocol)
    return _with_checksum(header + body + _PADDING[size & 3])


def sack_packet(ports: tuple[int, int], tag: int, cumulative_tsn: int, window: int) -> bytes:
    """The packet of a SACK without gap blocks; `window` in bytes."""
    return _with_checksum(_SACK_PACKET.pack(*ports, tag, 0, SACK, 0, _HEADER, cumulative_tsn, window, 0, 0))


def _with_checksum(packet: bytes) -> bytes:
    return b"%b%b%b" % (packet[:8], _CHECKSUM.pack(crc32c(packet)), packet[12:])
