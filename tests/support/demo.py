"""A real `rtcbroker demo`, as a person starts it: the links it prints, the processes it names."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

START_S = 60.0
STOP_S = 30.0


@dataclass(frozen=True)
class Links:
    """What it prints."""

    dashboard: str
    world: str
    servers: tuple[int, ...]
    """Process ids of the comm servers."""


@contextlib.asynccontextmanager
async def running_demo(bots: int, servers: int = 2) -> AsyncIterator[Links]:
    """A demo on a free port, ended as by Ctrl-C. Raises AssertionError with what it said when it ends before."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "rtcbroker.cli", "demo", "--port", "0", "--bots", str(bots), "--servers", str(servers)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    rest = None
    try:
        async with asyncio.timeout(START_S):
            links = await _links(process.stdout, servers)
        rest = asyncio.create_task(process.stdout.read())
        yield links
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        if rest is not None:
            await rest


async def _links(output: asyncio.StreamReader, servers: int) -> Links:
    said = ""
    while len(killed := re.findall(r"^ *kill (\d+)", said, re.MULTILINE)) < servers:
        line = await output.readline()
        assert line, f"the demo ended:\n{said}"
        said += line.decode()
    dashboard, world = re.findall(r"http://\S+#token=\S+", said)
    return Links(dashboard, world, tuple(map(int, killed)))
