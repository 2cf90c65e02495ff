"""What a socket sends is counted from its first byte until it is heard, in whatever pieces it comes, and handed on in portions."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.store import Store
from coordinator.core.unfinished import MESSAGE_S, PIECE_OVERHEAD_BYTES
from coordinator.p2p.core.incoming import (
    MAX_FRAMES,
    PORTION_FRAMES,
    TOO_MUCH,
    Incoming,
    Portion,
)
from coordinator.p2p.core.prices import FRAMES_A_DELIVERY, UNIT_BYTES, price

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


def hear(incoming: Incoming, now: float = 0.0) -> Portion:
    """The next portion."""
    portion = incoming.hand_on(now)
    assert portion is not None
    incoming.heard()
    return portion


def hear_all(incoming: Incoming, now: float = 0.0) -> list[Portion]:
    """Everything that is here."""
    portions: list[Portion] = []
    while incoming.is_held_back:
        portions.append(hear(incoming, now))
    return portions


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("masked", [True, False])
def test_a_message_counts_until_it_is_heard(size: int, masked: bool) -> None:
    incoming, account = made()
    data = frame(size=size, masked=masked)
    assert incoming.feed(data, 0.0) == ""
    assert (incoming.is_held_back, incoming.is_coming) == (True, False)
    assert account.bytes == len(data) + PIECE_OVERHEAD_BYTES
    assert incoming.hand_on(0.0) == Portion(data, price(size), price(size))
    assert account.bytes == len(data) + PIECE_OVERHEAD_BYTES, "what follows from it is kept beside it"
    incoming.heard()
    assert (incoming.is_held_back, incoming.is_coming, account.bytes) == (False, False, 0)


@pytest.mark.parametrize("head", [frame(size=1_000), frame(size=1_000, last=False), frame(MORE, 1_000)])
def test_one_that_is_held_back_counts(head: bytes) -> None:
    incoming, account = made()
    incoming.feed(head[:500], 0.0)
    assert hear(incoming).message_cost == 0
    assert (incoming.is_coming, incoming.is_held_back) == (True, False)
    assert account.bytes == 500 + PIECE_OVERHEAD_BYTES


def test_putting_down_follows_no_frame() -> None:
    """However many there are: it is done for all that comes, before anybody has a turn."""
    incoming, _ = made()
    incoming.feed(frame() * 10_000, 0.0)
    assert (incoming.is_coming, incoming._at, incoming._frames) == (False, 0, 0)


def test_a_message_is_a_portion() -> None:
    incoming, account = made()
    data = frame(size=10) + frame(PING, 5) + frame(size=20)
    incoming.feed(data, 0.0)
    assert [portion.data for portion in hear_all(incoming)] == [frame(size=10), frame(PING, 5) + frame(size=20)]
    assert account.bytes == 0


@pytest.mark.parametrize("opcode", [PING, PONG, MORE])
def test_a_portion_has_so_many_frames_where_no_message_ends(opcode: int) -> None:
    incoming, _ = made()
    one = frame(opcode, last=opcode != MORE)
    incoming.feed(frame(last=False), 0.0)
    incoming.feed(one * (2 * PORTION_FRAMES + 1), 0.0)
    hear(incoming)
    assert [len(portion.data) // len(one) for portion in hear_all(incoming)] == [PORTION_FRAMES, PORTION_FRAMES, 1]


def test_what_came_together_counts_until_all_of_it_is_heard() -> None:
    incoming, account = made()
    data = frame() * 3
    incoming.feed(data, 0.0)
    for _ in range(3):
        assert account.bytes == len(data) + PIECE_OVERHEAD_BYTES
        hear(incoming)
    assert account.bytes == 0


def test_a_close_frame_is_seen_before_it_is_handed_on() -> None:
    incoming, _ = made()
    assert not incoming.is_close_next
    close = frame(8, 2)
    incoming.feed(frame(size=8)[:-1], 0.0)
    incoming.feed(b"\x08" + close + close, 0.0)
    seen = [incoming.is_close_next]
    while incoming.is_held_back:
        hear(incoming)
        seen.append(incoming.is_close_next)
    assert seen == [False, False, True, False], "what looks like one within a message is none"


def test_control_frames_cost_one_each() -> None:
    incoming, _ = made()
    incoming.feed(frame(PING) * 3 + frame(PONG) + frame(PING)[:3], 0.0)
    assert hear(incoming).cost == 4
    incoming.feed(frame(PING)[3:], 0.0)
    assert hear(incoming).cost == 1


def test_a_message_costs_the_same_however_it_comes() -> None:
    incoming, _ = made()
    data = frame(size=5 * UNIT_BYTES)
    costs: list[int] = []
    for start in range(0, len(data), 1_000):
        incoming.feed(data[start : start + 1_000], 0.0)
        costs.append(hear(incoming).cost)
    assert (sum(costs), max(costs)) == (5, 1)
    assert costs[0] == 1, "from its beginning on"


def test_a_message_in_many_frames_costs_more_than_its_bytes() -> None:
    incoming, _ = made()
    count = 10 * FRAMES_A_DELIVERY
    incoming.feed(frame(last=False) + frame(MORE, 0, last=False) * (count - 2) + frame(MORE, 0), 0.0)
    portions = hear_all(incoming)
    assert sum(portion.cost for portion in portions) == 10
    assert [portion.message_cost for portion in portions if portion.message_cost] == [10]
    incoming.feed(frame(), 0.0)
    assert hear(incoming) == Portion(frame(), 1, 1), "the next one is another"


def test_pings_between_its_frames_make_it_no_younger_and_no_smaller() -> None:
    incoming, account = made()
    incoming.feed(frame(size=1_000, last=False), 0.0)
    hear(incoming)
    for second in range(1, 10):
        incoming.feed(frame(PING, 100), float(second))
        hear(incoming, float(second))
    assert account.bytes > 1_000
    assert incoming.is_coming
    assert incoming.due_in(MESSAGE_S) == 0
    incoming.feed(frame(MORE, 1), 9.0)
    hear(incoming, 9.0)
    assert (incoming.is_coming, account.bytes) == (False, 0)


def test_pings_before_it_give_it_no_more_time() -> None:
    incoming, _ = made()
    incoming.feed(frame(PING) * 1_000 + frame(size=1_000, last=False), 0.0)
    hear_all(incoming)
    assert (incoming.is_held_back, incoming.is_coming, incoming.due_in(MESSAGE_S)) == (False, True, 0)


def test_pings_alone_leave_nothing() -> None:
    incoming, account = made()
    for _ in range(1_000):
        incoming.feed(frame(PONG, 100), 0.0)
        incoming.feed(frame(PING)[:3], 0.0)
        incoming.feed(frame(PING)[3:], 0.0)
        hear_all(incoming)
    assert (incoming.is_coming, incoming.is_held_back, account.bytes) == (False, False, 0)


@pytest.mark.parametrize("part", [frame()[:1], frame(size=1_000)[:3], frame(PING, 100)[:50]])
def test_a_part_of_a_frame_has_a_time_too(part: bytes) -> None:
    incoming, _ = made()
    incoming.feed(part, 1.0)
    hear(incoming, 1.0)
    assert incoming.is_coming
    assert incoming.due_in(1.0) == MESSAGE_S


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
    hear_all(incoming, 20.0)
    assert incoming.due_in(21.0) == MESSAGE_S - 1


def test_nor_that_for_which_a_part_of_it_waits() -> None:
    """But what it took to come stays."""
    incoming, _ = made()
    data = frame(size=100)
    incoming.feed(data[:50], 0.0)
    hear(incoming, 0.0)
    incoming.feed(data[50:60], 4.0)
    incoming.feed(data[60:70], 5.0)
    assert incoming.due_in(30.0) == MESSAGE_S
    hear(incoming, 30.0)
    hear(incoming, 31.0)
    assert incoming.due_in(31.0) == MESSAGE_S - 4


def test_each_message_has_a_time_of_its_own() -> None:
    incoming, _ = made()
    data = frame(size=10)
    incoming.feed(data[:9], 0.0)
    hear(incoming, 0.0)
    incoming.feed(data[9:] + data[:9], 5.0)
    hear_all(incoming, 5.0)
    assert incoming.due_in(5.0) == MESSAGE_S


def test_a_message_in_very_many_frames_is_refused() -> None:
    incoming, _ = made()
    incoming.feed(frame(size=0, last=False) + frame(MORE, 0, last=False) * (MAX_FRAMES - 1), 0.0)
    hear_all(incoming)
    incoming.feed(frame(PING), 0.0)
    hear(incoming)
    incoming.feed(frame(MORE, 0), 0.0)
    assert incoming.hand_on(0.0) is None


@dataclass(frozen=True)
class Message:
    data: bytes
    frames: int


@st.composite
def messages(draw: st.DrawFn) -> Message:
    sizes = draw(st.lists(st.integers(0, 300), min_size=1, max_size=4))
    parts: list[bytes] = []
    for number, size in enumerate(sizes):
        parts += [frame(draw(st.sampled_from([PING, PONG])), 3)] * draw(st.integers(0, 40))
        parts.append(frame(MORE if number else TEXT, size, last=number == len(sizes) - 1, masked=draw(st.booleans())))
    return Message(b"".join(parts), len(parts))


@given(st.lists(messages(), max_size=50), st.lists(st.integers(1, 2_000), max_size=50), st.data())
def test_however_it_is_cut(sent: list[Message], cuts: list[int], data: st.DataObject) -> None:
    """All is handed on in order, no more at a time than may be, everything that is not counts, and nothing when all is heard."""
    incoming, account = made()
    stream = b"".join(message.data for message in sent)
    ends = [sum(len(message.data) for message in sent[: number + 1]) for number in range(len(sent))]
    heard = fed = cost = 0
    for cut in [*cuts, len(stream)]:
        if fed == len(stream):
            break
        assert incoming.feed(stream[fed : fed + cut], 0.0) == ""
        fed = min(len(stream), fed + cut)
        while incoming.is_held_back and (fed == len(stream) or data.draw(st.booleans())):
            portion = hear(incoming)
            assert stream.startswith(portion.data, heard)
            whole = [end for end in ends if heard < end <= heard + len(portion.data)]
            heard += len(portion.data)
            cost += portion.cost
            assert whole in ([], [heard]), "a message ends it"
            assert (portion.message_cost > 0) == bool(whole)
            assert account.bytes >= fed - heard
        assert incoming.is_held_back == (heard < fed)
        if heard == fed and heard in (0, *ends):
            assert (account.bytes, incoming.is_coming) == (0, False)
    controls = sum(message.frames for message in sent) - sum(len(message.data) > 0 for message in sent)
    assert heard == len(stream)
    assert len(sent) <= cost <= len(sent) + controls
    assert (account.bytes, incoming.is_coming, incoming.is_held_back) == (0, False, False)


def test_frames_are_as_many_as_are_worth_it() -> None:
    assert MAX_FRAMES * 1_024 >= 1_024 * 1_024, "the longest message in frames of 1 KiB"
