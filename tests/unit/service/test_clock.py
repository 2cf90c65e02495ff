"""The clock: epoch seconds that only the monotonic clock moves."""

from __future__ import annotations

import time

import pytest

from service.clock import Clock


def test_it_starts_at_the_wall_clock() -> None:
    assert Clock().now() == pytest.approx(time.time(), abs=1.0)


def test_a_corrected_wall_clock_does_not_move_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    before = clock.now()
    wall = time.time()
    monkeypatch.setattr(time, "time", lambda: wall - 3600.0)
    assert before <= clock.now() < before + 60.0


def test_it_counts_what_the_monotonic_clock_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: at)
    monkeypatch.setattr(time, "time", lambda: 5_000.0)
    clock = Clock()
    at = 107.5
    assert clock.now() == 5_007.5
