"""Pictures are drawn, also of runs in which nothing arrived."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from protocol.errors import ConfigError
from simulation.core.latency import Histogram, Timeline
from simulation.core.report import Counts, Report
from simulation.io import plot


def report(deliveries: int) -> Report:
    timeline = Timeline()
    for number in range(deliveries):
        timeline.add(number / 100, 0.001 * (1 + number % 7))
    return Report("dense", 10.0, Counts(), timeline, Histogram(), [], None, 0.001)


@pytest.mark.parametrize("deliveries", [0, 1, 1000])
def test_a_picture_is_drawn(tmp_path: Path, deliveries: int) -> None:
    plot.check_available()
    path = tmp_path / "result.png"
    plot.write_plot(report(deliveries), path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_option_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^--plot: matplotlib is not installed"):
        plot.check_available()
