"""Pictures of a benchmark: processor time against the size of the crowd, latencies, and joins. Needs matplotlib, an extra."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import scaling_model as model
from benchmarks.catalogue import CPU, CROWD_HZ, CROWDS, GROWTH, LOADS
from benchmarks.figures import Outcome, look_up
from benchmarks.scaling import SIZES, TOPOLOGIES, samples_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Outcomes = Mapping[str, Sequence[Outcome]]
Points = list[tuple[float, float]]

LATENCIES = ("dense150", "linked", "window0", "old45", "groups", "lone")
SPAN_S = 1.0
"""Joins are counted over so long for each point of their rate."""


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def write_plots(outcomes: Outcomes, directory: Path) -> list[Path]:
    """Draw what the runs allow into PNG files. Returns their paths. Raises OSError."""
    from matplotlib.figure import Figure  # late: an extra, and slow to import

    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in (
        ("crowd", _crowd),
        ("latency", _latency),
        ("joins", _joins),
        ("scaling", _scaling),
        ("scaling-computed", _computed),
    ):
        picture = Figure(figsize=(7, 4.4), layout="constrained")
        axes = picture.subplots()
        if draw(axes, outcomes):
            axes.grid(visible=True, which="both", alpha=0.25)
            path = directory / f"{name}.png"
            picture.savefig(path, dpi=120, format="png")
            written.append(path)
    return written


def crowd_points(outcomes: Outcomes) -> Points:
    """Clients and the median of the processor time per delivery."""
    points = []
    for name, clients in zip(GROWTH, CROWDS, strict=True):
        values = [value for one in outcomes.get(name, ()) if (value := look_up(one.document, CPU)) is not None]
        if values:
            points.append((float(clients), median(values)))
    return points


def latency_points(runs: Sequence[Outcome]) -> Points:
    """Milliseconds, and the percent of deliveries that took no longer: medians of the runs."""
    spreads = [spread for one in runs if (spread := one.document.get("latency_distribution_ms"))]
    percents = spreads[0].keys() if spreads else ()
    return [(median(spread[percent] for spread in spreads), float(percent)) for percent in percents]


def join_rate(curve: Sequence[tuple[float, float]]) -> Points:
    """From seconds and clients there: clients, and how many joined per second while they became so many."""
    points: Points = []
    kept: list[tuple[float, float]] = []
    for at, clients in curve:
        if not kept or at - kept[-1][0] >= SPAN_S:
            kept.append((at, clients))
    for (before, first), (now, last) in pairwise(kept):
        points.append((last, (last - first) / (now - before)))
    return points


def _crowd(axes: Axes, outcomes: Outcomes) -> bool:
    points = crowd_points(outcomes)
    if not points:
        return False
    axes.plot(*zip(*points, strict=True), marker="o", color="tab:blue")
    for clients, microseconds in points:
        axes.annotate(f"{microseconds:.2f}", (clients, microseconds), textcoords="offset points", xytext=(4, 6))
    axes.set(title="comm server: processor time per delivery", xlabel=f"clients in one topic, {CROWD_HZ:g} Hz each", ylabel="µs")
    axes.set_ylim(bottom=0)
    return True


def _latency(axes: Axes, outcomes: Outcomes) -> bool:
    drawn = [(name, points) for name in LATENCIES if (points := latency_points(outcomes.get(name, ())))]
    if not drawn:
        return False
    clients = {load.name: load.clients for load in LOADS}
    for name, points in drawn:
        axes.plot(*zip(*points, strict=True), label=f"{name}, {clients[name]} clients")
    axes.set(title="latency, publisher to receiver", xlabel="ms", ylabel="% of deliveries within", xscale="log", ylim=(0, 100))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(loc="lower right", fontsize="small")
    return True


def _joins(axes: Axes, outcomes: Outcomes) -> bool:
    drawn = False
    for number, outcome in enumerate(outcomes.get("joins", ()), 1):
        points = join_rate(outcome.document.get("curve", ()))
        if points:
            axes.plot(*zip(*points, strict=True), label=f"run {number}")
            drawn = True
    if not drawn:
        return False
    axes.set(title="joins, as fast as the load generator makes them", xlabel="clients there", ylabel="joins per second")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
    return True


def scaling_points(outcomes: Outcomes, topology: str) -> Points:
    """Servers, and the median of what all of them together spend under load, in milliseconds a second."""
    points = []
    for size in SIZES:
        runs = outcomes.get(f"{topology}{size}", ())
        if values := [value for one in runs if (value := look_up(one.document, "cpu_ms_per_s")) is not None]:
            points.append((float(size), median(values)))
    return points


def _scaling(axes: Axes, outcomes: Outcomes) -> bool:
    drawn = {topology: points for topology in TOPOLOGIES if (points := scaling_points(outcomes, topology))}
    for topology, points in drawn.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=topology)
    if drawn:
        axes.set(
            title="measured: processor time of all comm servers", xlabel="servers, four clients each in one topic", ylabel="ms/s"
        )
        axes.set_ylim(bottom=0)
        axes.legend(fontsize="small")
    return bool(drawn)


def _computed(axes: Axes, outcomes: Outcomes) -> bool:
    try:
        costs = model.learn(samples_of(outcomes))
    except ValueError:
        return False  # clusters of one size alone, or none
    sizes = range(model.HUBS + 1, model.SIZES[-1] + 1)
    for load, colour in zip(model.LOADS, ("tab:blue", "tab:green", "tab:orange"), strict=True):
        axes.plot(sizes, [model.mesh(costs, load, n).plain for n in sizes], color=colour, label=f"mesh: {load.name}")
        hubs = [model.star(costs, load, n, model.HUBS).hub for n in sizes]
        axes.plot(sizes, hubs, color=colour, linestyle="--", label="hub, one of two")
        plain = [model.star(costs, load, n, model.HUBS).plain for n in sizes]
        axes.plot(sizes, plain, color=colour, linestyle=":", label="plain server of that star")
    axes.axhline(model.SHARE_MS, color="grey", linewidth=0.8)
    axes.set(title="computed: being linked, for one server", xlabel="servers", ylabel="ms/s", xscale="log", yscale="log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(fontsize="x-small")
    return True
