"""Everything in turn, so many times; figures of what ran."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import direct, joins, simulated, subscriptions
from benchmarks.catalogue import CROWDS, GROWTH
from benchmarks.figures import Outcome, Verdict
from benchmarks.rounds import QUICK, Size, figures, run_one, run_rounds, with_direct


def document(cpu: float) -> dict[str, Any]:
    return {"cpu_us_per_delivery": cpu, "latency_ms": {"p50": 1.0, "p99": 2.0}, "loss_percent": 0.0}


def test_rounds_go_over_everything() -> None:
    ran: list[str] = []
    told: list[str] = []

    def perform(name: str, size: Size) -> Outcome:
        ran.append(name)
        return Outcome({}, ["broken"] if name == "b" else [])

    outcomes = run_rounds(["a", "b"], 2, QUICK, told.append, perform)
    assert ran == ["a", "b", "a", "b"]
    assert {name: len(runs) for name, runs in outcomes.items()} == {"a": 2, "b": 2}
    assert told == ["round 1 of 2: a", "round 1 of 2: b", "  broken", "round 2 of 2: a", "round 2 of 2: b", "  broken"]


def test_each_name_has_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def driver(*arguments: Any) -> Outcome:
        asked.append(arguments)
        return Outcome({})

    for module in (joins, subscriptions, simulated):
        monkeypatch.setattr(module, "run", driver)
    monkeypatch.setattr(direct, "run", lambda seconds: None)
    for name in ("joins", "subscriptions", "lone"):
        run_one(name, Size(4.0, 200, 6.0, 500))
    assert asked[:2] == [(200, 6.0), (500,)]
    assert (asked[2][0].name, asked[2][1]) == ("lone", 4.0)


def test_what_the_server_adds_is_told_beside_the_whole_way() -> None:
    whole = Outcome({"latency_ms": {"p50": 1.1}})
    assert with_direct(whole, 0.6).document == {"latency_ms": {"p50": 1.1}, "direct_ms": 0.6, "added_ms": 0.5}
    for outcome, direct_ms in ((whole, None), (Outcome({}, ["ended with code 1"]), 0.6)):
        assert with_direct(outcome, direct_ms).problems[-1] == "no link without a server to compare with"


def test_figures_of_what_ran() -> None:
    found = figures({"linked": [Outcome(document(3.0))] * 3, "dense150": [Outcome(document(2.5))] * 3})
    assert {figure.wanted.scenario for figure in found} == {"linked", "dense150"}
    ratio = next(figure for figure in found if figure.wanted.relative_to)
    assert ratio.value == pytest.approx(1.2)
    assert not any(figure.wanted.relative_to for figure in figures({"linked": [Outcome(document(3.0))] * 3}))


def test_growth_comes_with_all_its_sizes() -> None:
    outcomes = {name: [Outcome(document(100 / clients))] * 3 for name, clients in zip(GROWTH, CROWDS, strict=True)}
    growth = figures(outcomes)[-1]
    assert (growth.wanted.scenario, growth.verdict) == ("growth", Verdict.MET)
    del outcomes["crowd25"]
    assert all(figure.wanted.scenario != "growth" for figure in figures(outcomes))
