"""A real cluster whose processes stand on hosts of their own (:mod:`tests.support.netns`), and people on others who talk through it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from rtcbroker import Client, ClientOptions, Packet, Subscription
from tests.support.cluster import Cluster, Server
from tests.support.netns import Host, Network, Segment
from tests.support.poll import until

JOIN_S = 30.0


class HostedServer(Server):
    """One process of the cluster, on its host."""

    host: Host

    def start(self) -> None:
        """Start the process there."""
        self.spawn(*self.host.namespace.prefix)

    async def page(self, path: str) -> tuple[int, str]:
        """As its own host sees it."""
        return await self.host.inside.run(_get(f"http://{self.host.address}:{self.port}{path}"))


async def _get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


class NetCluster(Cluster):
    """A coordinator and comm servers, each on a host of its own."""

    def __init__(self, folder: Path, network: Network, segment: Segment) -> None:
        super().__init__(folder, auth=True)
        self.network = network
        self.segment = segment
        self.hosts: list[Host] = []
        """Of the comm servers, in order."""

    @property
    def url(self) -> str:
        """What clients dial."""
        assert isinstance(self.coordinator, HostedServer)
        return f"ws://{self.coordinator.host.address}:{self.coordinator.port}"

    def on(self, host: Host, module: str, **options: str) -> HostedServer:
        """A process on that host, not started yet."""
        server = self.server(module, **{"host": host.address, **options})
        server.__class__ = HostedServer
        assert isinstance(server, HostedServer)
        server.host = host
        return server

    async def begin(self) -> None:
        """Start the coordinator."""
        self.coordinator = self.on(Host(self.network, "coordinator", self.segment), "coordinator")
        self.coordinator.start()
        await self.coordinator.ready()

    async def serve(self, host: Host | None = None, **options: str) -> HostedServer:
        """One more comm server, on a new host where none is given; returns when the coordinator knows it."""
        host = host or Host(self.network, f"server {len(self.hosts) + 1}", self.segment)
        self.hosts.append(host)
        server = self.on(host, "commserver", coordinator=self.url, **options)
        server.start()
        await server.ready()
        await self.connected(server)
        return server

    def end(self) -> None:
        """Stop everything."""
        for server in [*self.servers, self.coordinator]:
            if server is not None:
                server.end()


class Person:
    """A client on a host, and everything it hears, with the moment of arrival."""

    def __init__(self, made: NetCluster, host: Host, name: str, options: ClientOptions | None = None) -> None:
        self.host = host
        self.name = name
        self.heard: list[tuple[float, Packet]] = []
        self._token = functools.partial(made.token, name)
        self._made = made
        self._options = options
        self._stack = contextlib.AsyncExitStack()
        self.client: Client = None  # type: ignore[assignment]  # made by `join`, on the loop it belongs to
        self.packets: Subscription = None  # type: ignore[assignment]  # the same

    async def join(self, *topics: str) -> None:
        """Connect and subscribe."""
        await self.host.inside.run(self._join(topics))

    async def _join(self, topics: tuple[str, ...]) -> None:
        self.client = Client(self._made.url, token=self._token, options=self._options)
        await self._stack.enter_async_context(self.client)
        subscription = self.client.subscribe(*topics, callback=lambda packet: self.heard.append((time.monotonic(), packet)))
        self.packets = await self._stack.enter_async_context(subscription)

    async def publish(self, topic: str, body: bytes, *, reliable: bool = True) -> None:
        """Say something."""
        await self.host.inside.run(self.client.publish(topic, body, reliable=reliable))

    async def publish_many(self, topic: str, count: int, *, reliable: bool, pause: float, prefix: str = "") -> list[float]:
        """Say `prefix` and a number, `count` times; returns when each was said."""

        async def say() -> list[float]:
            said = []
            for number in range(count):
                said.append(time.monotonic())
                await self.client.publish(topic, f"{prefix}{number}".encode(), reliable=reliable)
                await asyncio.sleep(pause)
            return said

        return await self.host.inside.run(say())

    async def leave(self) -> None:
        """Close."""
        await self.host.inside.run(self._stack.aclose())

    def bodies(self, *, reliable: bool | None = None) -> list[bytes]:
        """What was heard, in order; of one channel alone, where that is said."""
        return [packet.body for _, packet in list(self.heard) if reliable in (None, packet.reliable)]


@contextlib.asynccontextmanager
async def net_cluster(folder: Path) -> AsyncIterator[NetCluster]:
    """A coordinator on a segment of its own; add servers with `serve`."""
    with Network() as network:
        made = NetCluster(folder, network, network.segment())
        try:
            await made.begin()
            yield made
        finally:
            made.end()


@contextlib.asynccontextmanager
async def people(*them: Person, topics: tuple[str, ...] = ("t",)) -> AsyncIterator[None]:
    """All of them join, and leave at the end."""
    joined: list[Person] = []
    try:
        for person in them:
            joined.append(person)
            await person.join(*topics)
        yield
    finally:
        for person in joined:
            await person.leave()


async def hear_each_other(*them: Person, seconds: float = JOIN_S, topic: str = "t") -> float:
    """Publish until everybody has heard everybody else; returns how long that took."""
    began = time.monotonic()
    mark = f"{began}".encode()
    marks = {(person.name, mark + person.name.encode()) for person in them}

    def missing() -> list[str]:
        heard = {person.name: set(person.bodies()) for person in them}
        return [f"{of} by {p.name}" for p in them for of, body in marks if of != p.name and body not in heard[p.name]]

    async def check() -> bool:
        for person in them:
            await person.publish(topic, mark + person.name.encode(), reliable=False)
        return not missing()

    await until(check, seconds, lambda: f"not heard: {', '.join(missing())}", interval=0.1)
    return time.monotonic() - began
