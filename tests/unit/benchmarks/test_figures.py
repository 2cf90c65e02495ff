"""Medians, and when a figure holds, misses its target, or says nothing."""

from __future__ import annotations

import pytest

from benchmarks.figures import Outcome, Verdict, Wanted, figure, look_up, steps

CPU = Wanted("crowd", "CPU", "µs", "cpu.each", at_most=2.0)


def runs(*values: float) -> list[Outcome]:
    return [Outcome({"cpu": {"each": value}}) for value in values]


@pytest.mark.parametrize(
    ("values", "value", "verdict"),
    [
        ((1.0, 9.0, 1.5), 1.5, Verdict.MET),
        ((2.0, 2.0, 2.0), 2.0, Verdict.MET),
        ((1.0, 2.1, 9.0), 2.1, Verdict.MISSED),
        ((1.0, 2.0, 4.0, 5.0), 3.0, Verdict.MISSED),
    ],
)
def test_the_median_counts(values: tuple[float, ...], value: float, verdict: Verdict) -> None:
    found = figure(CPU, {"crowd": runs(*values)})
    assert (found.value, found.verdict, found.runs) == (value, verdict, len(values))
    assert found.spread == (min(values), max(values))
    assert found.problems == []


def test_the_worst_counts_where_that_is_wanted() -> None:
    wanted = Wanted("crowd", "loss", "%", "cpu.each", at_most=2.0, worst=True)
    found = figure(wanted, {"crowd": runs(0, 0, 3)})
    assert (found.value, found.verdict) == (3, Verdict.MISSED)


def test_without_a_target_it_is_only_reported() -> None:
    assert figure(Wanted("crowd", "CPU", "µs", "cpu.each"), {"crowd": runs(1, 2, 3)}).verdict is Verdict.REPORTED


@pytest.mark.parametrize("values", [(), (1.0,), (1.0, 1.0)])
def test_too_few_runs_say_nothing(values: tuple[float, ...]) -> None:
    found = figure(CPU, {"crowd": runs(*values)})
    assert found.verdict is Verdict.INVALID
    assert found.problems == [f"crowd: {len(values)} of at least 3 runs"]


def test_one_run_that_went_wrong_spoils_the_figure() -> None:
    outcomes = [*runs(1, 1), Outcome({"cpu": {"each": 0.1}}, ["loss 3.000% is over 0.1%"])]
    found = figure(CPU, {"crowd": outcomes})
    assert found.verdict is Verdict.INVALID
    assert found.problems == ["crowd, run 3: loss 3.000% is over 0.1%"]


def test_a_run_that_did_not_end_is_no_run() -> None:
    found = figure(CPU, {"crowd": [*runs(1, 1), Outcome({}, ["did not end"])]})
    assert found.problems == ["crowd, run 3: did not end", "crowd: 2 of at least 3 runs"]


def test_a_ratio_is_that_of_the_medians() -> None:
    wanted = Wanted("linked", "ratio", "x", "cpu.each", at_most=1.3, relative_to="crowd")
    found = figure(wanted, {"crowd": runs(1, 2, 9), "linked": runs(2, 2.4, 8)})
    assert found.value == pytest.approx(1.2)
    assert found.verdict is Verdict.MET
    assert found.spread == (1.0, 4.0)


def test_a_ratio_is_as_good_as_what_it_is_divided_by() -> None:
    wanted = Wanted("linked", "ratio", "x", "cpu.each", relative_to="crowd")
    bad = [*runs(1, 1, 1), Outcome({}, ["2 duplicates"])]
    assert figure(wanted, {"crowd": bad, "linked": runs(1, 1, 1)}).problems == ["crowd, run 4: 2 duplicates"]
    assert figure(wanted, {"linked": runs(1, 1, 1)}).verdict is Verdict.INVALID
    assert figure(wanted, {"crowd": runs(0, 0, 0), "linked": runs(1, 1, 1)}).verdict is Verdict.INVALID


def test_what_stands_where() -> None:
    document = {"a": 1, "b": {"c": 2.5, "d": None, "e": "x", "f": True}}
    assert [look_up(document, key) for key in ("a", "b.c")] == [1.0, 2.5]
    assert [look_up(document, key) for key in ("b", "b.d", "b.e", "b.f", "b.g", "a.b", "z")] == [None] * 7


def falls(*medians: float) -> float | None:
    outcomes = {f"crowd{number}": runs(value, value, value) for number, value in enumerate(medians)}
    return steps("growth", list(outcomes), "cpu.each", outcomes, 3).value


def test_growth_is_the_greatest_step() -> None:
    assert falls(8, 4, 2) == 0.5
    assert falls(8, 4, 5) == 1.25


def test_growth_needs_every_size() -> None:
    outcomes = {"crowd0": runs(4, 4, 4), "crowd1": runs(2, 2), "crowd2": [Outcome({}, ["did not end"])] * 3}
    found = steps("growth", list(outcomes), "cpu.each", outcomes, 3)
    assert found.verdict is Verdict.INVALID
    assert "not every size of the crowd was measured" in found.problems
    assert "crowd1: 2 of at least 3 runs" in found.problems
    assert "crowd2, run 1: did not end" in found.problems
