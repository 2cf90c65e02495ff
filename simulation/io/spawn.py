"""A whole cluster on this machine: coordinators and comm servers as processes on free ports, for as long as one is needed."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from service.urls import host_of
from simulation.core import kills
from simulation.io import children
from simulation.io.children import Child
from simulation.io.redis import start_redis
from simulation.io.watch import Watch

START_S = 20.0
"""For a process to be ready: it imports, binds, and a comm server registers; all of them at once on a small machine."""

LEAVE_S = 2.0
"""For clients that are not of this run, a page in a browser, to be told that they should go."""

HOST = "127.0.0.1"


class Cluster:
    """``async with Cluster(servers, directory) as cluster``: runs inside, is gone outside. Makes its own secret."""

    def __init__(
        self,
        servers: int,
        directory: Path,
        *,
        host: str = HOST,
        port: int = 0,
        server_options: Sequence[str] = (),
        coordinators: int = 1,
        hubs: int = 0,
    ) -> None:
        """`directory` takes logs and ready files. `host` is the address of this machine where all listen. `port` is the first
        coordinator's, 0 a free one. `server_options` are more arguments of every comm server
        (:func:`simulation.server_options.server_arguments`). Several coordinators meet on a Redis of their own. The first `hubs` of
        the servers are hubs.
        """
        self.secret = secrets.token_hex(32)
        self._parts: dict[str, Child] = {}
        """The processes by their names, also those that were killed."""
        self.urls: list[str] = []
        """Of the coordinators."""
        self._pages: dict[str, str] = {}
        """Of each comm server, by its name."""
        self._backplane: list[str] = []
        self._servers = [kills.server(number) for number in range(1, servers + 1)]
        self._coordinators = [kills.coordinator(number) for number in range(1, coordinators + 1)]
        self._hubs = hubs
        self._directory = directory
        self._host = host
        self._port = port
        self._server_options = server_options
        self._children: list[Child] = []

    @property
    def coordinators(self) -> list[Child]:
        """The processes of the coordinators."""
        return [self._parts[name] for name in self._coordinators if name in self._parts]

    @property
    def servers(self) -> list[Child]:
        """The processes of the comm servers."""
        return [self._parts[name] for name in self._servers if name in self._parts]

    @property
    def pages(self) -> list[str]:
        """URL of each comm server's health and metrics pages."""
        return [self._pages[name] for name in self._servers]

    @property
    def url(self) -> str:
        """What clients and comm servers dial: all coordinators."""
        return ",".join(self.urls)

    @property
    def hosts(self) -> dict[str, str]:
        """Host and port of each coordinator that runs or ran, as clients know it, and its name."""
        return {host_of(url): name for url, name in zip(self.urls, self._coordinators, strict=False)}

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await children.stop(self._children)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Comm servers first: they tell the coordinators that they go, and these their Redis.
        await children.stop(self.servers, insist_s=LEAVE_S)
        await children.stop(self.coordinators)
        await children.stop(self._children)

    def check(self) -> None:
        """Raises :class:`ChildError` when one of the processes has ended that was not killed by :meth:`kill`."""
        for child in self._children:
            if not child.is_running:
                raise child.failure(f"ended with code {child.process.returncode}")

    # ------------------------------------------------------------------------------------------------ kill and revive

    async def kill(self, process: str) -> float:
        """End a process as a crash does, by SIGKILL; returns when (monotonic clock). `process`: see :mod:`simulation.core.kills`."""
        child = self._parts[process]
        self._children.remove(child)  # its end is no failure
        at = time.monotonic()
        child.kill()
        await child.process.wait()
        return at

    async def revive(self, process: str) -> Child:
        """Start a killed process again, where it was; a comm server on new ports. Raises :class:`ChildError`."""
        kind, _, number = process.partition("/")
        if kind == "redis":
            await self._start_redis()
        elif kind == "coordinator":
            await self._start_coordinator(int(number), urlsplit(self.urls[int(number) - 1]).port or 0)
        else:
            await self._start_server(int(number))
        return self._parts[process]

    async def names(self) -> dict[int, str]:
        """The names of the comm servers by their aliases, as far as they answer."""
        async with aiohttp.ClientSession() as session:
            looks = await Watch(session, [self._pages[server] for server in self._servers]).look()
        return {
            look[0].alias: server
            for server, look in zip(self._servers, looks, strict=True)
            if look is not None and look[0].alias is not None
        }

    # ----------------------------------------------------------------------------------------------------------- start

    async def _start(self) -> None:
        if len(self._coordinators) > 1:
            await self._start_redis()
        for number in range(1, len(self._coordinators) + 1):
            await self._start_coordinator(number, self._port if number == 1 else 0)
        await asyncio.gather(*(self._start_server(number) for number in range(1, len(self._servers) + 1)))
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=START_S)) as session:
            await asyncio.gather(*(self._until_known(session, *each) for each in zip(self.servers, self.pages, strict=True)))

    async def _start_redis(self) -> None:
        redis, url = await start_redis(self._directory)
        self._children.append(redis)
        self._parts[kills.REDIS] = redis
        self._backplane = ["--backplane", url]

    async def _start_coordinator(self, number: int, port: int) -> None:
        name = "coordinator" if len(self._coordinators) == 1 else f"coordinator {number}"
        options = ["--host", self._host, "--port", str(port), *self._backplane]
        part = kills.coordinator(number)
        document = await self._launch(part, name, "coordinator", options)
        if number > len(self.urls):  # not one that was killed, which comes back where it was
            self.urls.append(f"ws://{self._host}:{document['port']}")

    async def _start_server(self, number: int) -> None:
        listening = ["--host", self._host, "--port", "0", "--bind", self._host, "--announce", self._host, "--udp-port", "0"]
        leaving = ["--drain-seconds", "0"]  # nobody is left who would move
        hub = ["--hub"] if number <= self._hubs else []
        options = ["--coordinator", self.url, *listening, *leaving, *self._server_options, *hub]
        part = kills.server(number)
        document = await self._launch(part, f"comm server {number}", "commserver", options)
        self._pages[part] = f"http://{self._host}:{document['port']}"

    async def _until_known(self, session: aiohttp.ClientSession, server: Child, page: str) -> None:
        """Until the coordinator knows the server, and clients can be sent to it."""
        reason = ""
        try:
            async with asyncio.timeout(START_S):
                while True:
                    async with session.get(f"{page}/readyz") as response:
                        if response.status == 200:
                            return
                        reason = (await response.text()).strip()
                    await asyncio.sleep(children.POLL_S)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise server.failure(f"did not become ready ({reason or error})") from error

    async def _launch(self, part: str, name: str, command: str, options: list[str]) -> dict[str, Any]:
        """Start a process; returns what its ready file says."""
        stem = name.replace(" ", "-")
        ready_file = self._directory / f"{stem}.json"
        ready_file.unlink(missing_ok=True)
        arguments = ["-m", "rtcbroker.cli", command, *options, "--ready-file", str(ready_file)]
        # The secret goes by the environment, which other users of the machine cannot read, as they can a command line.
        environment = {"RTCBROKER_AUTH_SECRET": self.secret}
        child = await children.start(name, arguments, self._directory / f"{stem}.log", environment)
        self._children.append(child)
        self._parts[part] = child
        return await child.ready(ready_file, START_S)
