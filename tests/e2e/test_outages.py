"""Any one process of a cluster is killed with -9 under load: who is not concerned loses nothing, the others are back in three seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulation.core.kills import processes_of
from tests.support.simulating import rtcbroker, simulate

pytestmark = pytest.mark.needs("redis-server")

CLIENTS = 50
BOUND_S = 3.0
KILL_AT_S = 2.0
CLUSTER = ("--coordinators", "2", "--spawn", "3")
LOAD = (
    "--clients",
    str(CLIENTS),
    "--groups",
    "5",
    "--hz",
    "5",
    "--seconds",
    "6",
    "--warmup",
    "500ms",
    "--reliable",
    "--workers",
    "2",
)
"""Each of five groups has clients at every server, so most pairs talk across servers. Two load processes: who is affected in one of them
has to be known in the other."""
BOUNDS = ("--max-outage", f"{BOUND_S:g}s")

SILENCE_S = 1.5
"""Who is not concerned gets fifty packets a second. A busy machine may hold them up; an outage would be far longer."""


async def killed(tmp_path: Path, process: str) -> tuple[dict[str, Any], str]:
    document, output = await simulate(tmp_path, "groups", *CLUSTER, *LOAD, *BOUNDS, "--kill", f"{process}@{KILL_AT_S:g}")
    assert [document[name] for name in ("clients", "failed", "duplicates", "misroutes", "problems")] == [CLIENTS, 0, 0, 0, []]
    assert document["delivered"] == document["expected"] > 2_000
    (kill,) = document["kills"]
    assert kill["process"] == process
    assert kill["at_s"] == pytest.approx(KILL_AT_S, abs=0.5)
    assert 0 < document["longest_silence_s"] < SILENCE_S
    return document, " ".join(output.replace("│", " ").split())


def processes(*, servers: bool) -> list[str]:
    """Those of the cluster that serve clients, or the others."""
    return [name for name in processes_of(2, 3) if name.startswith("server/") == servers]


@pytest.mark.parametrize("process", processes(servers=True))
async def test_a_comm_server(tmp_path: Path, process: str) -> None:
    document, output = await killed(tmp_path, process)
    outages, affected = document["outages"], document["affected"]
    concerned = document["kills"][0]["clients"]
    assert 0 < concerned < CLIENTS
    assert concerned == outages["clients"] == affected["clients"] == len(outages["each"]) == document["reconnects"]
    assert outages["not_back"] == 0
    for each in outages["each"]:
        assert (each["server"], each["killed"]) == (process, process)
        assert each["now_at"] in processes(servers=True)
        assert each["now_at"] != process
        assert 0 < each["noticed_s"] <= each["subscribed_s"] <= each["seconds"] <= BOUND_S
        assert f"#{each['client']} " in output
    assert f"outages {concerned} clients, p50 " in output
    assert affected["missed"] > 0
    # Before and after, they are served like anybody else; what was on its way just then depends on the machine.
    assert affected["delivered"] > 0.9 * affected["expected"] > 0


@pytest.mark.parametrize("process", processes(servers=False))
async def test_a_process_that_packets_do_not_pass(tmp_path: Path, process: str) -> None:
    document, output = await killed(tmp_path, process)
    assert document["outages"] == {"clients": 0, "p50_s": None, "max_s": None, "not_back": 0, "bound_s": BOUND_S, "each": []}
    assert document["affected"] == {"clients": 0, "expected": 0, "delivered": 0, "missed": 0}
    assert document["reconnects"] == 0
    assert f"killed {process} after 2.0 s" in output
    assert "outages none" in output
    assert ("without signalling" in output) == (process != "redis")
    if process != "redis":
        without_signalling(document, process, output)


def without_signalling(document: dict[str, Any], process: str, output: str) -> None:
    """Half of the clients, as chance wills, were at the coordinator that died; the others at the one that did not."""
    (other,) = {"coordinator/1", "coordinator/2"} - {process}
    found = document["signalling"]
    assert document["kills"][0]["clients"] == found["clients"] == len(found["each"]) > 0
    assert found["kept"] == CLIENTS - found["clients"] > 0
    assert found["not_back"] == 0
    for each in found["each"]:
        assert (each["coordinator"], each["now_at"]) == (process, other)
        assert 0 < each["seconds"] <= found["max_s"] <= BOUND_S
        assert f"#{each['client']} " in output
    assert f"without signalling {found['clients']} clients, p50 " in output
    assert f"{found['kept']} clients had another coordinator" in output


async def test_what_was_killed_comes_back_and_the_run_goes_on(tmp_path: Path) -> None:
    kills = ("--kill", "redis@0.5", "--kill", "coordinator/1@1", "--kill", "server/1@2", "--revive", "1s")
    load = ("--clients", "6", "--groups", "1", "--seconds", "7", "--reliable")
    document, _ = await simulate(tmp_path, "groups", *CLUSTER, *load, *kills)
    assert [kill["process"] for kill in document["kills"]] == ["redis", "coordinator/1", "server/1"]
    for kill in document["kills"]:
        assert kill["at_s"] + 1.0 <= kill["back_at_s"]
    assert document["outages"]["not_back"] == 0


async def test_bounds_that_are_not_kept_fail_the_run() -> None:
    """The books are not blind: in a star whose only hub dies, clients of living servers do not hear each other for a while."""
    # One group of many, for with few it happens that nobody on one living server has somebody to hear on the other.
    load = ("--clients", "24", "--groups", "1", "--hz", "10", "--seconds", "4", "--reliable")
    trouble = ("--kill", "server/1@1", "--max-loss", "0", "--max-outage", "100ms")
    code, output, errors = await rtcbroker("simulate", "groups", "--spawn", "3", "--hubs", "1", *load, *trouble)
    assert code == 1, output + errors
    assert "deliveries are missing" in errors
    assert "out for longer than 0.1 s" in errors


async def test_where_there_is_no_redis_it_says_what_to_install() -> None:
    code, _, errors = await rtcbroker("simulate", "dense", *CLUSTER, environment={"PATH": "/nonexistent"})
    assert code == 1
    assert "simulate: several coordinators meet on a Redis" in errors
    assert "apt-get install redis-server" in errors
    assert "Traceback" not in errors
