"""A whole cluster on this machine: coordinators and comm servers as processes on free ports, for as long as one is needed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from simulation.io import children
from simulation.io.children import Child
from simulation.io.redis import start_redis

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
        self.urls: list[str] = []
        """Of the coordinators."""
        self.coordinators: list[Child] = []
        self.servers: list[Child] = []
        self.pages: list[str] = []
        """URL of each comm server's health and metrics pages."""
        self._count = servers
        self._hubs = hubs
        self._coordinator_count = coordinators
        self._directory = directory
        self._host = host
        self._port = port
        self._server_options = server_options
        self._children: list[Child] = []

    @property
    def url(self) -> str:
        """What clients and comm servers dial: all coordinators."""
        return ",".join(self.urls)

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
        """Raises :class:`ChildError` when one of the processes has ended."""
        for child in self._children:
            if not child.is_running:
                raise child.failure(f"ended with code {child.process.returncode}")

    async def _start(self) -> None:
        await self._start_coordinators()
        options = [
            "--coordinator",
            self.url,
            "--host",
            self._host,
            "--port",
            "0",
            "--bind",
            self._host,
            "--announce",
            self._host,
            "--udp-port",
            "0",
            "--drain-seconds",
            "0",  # nobody is left who would move
            *self._server_options,
        ]
        started = await asyncio.gather(
            *(
                self._launch(f"comm server {number}", "commserver", [*options, *(["--hub"] if number <= self._hubs else [])])
                for number in range(1, self._count + 1)
            )
        )
        for server, document in started:
            self.servers.append(server)
            self.pages.append(f"http://{self._host}:{document['port']}")
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=START_S)) as session:
            await asyncio.gather(*(self._until_known(session, *each) for each in zip(self.servers, self.pages, strict=True)))

    async def _start_coordinators(self) -> None:
        backplane: list[str] = []
        if self._coordinator_count > 1:
            redis, url = await start_redis(self._directory)
            self._children.append(redis)
            backplane = ["--backplane", url]
        for number in range(1, self._coordinator_count + 1):
            name = f"coordinator {number}" if backplane else "coordinator"
            port = str(self._port if number == 1 else 0)
            child, document = await self._launch(name, "coordinator", ["--host", self._host, "--port", port, *backplane])
            self.coordinators.append(child)
            self.urls.append(f"ws://{self._host}:{document['port']}")

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

    async def _launch(self, name: str, command: str, options: list[str]) -> tuple[Child, dict[str, Any]]:
        stem = name.replace(" ", "-")
        ready_file = self._directory / f"{stem}.json"
        arguments = ["-m", "rtcbroker.cli", command, *options, "--ready-file", str(ready_file)]
        # The secret goes by the environment, which other users of the machine cannot read, as they can a command line.
        environment = {"RTCBROKER_AUTH_SECRET": self.secret}
        child = await children.start(name, arguments, self._directory / f"{stem}.log", environment)
        self._children.append(child)
        return child, await child.ready(ready_file, START_S)
