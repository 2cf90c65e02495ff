"""What has begun and is not whole counts, from its first byte to its last, and nothing else does."""

from __future__ import annotations

import pytest

from coordinator.core.unfinished import MESSAGE_S, PIECE_OVERHEAD_BYTES, Unfinished, is_one_message
from tests.support.raw_websocket import BINARY, LAST, PING, TEXT, frame

PLENTY = 1_000_000


class Account:
    """Says yes up to a bound."""

    def __init__(self, most: int = PLENTY) -> None:
        self.most = most
        self.kept = 0

    def take(self, size: int) -> bool:
        if self.kept + size > self.most:
            return False
        self.kept += size
        return True

    def give_back(self, size: int) -> None:
        self.kept -= size

    def follow(self) -> Unfinished:
        return Unfinished(self.take, self.give_back)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 300, 65_535])
def test_a_message_that_comes_at_once_is_told_by_a_look(size: int) -> None:
    data = frame(bytes(size))
    assert is_one_message(data)
    assert not is_one_message(data[:-1])
    assert not is_one_message(data + b"\0")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x82",
        b"\x82\x80\0\0\0",
        b"\x82\xfe\0",
        b"\x82\x05hello",  # not masked
        frame(bytes(65_536)),
        frame(b"hello", LAST | TEXT),
        frame(b"hello", LAST | PING),
        frame(b"hello", BINARY),
        frame(b"hello", LAST),
        frame(b"hello", 0xC2),
        frame(b"") * 2,
    ],
)
def test_everything_else_is_followed(data: bytes) -> None:
    assert not is_one_message(data)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
@pytest.mark.parametrize("opcode", [LAST | BINARY, LAST | TEXT, LAST | PING])
def test_what_comes_at_once_is_never_counted(size: int, opcode: int) -> None:
    unfinished = Account(most=0).follow()
    assert unfinished.feed(frame(bytes(size), opcode) * 3, 0)
    assert unfinished.bytes == 0


def test_pieces_count_until_the_last_one_is_here() -> None:
    account = Account()
    unfinished, data = account.follow(), frame(bytes(1_000))
    for number in range(10):
        assert account.kept == number * (100 + PIECE_OVERHEAD_BYTES)
        assert unfinished.feed(data[number * 100 : number * 100 + 100], 0)
    assert unfinished.feed(data[1_000:], 0)
    assert account.kept == 0


def test_all_frames_of_a_message_count_and_a_ping_between_them_ends_nothing() -> None:
    account = Account()
    unfinished = account.follow()
    for data in (frame(b"a" * 100, BINARY), frame(b"", LAST | PING), frame(b"b" * 100, 0)):
        before = account.kept
        assert unfinished.feed(data, 0)
        assert account.kept == before + len(data) + PIECE_OVERHEAD_BYTES
    assert unfinished.feed(frame(b"c", LAST), 0)
    assert account.kept == 0


def test_of_what_comes_together_only_the_unfinished_rest_counts() -> None:
    account = Account()
    unfinished, part = account.follow(), frame(bytes(500))[:-1]
    assert unfinished.feed(frame(bytes(9_000)) + part, 0)
    assert account.kept == len(part) + PIECE_OVERHEAD_BYTES
    assert unfinished.feed(b"\0" + frame(b"x") + b"\x82", 0)
    assert account.kept == 1 + PIECE_OVERHEAD_BYTES, "the first byte of a head"


def test_what_is_refused_is_not_counted() -> None:
    account = Account(most=500 + PIECE_OVERHEAD_BYTES)
    unfinished, data = account.follow(), frame(bytes(5_000))
    assert unfinished.feed(data[:500], 0)
    assert not unfinished.feed(data[500:501], 0)
    assert account.kept == 500 + PIECE_OVERHEAD_BYTES
    unfinished.release()
    assert account.kept == unfinished.bytes == 0


def test_the_time_of_a_message_runs_from_its_own_first_byte() -> None:
    unfinished, data = Account().follow(), frame(bytes(1_000))
    unfinished.feed(data[:500], 100)
    unfinished.feed(data[500:900], 105)
    assert unfinished.due_in(106) == MESSAGE_S - 6
    unfinished.feed(data[900:] + data[:1], 107)
    assert unfinished.due_in(108) == MESSAGE_S - 1
