"""Whatever is answered, handed over, taken and broken off, in any order: what counts is what has not left, and each is given back once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.leaving import LEAVING_S, Leaving

Step = tuple[str, int]
STEPS = st.lists(st.tuples(st.sampled_from(["answer", "take", "wait", "break"]), st.integers(0, 300_000)), max_size=60)


@given(STEPS)
def test_what_counts_is_what_has_not_left(steps: list[Step]) -> None:
    leaving, now = Leaving(), 0.0
    ends: list[int] = []
    given_back: list[int] = []
    written = left = idle_since = 0
    for what, size in steps:
        match what:
            case "answer":
                number = len(ends)
                leaving.begin(lambda number=number: given_back.append(number), left, now)  # type: ignore[misc]  # a lambda's default
                written += size
                ends.append(written)
                leaving.handed_over(written)
            case "take":
                left = min(written, left + size)
                idle_since = int(now)
            case "wait":
                now += size % 15
            case "break":
                leaving.clear()
                left = written
        in_time = leaving.is_in_time(left, now)
        assert given_back == list(range(len(given_back))), "in order, and each once"
        assert given_back == [number for number, end in enumerate(ends) if end <= left]
        assert bool(leaving) == (len(given_back) < len(ends))
        assert in_time or now - idle_since >= 0, "who has nothing to take is never late"
        if not leaving:
            assert in_time
    leaving.is_in_time(left, now)
    if leaving:
        assert not leaving.is_in_time(left, now + 2 * LEAVING_S), "nobody who takes nothing is waited for for ever"
