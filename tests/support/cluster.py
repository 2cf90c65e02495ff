"""A real cluster for end-to-end tests: a coordinator and comm servers, each a process of its own on free ports of the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from protocol.keys import secret_key
from protocol.tokens import TokenRole, sign
from tests.support.poll import until

SECRET = "a secret for tests only, thirty-two bytes and more"
START_S = 30.0
"""A process may take so long to be ready: two cores, and coverage is measured in it."""
STOP_S = 15.0


class Server:
    """One process of the cluster."""

    def __init__(self, module: str, folder: Path, environment: dict[str, str]) -> None:
        self.module = module
        self._folder = folder
        self._environment = environment
        self.ready_file = folder / "ready.json"
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def spawn(self, *wrapper: str, group: bool = False) -> None:
        """Start the process, in a process group of its own if that is said; see :meth:`ready`. `wrapper` is a command that runs the one
        that is given to it as arguments.
        """
        self.ready_file.unlink(missing_ok=True)
        environment = {
            # Those of the person who runs the tests are none of the tests' business, whichever fixture starts a process first.
            **{name: value for name, value in os.environ.items() if not name.startswith("RTCBROKER_")},
            **{f"RTCBROKER_{name.upper()}": value for name, value in self._environment.items()},
            "RTCBROKER_READY_FILE": str(self.ready_file),
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", self.module],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0 if group else None,
            )

    async def ready(self) -> None:
        """Wait until it accepts peers, and learn its port."""
        await until(self._is_ready, START_S, lambda: f"{self.module} is ready; its log:\n{self.log.read_text()[-2000:]}")
        # The same port again, should it be started anew: its peers know no other.
        self.port = json.loads(self.ready_file.read_text())["port"]
        self._environment["port"] = str(self.port)

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.module} ended:\n{self.log.read_text()[-2000:]}"
        return self.ready_file.exists()

    def kill(self) -> None:
        """As a crash: SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_S)

    async def terminate(self) -> int:
        """As an operator: SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, STOP_S)

    def end(self) -> None:
        """At the end of a test, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    async def page(self, path: str) -> tuple[int, str]:
        """GET one of its pages: status and text."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}{path}") as response:
            return response.status, await response.text()

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of a metric that have these labels; 0 where there is none."""
        _, text = await self.page("/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


class Cluster:
    """One coordinator and its comm servers."""

    def __init__(self, folder: Path, *, auth: bool) -> None:
        self._folder = folder
        self._auth = auth
        self.coordinator: Server = None  # type: ignore[assignment]  # started by `cluster`, before anyone sees this object
        self.servers: list[Server] = []

    @property
    def url(self) -> str:
        """What clients dial."""
        return f"ws://127.0.0.1:{self.coordinator.port}"

    def token(
        self,
        subject: str = "someone",
        *,
        role: TokenRole = TokenRole.CLIENT,
        lifetime_s: float = 300.0,
        publish: tuple[str, ...] = ("**",),
        subscribe: tuple[str, ...] = ("**",),
        **more: Any,
    ) -> str:
        """A token this cluster accepts."""
        now = time.time()
        return sign(
            secret_key(SECRET),
            subject=subject,
            role=role,
            now=now,
            lifetime_s=lifetime_s,
            publish=publish,
            subscribe=subscribe,
            **more,
        )

    def server(self, module: str, **options: str) -> Server:
        """A process that is not started yet."""
        folder = self._folder / f"{module}-{len(self.servers) + 1 if module == 'commserver' else 0}"
        folder.mkdir()
        auth = {"auth_secret": SECRET} if self._auth else {"auth": "none"}
        # Clients of a test that stops a server are told at once, rather than over twenty seconds.
        role = {"drain_seconds": "0"} if module == "commserver" else {}
        server = Server(module, folder, {"port": "0", "host": "127.0.0.1", **role, **auth, **options})
        if module == "commserver":
            self.servers.append(server)
        return server

    async def add_server(self, **options: str) -> Server:
        """Start one more comm server and wait until the coordinator knows it."""
        server = self.server("commserver", coordinator=self.url, bind="127.0.0.1", **options)
        server.spawn()
        await server.ready()
        await self.connected(server)
        return server

    def process_of(self, alias: int) -> Server:
        """Which comm server has this alias: each logs the alias it was given."""
        for server in self.servers:
            if f"knows us as {alias}" in server.log.read_text():
                return server
        raise AssertionError(f"no process is {alias}")

    async def connected(self, server: Server) -> None:
        """Wait until the coordinator knows this comm server."""

        async def check() -> bool:
            return (await server.page("/readyz"))[0] == 200

        await until(check, START_S, "the comm server is known to the coordinator")

    async def meshed(self, links: int | None = None) -> None:
        """Wait until every comm server has its server links: all others, or `links` in sum."""
        wanted = links if links is not None else len(self.servers) * (len(self.servers) - 1)

        async def count() -> float:
            counts = [
                await server.metric("rtcbroker_peers", role=role, state="active")
                for server in self.servers
                if server.process is not None and server.process.poll() is None
                for role in ("server", "hub")
            ]
            return sum(counts)

        async def check() -> bool:
            return await count() == wanted

        await until(check, START_S, f"{wanted} ends of server links", interval=0.05)

    def end(self) -> None:
        """Stop everything."""
        for server in [*self.servers, self.coordinator]:
            server.end()


@contextlib.asynccontextmanager
async def cluster(
    servers: int = 1, *, auth: bool = True, coordinator: dict[str, str] | None = None, **options: str
) -> AsyncIterator[Cluster]:
    """A running cluster of `servers` equal comm servers, meshed; `options` are theirs, `coordinator` the coordinator's."""
    with tempfile.TemporaryDirectory(prefix="rtcbroker-") as folder:
        made = Cluster(Path(folder), auth=auth)
        made.coordinator = made.server("coordinator", **(coordinator or {}))
        try:
            made.coordinator.spawn()
            await made.coordinator.ready()
            for _ in range(servers):
                await made.add_server(**options)
            await made.meshed()
            yield made
        finally:
            made.end()
