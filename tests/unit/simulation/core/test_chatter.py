"""Bots say a line now and then, and not all at once."""

from __future__ import annotations

import json
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from simulation.core.chatter import LINES, Chatter


def said(chatter: Chatter, seconds: float, step_s: float = 0.05) -> list[tuple[float, bytes]]:
    found = ((number * step_s, chatter.line(number * step_s)) for number in range(round(seconds / step_s)))
    return [(time, line) for time, line in found if line is not None]


def test_lines_are_what_the_pages_read() -> None:
    lines = said(Chatter("demo/chat", "bot 3", 5.0, Random(1)), 60.0)
    assert lines
    for _, line in lines:
        document = json.loads(line)
        assert document.keys() == {"name", "text"}
        assert document["name"] == "bot 3"
        assert document["text"] in LINES


@given(st.integers(0, 1000), st.floats(2.0, 60.0))
def test_they_come_as_often_as_asked_for_on_average(seed: int, mean_s: float) -> None:
    lines = said(Chatter("c", "b", mean_s, Random(seed)), 100 * mean_s, mean_s / 40)
    assert 60 <= len(lines) <= 145


def test_who_has_only_just_come_says_nothing_yet() -> None:
    assert [Chatter("c", "b", 0.001, Random(seed)).line(1000.0) for seed in range(20)] == [None] * 20
