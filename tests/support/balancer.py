"""A TCP balancer on the loopback, as one stands before coordinators; and a cable between a program and its server that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence

CHUNK = 64 * 1024
CONNECT_S = 1.0


class Balancer:
    """Takes each connection to the next backend that can be reached, in turn."""

    def __init__(self, backends: Callable[[], Sequence[int]]) -> None:
        """`backends`: the ports of now."""
        self.port = 0
        self._backends = backends
        self._turn = itertools.count()
        self._flows = asyncio.Event()  # cleared: nothing passes, and nobody is told
        self._flows.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Take connections, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Nothing passes any more, in any connection, as when a network is lost: no side sees an end."""
        self._flows.clear()

    def mend(self) -> None:
        """Everything passes again, also what was sent meanwhile."""
        self._flows.set()

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._relay(reader, writer)
        writer.transport.abort()
        self._tasks.discard(task)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await self._backend()
        if found is None:
            return
        there_reader, there_writer = found
        ways = [
            asyncio.create_task(self._pass_on(reader, there_writer)),
            asyncio.create_task(self._pass_on(there_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            there_writer.transport.abort()

    async def _backend(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        ports = self._backends()
        first = next(self._turn)
        for offset in range(len(ports)):
            with contextlib.suppress(OSError):
                async with asyncio.timeout(CONNECT_S):
                    return await asyncio.open_connection("127.0.0.1", ports[(first + offset) % len(ports)])
        return None

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()


@contextlib.asynccontextmanager
async def balancer(backends: Callable[[], Sequence[int]]) -> AsyncIterator[Balancer]:
    """A running one."""
    made = Balancer(backends)
    await made.start()
    try:
        yield made
    finally:
        await made.close()
