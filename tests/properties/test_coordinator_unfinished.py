"""However bytes come in pieces: what counts is what lies behind the last end of a message, and is given back."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.unfinished import PIECE_OVERHEAD_BYTES, Unfinished, is_one_message
from tests.support.raw_websocket import BINARY, LAST, PING, TEXT, frame

SIZES = st.one_of(st.integers(0, 130), st.sampled_from([200, 65_535, 65_536, 70_000]))


@st.composite
def messages(draw: st.DrawFn) -> list[bytes]:
    """One message or ping each, in one frame or several, with pings between them."""
    made = []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            made.append(frame(bytes(draw(SIZES)), draw(st.sampled_from([LAST | BINARY, LAST | TEXT]))))
        elif draw(st.booleans()):
            made.append(frame(bytes(draw(st.integers(0, 125))), LAST | PING))
        else:
            parts = [frame(bytes(draw(SIZES)), BINARY if number == 0 else 0) for number in range(draw(st.integers(1, 3)))]
            pings = [frame(b"", LAST | PING)] * draw(st.integers(0, 1))
            made.append(b"".join([*parts, *pings, frame(bytes(draw(SIZES)), LAST)]))
    return made


@given(messages(), st.data())
def test_what_counts_is_what_is_not_whole(said: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(said)
    ends = [0]
    for message in said:
        ends.append(ends[-1] + len(message))
    cuts = data.draw(st.lists(st.one_of(st.integers(0, len(stream)), st.sampled_from(ends)), max_size=12))
    kept = 0

    def take(size: int) -> bool:
        nonlocal kept
        assert size > 0
        kept += size
        return True

    def give_back(size: int) -> None:
        nonlocal kept
        kept -= size

    unfinished, pieces = Unfinished(take, give_back), 0
    for start, end in pairwise(sorted({0, *cuts, len(stream)})):
        if unfinished.bytes or not is_one_message(stream[start:end]):
            assert unfinished.feed(stream[start:end], 0.0)
        whole = max(each for each in ends if each <= end)
        pieces = 1 if whole > start else pieces + 1
        expected = end - whole + pieces * PIECE_OVERHEAD_BYTES if end > whole else 0
        pieces = pieces if end > whole else 0
        assert kept == unfinished.bytes == expected
    assert kept == 0
