"""From runs to figures: medians, and when a figure holds, misses its target, or says nothing.

A run is one pass of one scenario. Whatever is wrong with a run (loss, a duplicate, a misroute, clients that were not there) makes every
figure that rests on it invalid, since a server that does not deliver is cheap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Any

MIN_RUNS = 3
"""The fewest runs that have a median worth the name: one that neither the best nor the worst of them moves."""


class Verdict(StrEnum):
    """What is to be thought of a figure."""

    MET = "met"
    MISSED = "missed"
    REPORTED = "reported"
    """It has no target."""
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run."""

    document: Mapping[str, Any]
    """What was measured; empty where the run did not come to its end."""
    problems: Sequence[str] = ()
    """Why nothing can be concluded from it."""
    notes: Sequence[str] = ()
    """What a reader of its figures should know."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One figure of a scenario, and its target."""

    scenario: str
    label: str
    unit: str
    key: str
    """Where it stands in the run's document; a dot goes one level down."""
    at_most: float | None = None
    relative_to: str | None = None
    """A scenario whose median of the same key this one is divided by."""
    worst: bool = False
    """The greatest value counts, not the median."""
    digits: int = 2


@dataclass(frozen=True, slots=True)
class Figure:
    """A wanted figure and what came out."""

    wanted: Wanted
    values: Sequence[float]
    """One a run, those that gave one."""
    value: float | None
    problems: Sequence[str]
    runs: int
    spread: tuple[float, float] | None = field(default=None)
    """The least and the greatest value."""

    @property
    def verdict(self) -> Verdict:
        """Invalid before all else: a target met by a run that lost packets is not met."""
        if self.problems or self.value is None:
            return Verdict.INVALID
        if self.wanted.at_most is None:
            return Verdict.REPORTED
        return Verdict.MET if self.value <= self.wanted.at_most else Verdict.MISSED


def look_up(document: Mapping[str, Any], key: str) -> float | None:
    """The number at `key`, None where there is none."""
    found: Any = document
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def figure(wanted: Wanted, outcomes: Mapping[str, Sequence[Outcome]], min_runs: int = MIN_RUNS) -> Figure:
    """Judge one figure by all runs, given by the name of their scenario."""
    own = outcomes.get(wanted.scenario, ())
    values = _values(own, wanted.key)
    problems = _problems(wanted.scenario, own, values, min_runs)
    value = (max(values) if wanted.worst else median(values)) if values else None
    if wanted.relative_to is not None:
        base_runs = outcomes.get(wanted.relative_to, ())
        base_values = _values(base_runs, wanted.key)
        problems += _problems(wanted.relative_to, base_runs, base_values, min_runs)
        base = median(base_values) if base_values else 0.0
        value = value / base if value is not None and base > 0 else None
        values = [one / base for one in values] if base > 0 else []
    spread = (min(values), max(values)) if values else None
    return Figure(wanted, values, value, problems, len(own), spread)


def _values(outcomes: Sequence[Outcome], key: str) -> list[float]:
    return [value for outcome in outcomes if (value := look_up(outcome.document, key)) is not None]


def _problems(scenario: str, outcomes: Sequence[Outcome], values: Sequence[float], min_runs: int) -> list[str]:
    problems = [f"{scenario}, run {number}: {what}" for number, one in enumerate(outcomes, 1) for what in one.problems]
    if len(values) < min_runs:
        problems.append(f"{scenario}: {len(values)} of at least {min_runs} runs")
    return problems


def steps(label: str, scenarios: Sequence[str], key: str, outcomes: Mapping[str, Sequence[Outcome]], min_runs: int) -> Figure:
    """The greatest quotient of the medians of two neighbours among `scenarios`: up to 1, the figure falls from each to the next."""
    each = [figure(Wanted(name, label, "", key), outcomes, min_runs) for name in scenarios]
    quotients = [after.value / before.value for before, after in pairwise(each) if before.value and after.value]
    problems = list(dict.fromkeys(problem for one in each for problem in one.problems))
    if len(quotients) < len(scenarios) - 1:
        problems.append("not every size of the crowd was measured")
    value = max(quotients) if quotients else None
    return Figure(Wanted("growth", label, "x", key, at_most=1.0), quotients, value, problems, min(one.runs for one in each))
