"""Every comm server is stopped and started again, one after the other, while clients talk all the time: they lose nothing and notice nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from commserver.core.lame_duck import MOVE_GRACE_S
from protocol.tokens import TokenRole
from tests.support.cluster import Cluster, Server, cluster
from tests.support.poll import until
from tests.support.talk import clients
from tests.support.talkers import END_S, talking

CLIENTS = 8

Restart = Callable[[Cluster, Server], Awaitable[None]]


async def by_signal(made: Cluster, server: Server) -> None:
    """As a service manager does, which starts the next one as soon as this one has ended."""
    assert await server.terminate() == 0, server.log.read_text()[-2000:]


async def by_the_api(made: Cluster, server: Server) -> None:
    """As `rtcbroker drain` does."""
    alias = await alias_of(server)
    admin = {"Authorization": f"Bearer {made.token('operator', role=TokenRole.ADMIN)}"}
    url = f"http://127.0.0.1:{made.coordinator.port}/api/v1/servers/{alias}/drain"
    async with aiohttp.ClientSession(headers=admin) as session, session.post(url, json={"seconds": 0.5}) as response:
        assert response.status == 202, await response.text()
    process = server.process
    assert process is not None
    await until(lambda: process.poll() is not None, END_S, "the process has ended")
    assert process.returncode == 0, server.log.read_text()[-2000:]


async def alias_of(server: Server) -> int:
    """By what it was known last: each process is given a new one."""
    return int(server.log.read_text().rsplit("knows us as ", 1)[1].split()[0])


@pytest.mark.timeout(180)
@pytest.mark.parametrize("restart", [by_signal, by_the_api])
async def test_nobody_loses_a_reliable_packet(restart: Restart) -> None:
    async with cluster(3, drain_seconds="1") as made, clients(made, CLIENTS) as joined:
        async with talking(joined) as talkers:
            for server in made.servers:
                await asyncio.sleep(0.3)
                await restart(made, server)
                await again(made, server)
            await asyncio.sleep(0.5)
        assert sum(talker.client.stats.moves for talker in talkers) >= CLIENTS


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("hubs", "restart"), [(1, by_signal), (2, by_signal), (2, by_the_api)])
async def test_nor_when_the_hubs_of_a_star_are_restarted(hubs: int, restart: Restart) -> None:
    """Also the only one: the plain servers are linked with one another before it ends, and with it again before they are not."""
    async with cluster(0, drain_seconds="1") as made:
        star = [await made.add_server(hub="true", drain_seconds="1") for _ in range(hubs)]
        for _ in range(2):
            await made.add_server(drain_seconds="1")
        links = 2 * (2 * hubs + hubs - 1)
        await made.meshed(links)
        async with clients(made, CLIENTS) as joined, talking(joined):
            for hub in star:
                await asyncio.sleep(0.3)
                began = time.monotonic()
                await restart(made, hub)
                assert time.monotonic() - began < 1 + MOVE_GRACE_S, "it ended when nobody needed it, not when it had to"
                await again(made, hub)
                await made.meshed(links)
            await asyncio.sleep(0.5)


async def again(made: Cluster, server: Server) -> None:
    """Start a server that has ended, and wait until the coordinator knows it."""
    server.spawn()
    await server.ready()
    await made.connected(server)
