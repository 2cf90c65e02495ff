"""Whether a run of the simulation can be trusted."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from benchmarks.catalogue import Load
from benchmarks.simulated import judge, run

LOAD = Load("crowd", "dense", 10, hz=10.0)
GOOD: dict[str, Any] = {
    "clients": 10,
    "failed": 0,
    "sent": 500,
    "expected": 4500,
    "loss": 0.0,
    "duplicates": 0,
    "misroutes": 0,
    "foreign": 0,
    "reconnects": 0,
    "generator_lag_ms": 3.0,
}


def test_a_good_run() -> None:
    outcome = judge(LOAD, 5.0, {**GOOD, "loss": 0.001, "sent": 487})
    assert (outcome.problems, outcome.notes) == ([], [])
    assert outcome.document["loss_percent"] == 0.1
    assert outcome.document["sent"] == 487


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"clients": 9, "failed": 1}, "9 of 10 clients took part"),
        ({"expected": 0}, "no delivery was expected"),
        ({"loss": 0.0011}, "loss 0.110% is over 0.1%"),
        ({"duplicates": 1}, "1 duplicates"),
        ({"misroutes": 2000}, "2,000 misroutes"),
        ({"foreign": 3}, "3 foreign"),
        ({"reconnects": 4}, "4 reconnects"),
        ({"sent": 486}, "only 486 of 500 packets were published: the load generator was too slow"),
    ],
)
def test_what_makes_a_run_worthless(change: dict[str, Any], problem: str) -> None:
    assert judge(LOAD, 5.0, {**GOOD, **change}).problems == [problem]


def test_a_late_generator_is_told() -> None:
    outcome = judge(LOAD, 5.0, {**GOOD, "generator_lag_ms": 80.0})
    assert outcome.problems == []
    assert outcome.notes == ["crowd: a packet was published 80 ms late; latencies hold the generator's own"]


def test_a_run_without_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 2, "", "starting\nno such option\n")

    monkeypatch.setattr(subprocess, "run", ended)
    outcome = run(LOAD, 1.0)
    assert (outcome.document, outcome.problems) == ({}, ["ended with code 2: no such option"])


def test_a_run_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(command: list[str], timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", never)
    assert run(LOAD, 1.0).problems == ["did not end within 126 s"]
