"""`rtcbroker simulate` against clusters it starts itself: every delivery is there once, and the figures say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulation.io.spawn import Cluster
from tests.support.simulating import rtcbroker, simulate


def check(document: dict[str, Any]) -> None:
    """What holds for every good run."""
    assert document["expected"] > 0
    assert document["delivered"] == document["expected"]
    assert [document[name] for name in ("loss", "duplicates", "misroutes", "failed", "foreign", "reconnects")] == [0] * 6
    assert document["problems"] == []
    latency, connect = document["latency_ms"], document["connect_ms"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"] < 5000
    assert 0 < connect["p50"] <= connect["p99"]
    assert document["rate_per_s"] == pytest.approx(document["received"] / document["seconds"], abs=0.1)


async def test_old_peers_at_a_server_that_does_not_coalesce(tmp_path: Path) -> None:
    options = ["--old-peers", "--server-option", "coalesce_window=0", "--size", "26"]
    document, _ = await simulate(tmp_path, "dense", "--spawn", "2", "--clients", "6", "--seconds", "2", *options)
    check(document)
    assert document["clients"] == 6
    distribution = list(document["latency_distribution_ms"].values())
    assert distribution == sorted(distribution)


async def test_old_peers_need_one_topic_each(tmp_path: Path) -> None:
    code, _, errors = await rtcbroker("simulate", "replay", "--spawn", "1", "--old-peers")
    assert code == 2
    assert errors.startswith("rtcbroker simulate replay: --old-peers: not with replay: its clients listen to several topics each")


async def test_a_position_needs_its_bytes(tmp_path: Path) -> None:
    code, _, errors = await rtcbroker("simulate", "replay", "--spawn", "1", "--size", "26")
    assert (code, errors) == (2, "rtcbroker simulate replay: --size 26: packets of replay take at least 32 bytes\n")


async def test_dense(tmp_path: Path) -> None:
    plot = tmp_path / "result.png"
    document, output = await simulate(
        tmp_path, "dense", "--spawn", "1", "--clients", "10", "--hz", "10", "--seconds", "3", "--plot", str(plot)
    )
    check(document)
    assert (document["clients"], document["servers"], document["seconds"]) == (10, 1, 3.0)
    assert document["sent"] == pytest.approx(300, abs=5)
    assert document["expected"] == document["sent"] * 9
    assert document["peak_clients"] == 10
    assert document["server_cpu_s"] > 0
    assert document["cpu_us_per_delivery"] == pytest.approx(document["server_cpu_s"] * 1e6 / document["received"], rel=0.01)
    assert 20 < document["server_rss_mb"] < 2000
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert f"{document['delivered']:,} of {document['expected']:,} expected" in output


async def test_groups_over_two_servers_and_two_workers_reliably(tmp_path: Path) -> None:
    options = [
        "--spawn",
        "2",
        "--clients",
        "12",
        "--groups",
        "3",
        "--hz",
        "5",
        "--seconds",
        "2",
        "--reliable",
        "--workers",
        "2",
        "--warmup",
        "300ms",
    ]
    document, _ = await simulate(tmp_path, "groups", *options)
    check(document)
    assert (document["clients"], document["servers"], document["peak_clients"]) == (12, 2, 12)
    assert document["expected"] == document["sent"] * 3


async def test_churn(tmp_path: Path) -> None:
    options = ["--spawn", "1", "--arrivals", "3", "--stay", "2s", "--seconds", "3", "--hz", "5"]
    document, output = await simulate(tmp_path, "churn", *options)
    check(document)
    assert document["joins"] > 6
    assert document["leaves"] > 3
    assert document["peak_clients"] < document["joins"]
    assert "coming and going" in output


async def test_replay(tmp_path: Path) -> None:
    """Ten people walk along a street of eight cells, one after the other, to and fro."""
    path = tmp_path / "street.csv"
    lines = ["t_s,person,x_m,y_m"]
    for person in range(10):
        for step in range(11):
            place = 3.2 * step if person % 2 else 32 - 3.2 * step
            lines.append(f"{person * 0.2 + step * 0.4:.1f},{person},{place:.2f},{person % 3}")
    path.write_text("\n".join(lines) + "\n")
    document, output = await simulate(tmp_path, "replay", str(path), "--spawn", "2", "--cell", "4")
    check(document)
    assert (document["clients"], document["joins"], document["leaves"], document["peak_clients"]) == (10, 10, 10, 10)
    assert 60 <= document["cell_changes"] <= 80
    assert document["seconds"] == pytest.approx(5.8)
    assert "cell changes" in output


async def test_against_a_cluster_that_runs_already(tmp_path: Path) -> None:
    async with Cluster(1, tmp_path) as cluster:
        secret = tmp_path / "secret"
        secret.write_text(cluster.secret)
        options = ["dense", "--url", cluster.url, "--clients", "3", "--seconds", "1"]
        document, _ = await simulate(tmp_path, *options, "--secret-file", str(secret))
        check(document)
        assert [document[name] for name in ("servers", "server_cpu_s", "server_rss_mb")] == [None] * 3
        code, _, errors = await rtcbroker("simulate", *options, "--token", "no-token", "--connect-timeout", "3s")
        assert code == 1
        assert "simulate: no client could connect: " in errors
        assert "Traceback" not in errors


async def test_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    code, _, errors = await rtcbroker(
        "simulate", "dense", "--url", "ws://127.0.0.1:9", "--clients", "2", "--connect-timeout", "500ms"
    )
    assert code == 1
    assert "simulate: no client could connect: " in errors
    assert "Traceback" not in errors
