"""`--processes`: several comm servers under one command; what ends is started again, and one signal stops all."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.support.cluster import STOP_S, Cluster, Server, cluster
from tests.support.poll import until
from tests.support.talk import heard_by_all, spread


async def supervised(
    made: Cluster, count: int, *wrapper: str, group: bool = False, **options: str
) -> tuple[Server, list[dict[str, Any]]]:
    server = made.server("commserver", coordinator=made.url, bind="127.0.0.1", processes=str(count), **options)
    # Of an earlier life, such as a crash leaves behind.
    server.ready_file.with_name(f"{server.ready_file.name}.0").write_text('{"pid": 1, "port": 1, "udp_port": 1}')
    server.spawn(*wrapper, group=group)
    await server.ready()
    return server, ready(server)


def ready(server: Server) -> list[dict[str, Any]]:
    """The children, as the supervisor's ready file has them."""
    children: list[dict[str, Any]] = json.loads(server.ready_file.read_text())["processes"]
    return children


async def ended(server: Server) -> int:
    """Its exit code, once it has ended."""
    assert server.process is not None
    return await asyncio.to_thread(server.process.wait, STOP_S)


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


async def test_the_ready_file_names_those_that_live() -> None:
    async with cluster(0) as made:
        server, children = await supervised(made, 2)
        assert server.process is not None
        supervisor = psutil.Process(server.process.pid)
        assert {child["pid"] for child in children} == {child.pid for child in supervisor.children()}
        psutil.Process(children[0]["pid"]).kill()
        await until(lambda: ready(server)[0]["pid"] != children[0]["pid"], 20, "the ready file has the new child")
        now = ready(server)
        assert now[1] == children[1]
        assert {child["pid"] for child in now} == {child.pid for child in supervisor.children()}
        whole = json.loads(server.ready_file.read_text())
        assert (whole["port"], whole["udp_port"]) == (now[0]["port"], now[0]["udp_port"])
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{now[0]['port']}/healthz") as response:
            assert response.status == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_the_whole_group_stops_all_in_order(number: signal.Signals) -> None:
    """As a terminal's Ctrl-C does: each process gets it, and the children get the supervisor's on top."""
    async with cluster(0) as made:
        server, _ = await supervised(made, 2, group=True)
        await until(lambda: _servers(made, 2), 20, "the coordinator knows both")
        assert server.process is not None
        os.killpg(server.process.pid, number)
        assert await ended(server) == 0
        assert "leaving without" not in server.log.read_text()


async def test_a_signal_to_each_process_stops_all_in_order() -> None:
    """As systemd does (KillMode=control-group), in no particular order."""
    async with cluster(0) as made:
        server, children = await supervised(made, 2)
        assert server.process is not None
        for pid in (children[0]["pid"], server.process.pid, children[1]["pid"]):
            os.kill(pid, signal.SIGTERM)
        assert await ended(server) == 0
        assert "leaving without" not in server.log.read_text()


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.3])
async def test_it_may_be_stopped_while_it_starts(delay: float) -> None:
    async with cluster(0) as made:
        server = made.server("commserver", coordinator=made.url, bind="127.0.0.1", processes="3")
        server.spawn()
        await until(lambda: "supervising" in server.log.read_text(), 20, "it has begun", interval=0.002)
        await asyncio.sleep(delay)
        assert await server.terminate() == 0, server.log.read_text()


async def test_a_second_signal_ends_it_at_once() -> None:
    async with cluster(0) as made:
        server, children = await supervised(made, 2, drain_seconds="60")
        os.kill(children[0]["pid"], signal.SIGSTOP)  # it will not stop in time
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        other = children[1]["pid"]
        await until(
            lambda: not psutil.pid_exists(other), 20, lambda: f"the other one has stopped:\n{server.log.read_text()[-2000:]}"
        )
        await asyncio.sleep(1.1)  # what comes sooner is taken for the same
        began = time.monotonic()
        assert await server.terminate() == 128 + signal.SIGTERM
        assert time.monotonic() - began < 5
        assert not psutil.pid_exists(children[0]["pid"])


async def test_a_child_that_it_did_not_start_is_none_of_its_business() -> None:
    """A shell that becomes the supervisor leaves it its own children; process 1 of a container gets everybody's."""
    async with cluster(0) as made:
        server, _ = await supervised(made, 2, "sh", "-c", 'sleep 0.2 & exec "$@"', "sh")
        assert server.process is not None
        supervisor = psutil.Process(server.process.pid)
        await until(lambda: len(supervisor.children()) == 2, 10, "the other one has ended, and is no zombie")
        assert server.process.poll() is None
        assert await server.terminate() == 0
        assert "Traceback" not in server.log.read_text()


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
