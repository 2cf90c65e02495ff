"""SCTP packets that aiortc must never see."""

from __future__ import annotations

import struct

import pytest

from transport.sctp_guard import MAX_CONTROL_CHUNKS, ProtocolViolation, check_packet, check_sack

HEADER = bytes(12)


def chunk(kind: int, body: bytes = b"", length: int | None = None) -> bytes:
    size = 4 + len(body) if length is None else length
    return struct.pack("!BBH", kind, 0, size) + body + bytes(-len(body) % 4)


def param(kind: int, body: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("!HH", kind, 4 + len(body) if length is None else length) + body + bytes(-len(body) % 4)


DATA = chunk(0, bytes(12) + b"x")
SACK = chunk(3, bytes(12))
INIT_BODY = bytes(16)

FINE = {
    "nothing": b"",
    "a header alone": HEADER,
    "data": HEADER + DATA * 20,
    "a sack and data": HEADER + SACK + DATA,
    "an unknown chunk": HEADER + chunk(77, b"abc"),
    "an init with parameters": HEADER + chunk(1, INIT_BODY + param(0xC000) + param(0x8008, b"\xc0\x82")),
    "a heartbeat": HEADER + chunk(4, param(1, b"info")),
    "cut short": HEADER + DATA[:-4],
    "a chunk length below its header": HEADER + chunk(0, b"x", 3),
    "a parameter past the end": HEADER + chunk(4, param(1, b"", 400)),
    "an empty init": HEADER + chunk(1),
    "trailing bytes": HEADER + DATA + b"\0\0\0",
}

BAD = {
    "an init with a parameter of length 0": (HEADER + chunk(1, INIT_BODY + param(5, b"", 0)), "length 0"),
    "a re-config with a parameter of length 3": (HEADER + chunk(130, param(13, b"", 3)), "length 3"),
    "a heartbeat with a second parameter of length 0": (HEADER + chunk(4, param(1, b"abcd") + param(1, b"", 0)), "length 0"),
    "an abort with one": (HEADER + chunk(6, param(1, b"", 0)), "length 0"),
    "one after data": (HEADER + DATA + chunk(9, param(1, b"", 1)), "length 1"),
    "one before a chunk that is cut short": (HEADER + chunk(5, param(1, b"", 0)) + DATA[:-4], "length 0"),
    "data without data": (HEADER + chunk(0, bytes(12)), "without user data"),
    "many heartbeats": (HEADER + chunk(4, param(1, b"")) * (MAX_CONTROL_CHUNKS + 1), "control chunks"),
    "an init with company": (HEADER + chunk(1, INIT_BODY) + DATA, "INIT"),
    "two inits": (HEADER + chunk(1, INIT_BODY) * 2, "INIT"),
}


@pytest.mark.parametrize("name", FINE)
def test_passes(name: str) -> None:
    check_packet(FINE[name])


@pytest.mark.parametrize("name", BAD)
def test_refuses(name: str) -> None:
    data, what = BAD[name]
    with pytest.raises(ProtocolViolation, match=what):
        check_packet(data)


@pytest.mark.parametrize(
    ("outstanding", "gaps"),
    [(0, []), (10, []), (10, [(2, 3), (5, 10)]), (10, [(10, 10)]), (3, [(3, 3), (1, 1)]), (2**31 - 1, [(2, 65535)])],
)
def test_sacks_of_what_was_sent(outstanding: int, gaps: list[tuple[int, int]]) -> None:
    check_sack(outstanding, gaps)


@pytest.mark.parametrize(
    ("outstanding", "gaps"),
    [
        (2**31, []),
        (2**32 - 1, []),
        (0, [(1, 1)]),
        (10, [(2, 11)]),
        (10, [(0, 3)]),
        (10, [(4, 3)]),
        (10, [(1, 6), (1, 6)]),
        (70000, [(1, 65535)] * 2),
    ],
)
def test_sacks_of_what_was_not(outstanding: int, gaps: list[tuple[int, int]]) -> None:
    with pytest.raises(ProtocolViolation):
        check_sack(outstanding, gaps)
