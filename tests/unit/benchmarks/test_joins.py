"""Figures from looks at a comm server while clients join and rest."""

from __future__ import annotations

import pytest

from benchmarks.joins import Sample, judge

MB = 1_000_000
BEFORE = Sample(99.0, 0, 1.0, 50 * MB)
SAMPLES = [BEFORE, Sample(100.0, 0, 1.0, 50 * MB), Sample(101.0, 40, 1.2, 60 * MB), Sample(105.0, 400, 2.2, 90 * MB)]
STILL = Sample(107.0, 400, 2.3, 95 * MB)
IDLE = Sample(117.0, 400, 2.5, 96 * MB)


def test_figures() -> None:
    outcome = judge(SAMPLES, STILL, IDLE, wanted=400, failed=0)
    assert (outcome.problems, outcome.notes) == ([], [])
    assert outcome.document == {
        "clients": 400,
        "cpu_ms_per_join": 3.0,
        "joins_per_cpu_s": 333.3,
        "joins_per_s": 90.0,
        "memory_kb_per_client": 100.0,
        "idle_cpu_percent": 2.0,
        "idle_cpu_percent_per_1000": 5.0,
        "curve": [[0.0, 0], [1.0, 40], [5.0, 400]],
    }


def test_fewer_than_wanted_is_told() -> None:
    outcome = judge(SAMPLES, STILL, IDLE, wanted=1000, failed=0)
    assert (outcome.problems, outcome.notes) == ([], ["joins: the load generator held 400 of 1,000 clients"])


@pytest.mark.parametrize(
    ("samples", "idle", "failed", "problem"),
    [
        (SAMPLES[:2], IDLE, 0, "nobody joined"),
        (SAMPLES[:3], IDLE, 0, "40 joins of at least 200"),
        (SAMPLES, IDLE, 2, "2 clients could not connect"),
        (SAMPLES, Sample(117.0, 390, 2.5, 96 * MB), 0, "10 clients were lost while idle"),
    ],
)
def test_what_makes_it_worthless(samples: list[Sample], idle: Sample, failed: int, problem: str) -> None:
    assert judge(samples, STILL, idle, wanted=400, failed=failed).problems == [problem]
