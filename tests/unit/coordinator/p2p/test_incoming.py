"""What a socket sends is counted from its first byte until it is handled, in whatever pieces it comes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.p2p.core.incoming import (
    MAX_FRAMES,
    MESSAGE_S,
    PIECE_OVERHEAD_BYTES,
    TOO_MANY_FRAMES,
    TOO_MUCH,
    Incoming,
)
from coordinator.p2p.core.store import Store

TEXT, PING, PONG, MORE = 1, 9, 10, 0


def frame(opcode: int = TEXT, size: int = 1, *, last: bool = True, masked: bool = True) -> bytes:
    """Of RFC 6455 section 5.2, its content so many zeros."""
    lengths = (
        bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big") if size < 65_536 else b"\x7f" + size.to_bytes(8, "big")
    )
    head = bytes([opcode | (0x80 if last else 0), lengths[0] | (0x80 if masked else 0)]) + lengths[1:]
    return head + bytes(4 if masked else 0) + bytes(size)


def made(size: int = 10**9) -> tuple[Incoming, Store]:
    account = Store(size)
    return Incoming(account), account


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("masked", [True, False])
def test_a_message_counts_until_it_is_handled(size: int, masked: bool) -> None:
    incoming, account = made()
    data = frame(size=size, masked=masked)
    assert incoming.feed(data, 0.0) == ""
    assert (incoming.is_held_back, incoming.is_coming) == (True, False)
    assert account.bytes == len(data) + PIECE_OVERHEAD_BYTES
    assert incoming.handled(0.0) == 1
    assert (incoming.is_held_back, account.bytes) == (False, 0)


@pytest.mark.parametrize("head", [frame(size=1_000), frame(size=1_000, last=False), frame(MORE, 1_000)])
def test_one_that_is_held_back_counts(head: bytes) -> None:
    incoming, account = made()
    incoming.feed(head[:500], 0.0)
    assert (incoming.is_coming, incoming.is_held_back) == (True, False)
    assert account.bytes == 500 + PIECE_OVERHEAD_BYTES


def test_pings_between_its_frames_make_it_no_younger_and_no_smaller() -> None:
    incoming, account = made()
    incoming.feed(frame(size=1_000, last=False), 0.0)
    for second in range(1, 10):
        incoming.feed(frame(PING, 100), float(second))
    assert account.bytes > 1_000
    assert incoming.is_coming
    assert incoming.due_in(MESSAGE_S) == 0
    incoming.feed(frame(MORE, 1), 9.0)
    incoming.handled(9.0)
    assert (incoming.is_coming, account.bytes) == (False, 0)


def test_pings_alone_leave_nothing() -> None:
    incoming, account = made()
    for _ in range(1_000):
        incoming.feed(frame(PONG, 100), 0.0)
        incoming.feed(frame(PING)[:3], 0.0)
        incoming.feed(frame(PING)[3:], 0.0)
    assert (incoming.is_coming, incoming.is_held_back, account.bytes) == (False, False, 0)


def test_there_is_no_room() -> None:
    incoming, account = made(1_000)
    assert incoming.feed(frame(size=2_000)[:900], 0.0) == ""
    assert incoming.feed(bytes(100), 0.0) == TOO_MUCH
    assert account.bytes == 900 + PIECE_OVERHEAD_BYTES
    incoming.release()
    assert account.bytes == 0
    assert incoming.feed(b"x", 0.0) == TOO_MUCH, "it is over"
    assert account.bytes == 0


def test_the_time_of_a_message_is_not_that_for_which_it_waits_for_others() -> None:
    incoming, _ = made()
    incoming.feed(frame() + frame(size=100)[:50], 0.0)
    assert incoming.due_in(20.0) == MESSAGE_S
    incoming.handled(20.0)
    assert incoming.due_in(21.0) == MESSAGE_S - 1


def test_each_message_has_a_time_of_its_own() -> None:
    incoming, _ = made()
    data = frame(size=10)
    incoming.feed(data[:9], 0.0)
    incoming.feed(data[9:] + data[:9], 5.0)
    incoming.handled(5.0)
    assert incoming.due_in(5.0) == MESSAGE_S


def test_a_message_in_very_many_frames_is_refused_in_the_end() -> None:
    incoming, _ = made()
    incoming.feed(frame(size=0, last=False), 0.0)
    problems = [incoming.feed(frame(MORE, 0, last=False) * 100, 0.0) for _ in range(20)]
    assert problems[:10] == [""] * 10
    assert problems[-1] == TOO_MANY_FRAMES


def test_many_messages_at_a_time_are_followed_when_they_are_handled() -> None:
    incoming, account = made()
    data = frame() * 10_000
    incoming.feed(data, 0.0)
    assert len(incoming._whole) < 100
    for _ in range(10_000):
        assert incoming.is_held_back
        incoming.handled(0.0)
    assert (incoming.is_held_back, account.bytes) == (False, 0)


@dataclass(frozen=True)
class Message:
    data: bytes
    frames: int


@st.composite
def messages(draw: st.DrawFn) -> Message:
    sizes = draw(st.lists(st.integers(0, 300), min_size=1, max_size=4))
    parts: list[bytes] = []
    for number, size in enumerate(sizes):
        parts += [frame(draw(st.sampled_from([PING, PONG])), 3)] * draw(st.integers(0, 2) if number else st.just(0))
        parts.append(frame(MORE if number else TEXT, size, last=number == len(sizes) - 1, masked=draw(st.booleans())))
    return Message(b"".join(parts), len(parts))


@given(st.lists(messages(), max_size=100), st.lists(st.integers(1, 2_000), max_size=50), st.data())
def test_however_it_is_cut(sent: list[Message], cuts: list[int], data: st.DataObject) -> None:
    """Nothing counts when all is handled, everything that is not does, and each message is one."""
    incoming, account = made()
    stream = b"".join(message.data for message in sent)
    ends = [sum(len(message.data) for message in sent[: number + 1]) for number in range(len(sent))]
    handled = fed = 0
    for cut in [*cuts, len(stream)]:
        if fed == len(stream):
            break
        assert incoming.feed(stream[fed : fed + cut], 0.0) == ""
        fed = min(len(stream), fed + cut)
        whole = sum(end <= fed for end in ends)
        for _ in range(data.draw(st.integers(0, whole - handled))):
            assert incoming.handled(0.0) == sent[handled].frames
            handled += 1
        assert account.bytes >= fed - (ends[handled - 1] if handled else 0)
        assert incoming.is_held_back == (whole > handled)
        if whole == handled and fed in (0, *ends):
            assert (account.bytes, incoming.is_coming) == (0, False)
    while handled < len(sent):
        assert incoming.handled(0.0) == sent[handled].frames
        handled += 1
    assert (account.bytes, incoming.is_coming, incoming.is_held_back) == (0, False, False)


def test_frames_are_as_many_as_are_worth_it() -> None:
    assert MAX_FRAMES * 1_024 >= 1_024 * 1_024, "the longest message in frames of 1 KiB"
