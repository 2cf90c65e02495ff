"""`rtcbroker simulate --impair`, on a host of its own: its clients' packets are late and lost, and nothing is left afterwards."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import SECRET
from tests.support.net_cluster import net_cluster
from tests.support.netns import Host, Network

pytestmark = [pytest.mark.needs("ip"), pytest.mark.needs("nft"), pytest.mark.timeout(120)]

TIMEOUT_S = 60.0
LOAD = ("groups", "--clients", "8", "--groups", "2", "--seconds", "2")


async def simulate(host: Host, tmp_path: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Run it there to its end: exit code, what it said, figures."""
    path = tmp_path / "result.json"
    process = await asyncio.create_subprocess_exec(
        *host.namespace.prefix,
        sys.executable,
        *("-m", "rtcbroker.cli", "simulate", *LOAD, *arguments, "--json", str(path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = path.read_text() if path.exists() else ""
    return process.returncode or 0, output.decode(), json.loads(text) if text else {}


def left_on(host: Host) -> tuple[str, str, str]:
    """What a run might leave: devices, tables, forwarding."""
    devices = host.namespace.run("ip", "-o", "-4", "addr")
    tables = host.namespace.run("nft", "list", "tables")
    return devices, tables, host.namespace.run("cat", "/proc/sys/net/ipv4/conf/eth0/forwarding")


async def test_a_cluster_of_its_own(tmp_path: Path) -> None:
    with Network() as net:
        host = Host(net, "machine", net.segment())
        before = left_on(host)
        code, said, found = await simulate(host, tmp_path, "--spawn", "2", "--reliable", "--impair", "delay=40ms,loss=1%")
        assert code == 0, said
        assert found["delivered"] == found["expected"] > 0
        assert 80 <= found["latency_ms"]["p50"] < 140
        assert found["impairment"] == "loss=1%,delay=40ms"
        assert left_on(host) == before


async def test_what_the_network_loses_is_not_held_against_the_run(tmp_path: Path) -> None:
    with Network() as net:
        host = Host(net, "machine", net.segment())
        options = ("--spawn", "1", "--impair", "loss=4%", "--seconds", "5", "--hz", "20")
        code, said, found = await simulate(host, tmp_path, *options)
        assert code == 0, said
        # Both ways 7.8 % of 800 packets to three others each; five standard deviations are 4 %.
        assert 0.03 < found["loss"] < 0.118


async def test_a_cluster_elsewhere(tmp_path: Path) -> None:
    async with net_cluster(tmp_path) as made:
        await made.serve()
        host = Host(made.network, "machine", made.segment)
        before = left_on(host)
        options = ("--url", made.url, "--secret", SECRET, "--reliable", "--impair", "delay=30ms")
        code, said, found = await simulate(host, tmp_path, *options)
        assert code == 0, said
        assert found["delivered"] == found["expected"] > 0
        assert 60 <= found["latency_ms"]["p50"] < 120
        assert left_on(host) == before


async def test_a_cluster_on_the_loopback_is_not_to_be_reached(tmp_path: Path) -> None:
    with Network() as net:
        host = Host(net, "machine", net.segment())
        options = ("--url", "ws://127.0.0.1:9090", "--secret", SECRET, "--impair", "delay=30ms")
        code, said, _ = await simulate(host, tmp_path, *options)
        assert code == 2
        assert "--impair: the clients' network does not reach a cluster at 127.0.0.1" in said
