"""A real redis-server, or a Valkey, on a port of the loopback, that can be killed, stopped for a while, and started again with nothing in it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.support.poll import until

START_S = 15.0
STOP_S = 10.0


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """One process, which keeps nothing on disk."""

    def __init__(self, folder: Path, *options: str, program: str | Path = "redis-server") -> None:
        """`options` are more arguments of redis-server, or of another `program` that takes the same, as Valkey does."""
        self.port = free_port()
        self.path = folder / "redis.sock"
        self.log = folder / "redis.log"
        self._folder = folder
        self._options = options
        self._program = program
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For --backplane."""
        return f"redis://127.0.0.1:{self.port}"

    def spawn(self) -> None:
        """Start the process, with nothing in it; see :meth:`start`."""
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.path)]
        arguments += ["--save", "", "--appendonly", "no", "--dir", str(self._folder), *self._options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([self._program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    async def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        self.spawn()
        await until(self._is_ready, START_S, lambda: f"redis-server is ready:\n{self.log.read_text()[-2000:]}")

    async def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"redis-server ended:\n{self.log.read_text()[-2000:]}"
        try:
            _, writer = await asyncio.open_unix_connection(str(self.path))
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    def kill(self) -> None:
        """SIGKILL: all that was in it is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_S)

    def pause(self) -> None:
        """SIGSTOP: connections stay, and nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """At the end of a test, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    async def connect(self, password: str | None = None) -> Redis:
        """A client, to be closed."""
        return Redis(unix_socket_path=str(self.path), protocol=2, password=password)

    async def call(self, *command: Any) -> Any:
        """One command, by a connection of its own."""
        client = await self.connect()
        try:
            return await client.execute_command(*command)  # type: ignore[no-untyped-call]  # the library has left it without types
        finally:
            with contextlib.suppress(RedisError):
                await client.aclose()

    async def keys(self) -> list[str]:
        """All there are."""
        return sorted(key.decode() for key in await self.call("KEYS", "*"))


@contextlib.asynccontextmanager
async def redis_server(*options: str, program: str | Path = "redis-server") -> AsyncIterator[RedisServer]:
    """A running one."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder), *options, program=program)
        try:
            await server.start()
            yield server
        finally:
            server.end()
