"""Figures as a table, and the reasons below it."""

from __future__ import annotations

from benchmarks.figures import Outcome, Wanted, figure
from benchmarks.table import is_reached, is_valid, number, remarks, table

GOOD = figure(Wanted("dense", "CPU", "µs", "cpu", at_most=2.0), {"dense": [Outcome({"cpu": cpu}) for cpu in (1, 1.504, 2)]})
OVER = figure(Wanted("dense", "CPU", "µs", "cpu", at_most=1.0), {"dense": [Outcome({"cpu": cpu}) for cpu in (1, 1.5, 2)]})
LOST = figure(Wanted("lone", "joins", "/s", "n", digits=0), {"lone": [Outcome({"n": 1234}, ["3 duplicates"])] * 3})
NONE = figure(Wanted("joins", "CPU", "ms", "cpu"), {})


def test_a_row_a_figure_in_columns_of_even_width() -> None:
    lines = table([GOOD, OVER, LOST, NONE]).splitlines()
    assert len(lines) == 6
    assert len({len(line) for line in lines}) == 1
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[2] == ["dense", "CPU", "1.50 µs", "1.00 - 2.00", "≤ 2 µs", "met"]
    assert cells[3][-1] == "missed"
    assert cells[4] == ["lone", "joins", "1,234/s", "1,234 - 1,234", "", "invalid"]
    assert cells[5] == ["joins", "CPU", "", "", "", "invalid"]


def test_each_reason_is_told_once() -> None:
    assert remarks([LOST, LOST, NONE], ["late", "late"]) == [
        "invalid: lone, run 1: 3 duplicates",
        "invalid: lone, run 2: 3 duplicates",
        "invalid: lone, run 3: 3 duplicates",
        "invalid: joins: 0 of at least 3 runs",
        "note: late",
    ]


def test_verdicts_of_the_whole() -> None:
    assert is_valid([GOOD, OVER])
    assert not is_valid([GOOD, LOST])
    assert not is_valid([])
    assert is_reached([GOOD])
    assert not is_reached([GOOD, OVER])


def test_numbers() -> None:
    assert [number(1234.567, digits) for digits in (0, 2)] == ["1,235", "1,234.57"]
