"""Runs everything that was chosen, in rounds: whatever else the machine does meanwhile meets all scenarios alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmarks import direct, hostile, joins, p2p, scaling, simulated, subscriptions
from benchmarks.catalogue import CPU, GROWTH, GROWTH_LABEL, LOADS, P50, WANTED
from benchmarks.figures import MIN_RUNS, Figure, Outcome, figure, look_up, steps


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    seconds: float
    """Measured time of a load."""
    clients: int
    """That join and stay idle."""
    idle_s: float
    changes: int
    """Of subscriptions."""
    hostile: int = 200_000
    """Datagrams of all kinds: a million in five rounds."""
    linked_s: float = 6.0
    """Of a cluster of several servers, idle and under load each."""


FULL = Size(seconds=15.0, clients=1_000, idle_s=20.0, changes=subscriptions.CHANGES)
QUICK = Size(seconds=4.0, clients=200, idle_s=6.0, changes=500, hostile=20_000, linked_s=3.0)


def run_rounds(
    scenarios: Sequence[str],
    runs: int,
    size: Size,
    tell: Callable[[str], None],
    perform: Callable[[str, Size], Outcome] | None = None,
) -> dict[str, list[Outcome]]:
    """Run each of `scenarios` `runs` times, one after the other. `tell` gets a line before each; `perform` runs one."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in scenarios}
    for number in range(1, runs + 1):
        for name in scenarios:
            tell(f"round {number} of {runs}: {name}")
            outcome = (perform or run_one)(name, size)
            outcomes[name].append(outcome)
            for problem in outcome.problems:
                tell(f"  {problem}")
    return outcomes


def run_one(name: str, size: Size) -> Outcome:
    """One run of the scenario `name`."""
    if name == "joins":
        return joins.run(size.clients, size.idle_s)
    if name == "hostile":
        return hostile.run(size.hostile)
    if name == "p2p":
        return p2p.run(size.seconds)
    if name in scaling.NAMES:
        return scaling.run(name, size.linked_s)
    if name == "subscriptions":
        return subscriptions.run(size.changes)
    (load,) = (load for load in LOADS if load.name == name)
    outcome = simulated.run(load, size.seconds)
    return with_direct(outcome, direct.run(size.seconds)) if name == "lone" else outcome


def with_direct(outcome: Outcome, direct_ms: float | None) -> Outcome:
    """The same, with how much longer its median packet took than one that no server relays."""
    p50 = look_up(outcome.document, P50)
    if direct_ms is None or p50 is None:
        return replace(outcome, problems=[*outcome.problems, "no link without a server to compare with"])
    added = {"direct_ms": round(direct_ms, 3), "added_ms": round(p50 - direct_ms, 3)}
    return replace(outcome, document={**outcome.document, **added})


def figures(outcomes: dict[str, list[Outcome]], min_runs: int = MIN_RUNS) -> list[Figure]:
    """Every figure that the scenarios that ran can give."""
    found = [
        figure(wanted, outcomes, min_runs)
        for wanted in WANTED
        if wanted.scenario in outcomes and (wanted.relative_to is None or wanted.relative_to in outcomes)
    ]
    if all(name in outcomes for name in GROWTH):
        found.append(steps(GROWTH_LABEL, GROWTH, CPU, outcomes, min_runs))
    return found
