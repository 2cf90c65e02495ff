"""A picture of a run: latency over time, and its distribution. Needs matplotlib, an extra."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.errors import ConfigError
from simulation.core.latency import Histogram
from simulation.core.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

PERCENTS = ((50, "tab:blue"), (90, "tab:orange"), (99, "tab:red"))


def check_available() -> None:
    """Raises :class:`ConfigError` when plots cannot be made: better before the run than after it."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("--plot: matplotlib is not installed; it comes with the extra: pip install 'rtcbroker[simulation]'")


def write_plot(report: Report, path: Path) -> None:
    """Draw `report` into a PNG file."""
    from matplotlib.figure import Figure  # late: an extra, and slow to import

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    over_time, distribution = figure.subplots(1, 2)
    latency = report.latency.total()
    if latency.count:
        _draw_over_time(over_time, report)
        _draw_distribution(distribution, latency)
    tally = report.counts.tally
    figure.suptitle(
        f"{report.scenario}: {report.counts.joins:,} clients, {tally.delivered:,} of {tally.expected:,} deliveries, loss {report.loss:.3%}"
    )
    figure.savefig(path, dpi=120, format="png")


def _draw_over_time(axes: Axes, report: Report) -> None:
    points = list(report.latency.points())
    times = [time for time, _ in points]
    for percent, colour in PERCENTS:
        axes.plot(times, [_ms(histogram, percent) for _, histogram in points], color=colour, label=f"p{percent}")
    axes.set(title="latency over time", xlabel="seconds", ylabel="ms", xlim=(0, report.seconds), yscale="log")
    _plain_numbers(axes.yaxis)
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend()


def _draw_distribution(axes: Axes, latency: Histogram) -> None:
    total = latency.count
    milliseconds, shares, seen = [], [], 0
    for seconds, count in latency.filled():
        seen += count
        milliseconds.append(seconds * 1000)
        shares.append(seen / total)
    axes.plot(milliseconds, shares, color="black")
    for percent, colour in PERCENTS:
        value = _ms(latency, percent)
        axes.axvline(value, color=colour, linestyle="--", label=f"p{percent} {value:.1f} ms")
    axes.set(title="share of deliveries within", xlabel="ms", ylim=(0, 1), xscale="log")
    _plain_numbers(axes.xaxis)
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(loc="lower right")


def _plain_numbers(axis: Axis) -> None:
    """1, 2, 5, 10, 20, not powers of ten, on a logarithmic axis."""
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")


def _ms(histogram: Histogram, percent: float) -> float:
    return (histogram.percentile(percent) or 0.0) * 1000
