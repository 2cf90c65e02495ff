"""`--processes`: several comm servers under one command; what ends is started again, and one signal stops all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil

from tests.support.cluster import Cluster, Server, cluster
from tests.support.poll import until
from tests.support.talk import heard_by_all, spread


async def supervised(made: Cluster, count: int) -> tuple[Server, list[dict[str, Any]]]:
    server = made.server("commserver", coordinator=made.url, bind="127.0.0.1", processes=str(count))
    server.spawn()
    await server.ready()
    children: list[dict[str, Any]] = json.loads(server.ready_file.read_text())["processes"]
    return server, children


async def test_two_processes_are_two_servers_of_the_cluster() -> None:
    async with cluster(0) as made:
        server, children = await supervised(made, 2)
        assert len({child["port"] for child in children}) == len({child["udp_port"] for child in children}) == 2
        made.servers.append(server)  # `spread` wants as many servers as there are
        async with spread(made, 2) as (ann, bob), bob.subscribe("square") as packets:
            assert ann.server != bob.server
            await heard_by_all(ann, "square", [packets])
        made.servers.pop()


async def test_what_is_killed_is_started_again_and_one_signal_stops_all() -> None:
    async with cluster(0) as made:
        server, children = await supervised(made, 2)
        victim = psutil.Process(children[0]["pid"])
        victim.kill()
        assert server.process is not None
        supervisor = psutil.Process(server.process.pid)

        def replaced() -> bool:
            pids = {child.pid for child in supervisor.children()}
            return len(pids) == 2 and victim.pid not in pids

        await until(replaced, 10, "another child has taken its place")
        await until(lambda: _servers(made, 2), 20, "the coordinator knows two servers again")
        lives = supervisor.children()
        assert await server.terminate() == 0
        assert not any(child.is_running() for child in lives)


async def test_children_do_not_outlive_a_supervisor_that_is_killed() -> None:
    async with cluster(0) as made:
        server, children = await supervised(made, 2)
        server.kill()
        await until(lambda: not any(psutil.pid_exists(child["pid"]) for child in children), 10, "the children are gone")


async def test_a_wrong_setting_ends_it_all_with_one_clear_line(tmp_path: Path) -> None:
    async with cluster(1) as made:
        taken = str(made.servers[0].port)
        server = made.server("commserver", coordinator=made.url, bind="127.0.0.1", processes="2", port=taken)
        server.spawn()
        assert server.process is not None
        await until(lambda: server.process is not None and server.process.poll() is not None, 20, "it has ended")
        assert server.process.returncode == 2
        assert "cannot listen" in server.log.read_text()


async def _servers(made: Cluster, count: int) -> bool:
    return await made.coordinator.metric("rtcbroker_coordinator_peers", role="server") == count
