"""Points of the pictures, and that pictures come of them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Outcome
from benchmarks.plots import crowd_points, join_rate, latency_points, scaling_points, write_plots

OUTCOMES = {
    "crowd25": [Outcome({"cpu_us_per_delivery": cpu}) for cpu in (8.0, 9.0, 7.0)],
    "dense150": [
        Outcome({"cpu_us_per_delivery": 2.0, "latency_distribution_ms": {"1": 1.0, "50": 10.0, "100": 40.0}}),
        Outcome({"cpu_us_per_delivery": 3.0, "latency_distribution_ms": {"1": 2.0, "50": 12.0, "100": 60.0}}),
        Outcome({}, ["did not end"]),
    ],
    "crowd150": [Outcome({"cpu_us_per_delivery": 2.5}), Outcome({}, ["did not end"])],
    "joins": [Outcome({"curve": [[0.0, 0], [0.5, 40], [1.0, 90], [2.0, 190]]})],
}


def test_points() -> None:
    assert crowd_points(OUTCOMES) == [(25.0, 8.0), (150.0, 2.5)]
    assert latency_points(OUTCOMES["dense150"]) == [(1.5, 1.0), (11.0, 50.0), (50.0, 100.0)]
    assert latency_points([]) == []
    assert join_rate([(0.0, 0), (0.5, 40), (1.0, 90), (2.0, 190)]) == [(90, 90.0), (190, 100.0)]
    assert join_rate([]) == []


def test_pictures_of_what_ran(tmp_path: Path) -> None:
    assert [path.name for path in write_plots(OUTCOMES, tmp_path / "new")] == ["crowd.png", "latency.png", "joins.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "new").iterdir())
    assert write_plots({}, tmp_path / "none") == []


def scaling_run(servers: int, cpu: float) -> Outcome:
    idle = {"ends": servers - 1, "in": 1.0, "out": 1.0, "cpu_ms": 0.1 * servers}
    busy = [{"ends": servers - 1, "in": 100.0 * number, "out": 50.0, "cpu_ms": cpu + 2 * number} for number in range(servers)]
    return Outcome({"cpu_ms_per_s": cpu * servers, "samples": [idle, *busy]})


def test_pictures_of_clusters_of_several_sizes(tmp_path: Path) -> None:
    runs = {f"mesh{servers}": [scaling_run(servers, 5.0 * servers)] for servers in (2, 4, 8)}
    assert scaling_points(runs, "mesh") == [(2.0, 20.0), (4.0, 80.0), (8.0, 320.0)]
    assert scaling_points(runs, "star") == []
    assert [path.name for path in write_plots(runs, tmp_path)] == ["scaling.png", "scaling-computed.png"]
    one = {"mesh2": runs["mesh2"]}
    assert [path.name for path in write_plots(one, tmp_path)] == ["scaling.png"], "one size tells nothing of others"
