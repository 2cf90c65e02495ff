"""A real cluster of several coordinators on a real Redis, each a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from rtcbroker import Client, Subscription
from tests.support.cluster import SECRET, START_S, Cluster, Server
from tests.support.poll import until
from tests.support.redis_server import RedisServer

LEASE_S = 3.0
EVERY_S = 0.01
AT_LEAST = 100
"""Packets of a stream, so that there is something to lose."""


class SeveralCoordinators(Cluster):
    """`url` is that of all of them; :meth:`url_of` that of one."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        super().__init__(folder, auth=True)
        self.redis = redis
        self.coordinators: list[Server] = []

    @property
    def url(self) -> str:
        """Of all coordinators, separated by commas."""
        return ",".join(map(self.url_of, self.coordinators))

    @staticmethod
    def url_of(coordinator: Server) -> str:
        """Of one."""
        return f"ws://127.0.0.1:{coordinator.port}"

    async def add_coordinator(self, **more: str) -> Server:
        """One more; `more` are options of its."""
        folder = self._folder / f"coordinator-{len(self.coordinators) + 1}"
        folder.mkdir()
        options = {"backplane": self.redis.url, "backplane_lease": str(LEASE_S), **more}
        coordinator = Server("coordinator", folder, {"port": "0", "host": "127.0.0.1", "auth_secret": SECRET, **options})
        self.coordinators.append(coordinator)
        coordinator.spawn()
        await coordinator.ready()
        return coordinator

    async def add_server_at(self, coordinator: Server) -> Server:
        """A comm server that knows this coordinator only."""
        server = self.server("commserver", coordinator=self.url_of(coordinator), bind="127.0.0.1")
        server.spawn()
        await server.ready()
        await self.connected(server)
        return server

    async def all_know(self, servers: int, *, ready: bool = True) -> None:
        """Wait until every coordinator knows so many servers, and is ready or not."""
        for coordinator in self.living():

            async def knows(coordinator: Server = coordinator) -> bool:
                status, _ = await coordinator.page("/readyz")
                return (
                    await coordinator.metric("rtcbroker_coordinator_servers", state="ready") == servers
                    and (status == 200) == ready
                )

            await until(knows, START_S, f"a coordinator knows {servers} servers, ready: {ready}", interval=0.05)

    def living(self) -> list[Server]:
        """The coordinators that run."""
        return [each for each in self.coordinators if each.process is not None and each.process.poll() is None]

    async def busiest(self) -> Server:
        """The coordinator that has most comm servers."""
        counts = [(await each.metric("rtcbroker_coordinator_peers", role="server"), each.port, each) for each in self.living()]
        return max(counts)[2]

    async def peers(self, role: str) -> int:
        """At all coordinators together."""
        return int(sum([await each.metric("rtcbroker_coordinator_peers", role=role) for each in self.living()]))

    def end(self) -> None:
        """Stop everything."""
        for server in [*self.servers, *self.coordinators]:
            server.end()
        self.redis.end()


@contextlib.asynccontextmanager
async def several(servers: int, coordinators: int = 2, **options: str) -> AsyncIterator[SeveralCoordinators]:
    """A running one, whose comm servers know all coordinators, meshed; `options` are the coordinators'."""
    with tempfile.TemporaryDirectory(prefix="rtcbroker-") as folder:
        made = SeveralCoordinators(Path(folder), RedisServer(Path(folder)))
        try:
            await made.redis.start()
            for _ in range(coordinators):
                await made.add_coordinator(**options)
            for _ in range(servers):
                await made.add_server()
            await made.meshed()
            await made.all_know(servers)
            yield made
        finally:
            made.end()


class Stream:
    """Numbered packets from one client to a subscription, and whether all arrive."""

    def __init__(self, client: Client, packets: Subscription, topic: str) -> None:
        self._client = client
        self._packets = packets
        self._topic = topic
        self._stopping = asyncio.Event()
        self._sent = 0
        self._task = asyncio.create_task(self._publish())

    async def _publish(self) -> int:
        while not self._stopping.is_set() or self._sent < AT_LEAST:
            await self._client.publish(self._topic, b"%d" % self._sent)
            self._sent += 1
            await asyncio.sleep(EVERY_S)
        return self._sent

    async def check(self) -> None:
        """Stop, and see that every packet came, once and in order."""
        self._stopping.set()
        sent = await self._task
        got: list[bytes] = []
        async with asyncio.timeout(10):
            while len(got) < sent:
                packet = await anext(self._packets)
                if packet.topic == self._topic and packet.body != b"anyone?":
                    got.append(packet.body)
        assert got == [b"%d" % number for number in range(sent)]


@contextlib.asynccontextmanager
async def flowing(client: Client, packets: Subscription, topic: str) -> AsyncIterator[None]:
    """Inside, packets flow; outside, every single one has arrived."""
    stream = Stream(client, packets, topic)
    try:
        yield
        await stream.check()
    finally:
        stream._task.cancel()
        await asyncio.gather(stream._task, return_exceptions=True)
