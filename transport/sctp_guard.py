"""What a peer may put into an SCTP packet before aiortc gets to see it. Pure.

aiortc trusts what its peer sends further than a server can: a parameter of length 0 makes it loop for ever, a heartbeat is
answered as often as it is repeated, and the rules broken here end in a failed `assert` at best. Packets reach this check
decrypted, so whoever breaks a rule is the peer itself, and only its link is ended.
"""

from __future__ import annotations

from typing import Final

MAX_CONTROL_CHUNKS = 8
"""Chunks other than DATA in one packet. Stacks bundle two or three (SACK, FORWARD-TSN, RE-CONFIG)."""

_COMMON_HEADER: Final = 12
_CHUNK_HEADER: Final = 4
_DATA: Final = 0
_DATA_HEADER: Final = 16
_INIT: Final = 1
# Where the parameters start in the chunks that have some (RFC 9260 section 3.3, RFC 6525 section 3.1).
_PARAMETERS_AT: Final = {_INIT: 20, 2: 20, 4: 4, 5: 4, 6: 4, 9: 4, 130: 4}


class ProtocolViolation(Exception):
    """The peer broke a rule of SCTP or of data channels; its link ends."""


def check_packet(data: bytes) -> None:
    """Check one SCTP packet. Raises :class:`ProtocolViolation`.

    A packet that is cut short or has a wrong checksum is none of ours to judge: aiortc drops it.
    """
    position, end = _COMMON_HEADER, len(data)
    chunks = control = 0
    init = False
    while position + _CHUNK_HEADER <= end:
        kind = data[position]
        length = data[position + 2] << 8 | data[position + 3]
        if length < _CHUNK_HEADER or position + length > end:
            return
        chunks += 1
        if kind == _DATA:
            if length <= _DATA_HEADER:
                raise ProtocolViolation("a DATA chunk without user data (RFC 9260 section 6.2)")
        else:
            control += 1
            if control > MAX_CONTROL_CHUNKS:
                raise ProtocolViolation(f"more than {MAX_CONTROL_CHUNKS} control chunks in a packet")
            init = init or kind == _INIT
            offset = _PARAMETERS_AT.get(kind)
            if offset is not None:
                _check_parameters(data, position + offset, position + length)
        position += (length + 3) & ~3
    if init and chunks > 1:
        raise ProtocolViolation("INIT is bundled with other chunks (RFC 9260 section 3.3.2)")


def check_sack(outstanding: int, gaps: list[tuple[int, int]]) -> None:
    """Check the gap blocks of a SACK whose cumulative TSN is `outstanding` below the last one we sent (modulo 2^32).

    Every block is walked TSN by TSN later, so together they may not name more than was sent. Raises :class:`ProtocolViolation`.
    """
    if outstanding >= 2**31:
        raise ProtocolViolation("a SACK for what was never sent")
    total = 0
    for start, end in gaps:
        total += end - start + 1
        if not 1 <= start <= end <= outstanding or total > outstanding:
            raise ProtocolViolation("a SACK with gap blocks of what was never sent")


def _check_parameters(data: bytes, position: int, end: int) -> None:
    while position + 4 <= end:
        length = data[position + 2] << 8 | data[position + 3]
        if length < 4:
            raise ProtocolViolation(f"an SCTP parameter of length {length} (RFC 9260 section 3.2.1)")
        position += (length + 3) & ~3
