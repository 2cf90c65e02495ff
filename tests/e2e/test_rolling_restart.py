"""Every comm server is stopped and started again, one after the other, while clients talk all the time: they lose nothing and notice nothing."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from protocol.tokens import TokenRole
from rtcbroker import Client, ClientState, Packet
from tests.support.cluster import Cluster, Server, cluster
from tests.support.poll import until
from tests.support.talk import clients

CLIENTS = 8
PACE_S = 0.01
"""Between two packets of a client: some hundreds a second in all, which two busy cores can do."""
END_S = 20.0

Restart = Callable[[Cluster, Server], Awaitable[None]]


class Talker:
    """One client that publishes to its own and its neighbour's topic, hears everything, and keeps the books."""

    def __init__(self, client: Client, number: int) -> None:
        self.client = client
        self.topics = (f"room/{number % 3}", "square")
        self.sent: list[tuple[str, int]] = []
        self.loose = 0
        self.got: dict[int, list[int]] = defaultdict(list)
        self.got_loose: list[bytes] = []
        self.states: list[ClientState] = []
        client.on_state(lambda state, _: self.states.append(state))

    def take(self, packet: Packet) -> None:
        """A packet of somebody."""
        if packet.reliable:
            self.got[packet.sender].append(int(packet.body))
        else:
            self.got_loose.append(b"%d %b" % (packet.sender, packet.body))

    async def talk(self, stop: asyncio.Event) -> None:
        """Reliable ones, and every fifth time an unreliable one."""
        for serial in itertools.count():
            if stop.is_set():
                return
            topic = self.topics[serial % 2]
            await self.client.publish(topic, b"%d" % serial)
            self.sent.append((topic, serial))
            if serial % 5 == 0:
                await self.client.publish(topic, b"%d" % serial, reliable=False)
            await asyncio.sleep(PACE_S)

    def missing(self, talkers: list[Talker]) -> int:
        """How many it has not got yet."""
        return sum(len(self.expected(other)) - len(self.got[other.client.alias]) for other in talkers if other is not self)

    def expected(self, other: Talker) -> list[int]:
        """What it is to get of `other`, in order."""
        return [serial for topic, serial in other.sent if topic in self.topics]


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
        talkers = [Talker(client, number) for number, client in enumerate(joined)]
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as work:
            held = [talker.client.subscribe(*talker.topics, callback=talker.take) for talker in talkers]
            for subscription in held:
                await subscription.__aenter__()
            await asyncio.sleep(0.5)  # until every server knows
            talking = [work.create_task(talker.talk(stop)) for talker in talkers]
            for server in made.servers:
                await asyncio.sleep(0.3)
                await restart(made, server)
                server.spawn()
                await server.ready()
                await made.connected(server)
            await asyncio.sleep(0.5)
            stop.set()
            await asyncio.wait(talking)
        await until(lambda: not any(talker.missing(talkers) > 0 for talker in talkers), END_S, lambda: lost(talkers))
        await asyncio.sleep(0.5)  # for what comes twice
        for talker in talkers:
            for other in talkers:
                if other is not talker:
                    assert talker.got[other.client.alias] == talker.expected(other)
            assert len(talker.got_loose) == len(set(talker.got_loose)), "twice, on the unreliable channel"
            assert talker.states == [], "nobody noticed anything"
        assert sum(talker.client.stats.moves for talker in talkers) >= CLIENTS
        assert all(not talker.client.stats.dropped for talker in talkers)


def lost(talkers: list[Talker]) -> str:
    """Who lacks how many."""
    return f"nothing is missing: {[talker.missing(talkers) for talker in talkers]}"
