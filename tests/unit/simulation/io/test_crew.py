"""Work is shared out evenly, and to as many as it takes."""

from __future__ import annotations

import os

import pytest

from simulation.core import scenarios
from simulation.core.messages import Credentials, Job
from simulation.io.crew import share_out, workers_for


@pytest.mark.parametrize(
    ("clients", "deliveries_per_s", "workers"),
    [(2, 10, 1), (60, 100, 1), (61, 100, 2), (500, 1e6, 4), (20, 21_000, 2), (1, 1e6, 1)],
)
def test_as_many_workers_as_it_takes(
    monkeypatch: pytest.MonkeyPatch, clients: int, deliveries_per_s: float, workers: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert workers_for(clients, deliveries_per_s) == workers


def test_every_plan_is_in_one_share() -> None:
    plans = scenarios.dense(11, 1.0, 0.0, "run").plans
    job = Job("ws://x", Credentials(), 1, "run", plans, 10.0, 64, False, True, 5.0)
    shares = share_out(job, 3)
    assert sorted(plan.bot for share in shares for plan in share.plans) == list(range(11))
    assert sorted(len(share.plans) for share in shares) == [3, 4, 4]
    assert {share.url for share in shares} == {"ws://x"}
