"""Traces are read as they were recorded, or refused by line and column."""

from __future__ import annotations

import pytest

from simulation.core import trace
from simulation.core.trace import Trace, TraceError, parse_trace


def parse(text: str) -> Trace:
    return parse_trace(text.splitlines(keepends=True), "walk.csv")


def test_people_are_there_from_their_first_sample_to_their_last() -> None:
    found = parse("t_s,person,x_m,y_m\n0.0,a,1,2\n0.4,a,2,2\n0.4,b,5,5\n1.2,b,5,9\n")
    assert [(track.person, track.first, track.last) for track in found.tracks] == [("a", 0.0, 0.4), ("b", 0.4, 1.2)]
    assert found.seconds == 1.2


def test_positions_lie_on_straight_lines_between_samples() -> None:
    (track,) = parse("t_s,person,x_m,y_m\n0,a,0,10\n1,a,4,10\n3,a,4,0\n").tracks
    assert track.at(0) == (0, 10)
    assert track.at(0.25) == (1, 10)
    assert track.at(1) == (4, 10)
    assert track.at(2) == (4, 5)
    assert track.at(3) == (4, 0)


def test_before_and_after_a_person_stands_still() -> None:
    (track,) = parse("t_s,person,x_m,y_m\n1,a,0,10\n2,a,4,10\n").tracks
    assert (track.at(-5), track.at(99)) == ((0, 10), (4, 10))


def test_time_begins_with_the_first_sample() -> None:
    found = parse("t_s,person,x_m,y_m\n100.5,a,0,0\n100,b,0,0\n")
    assert [(track.person, track.first) for track in found.tracks] == [("b", 0.0), ("a", 0.5)]


def test_order_of_lines_and_columns_does_not_matter_and_others_are_passed_over() -> None:
    found = parse("y_m,person,mood,t_s,x_m\n3,a,glad,1,2\n1,a,,0,0\n")
    assert (found.tracks[0].at(0), found.tracks[0].at(1)) == ((0, 1), (2, 3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "walk.csv: is empty; the first line should be t_s,person,x_m,y_m"),
        ("t_s,person,x_m\n0,a,1\n", "walk.csv, line 1: column y_m is missing; the first line should be t_s,person,x_m,y_m"),
        ("t_s,person,x_m,y_m\n", "walk.csv: has no samples"),
        ("t_s,person,x_m,y_m\n0,a,1,2\n0.4,a,east,2\n", "walk.csv, line 3, column x_m: 'east' is not a number"),
        ("t_s,person,x_m,y_m\n0,a,1\n", "walk.csv, line 2, column y_m: '' is not a number"),
        ("t_s,person,x_m,y_m\nnan,a,1,2\n", "walk.csv, line 2, column t_s: 'nan' is not a finite number"),
        ("t_s,person,x_m,y_m\n0, ,1,2\n", "walk.csv, line 2, column person: is empty"),
        ("t_s,person,x_m,y_m\n0,a,1,2\n0,a,3,4\n", "walk.csv: person 'a' is at two places at t_s 0.0"),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_column(text: str, message: str) -> None:
    with pytest.raises(TraceError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_what_is_no_csv_is_refused_by_line() -> None:
    with pytest.raises(TraceError, match=r"^walk.csv, line 2: "):
        parse('t_s,person,x_m,y_m\n0,"a"b,1,2\n')


def test_a_file_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MAX_SAMPLES", 2)
    with pytest.raises(TraceError, match="more than 2 samples"):
        parse("t_s,person,x_m,y_m\n0,a,1,2\n1,a,1,2\n2,a,1,2\n")
