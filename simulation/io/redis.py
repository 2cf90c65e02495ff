"""A Redis of one's own, for the coordinators of a cluster on this machine: on a socket in a directory, with nothing kept."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from simulation.io import children
from simulation.io.children import Child, ChildError

PROGRAMS = ("redis-server", "valkey-server")
START_S = 10.0


async def start_redis(directory: Path) -> tuple[Child, str]:
    """Start it; returns the process, and the URL for ``--backplane``.

    Raises :class:`ChildError` when there is none on this machine, or it does not start.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise ChildError(
            "several coordinators meet on a Redis, and neither redis-server nor valkey-server is installed here; "
            "on Debian: apt-get install redis-server"
        )
    socket = directory / "redis.sock"
    arguments = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no", "--dir", str(directory)]
    log_file = directory / "redis.log"
    arguments += ["--logfile", str(log_file)]
    child = await children.start("redis", arguments, log_file, {}, program=program)
    try:
        async with asyncio.timeout(START_S):
            while not await _answers(socket):
                if not child.is_running:
                    raise child.failure(f"ended with code {child.process.returncode}")
                await asyncio.sleep(children.POLL_S)
    except BaseException as error:
        await children.stop([child])
        if isinstance(error, TimeoutError):
            raise child.failure(f"was not ready after {START_S:g} s") from None
        raise
    return child, f"unix://{socket}"


async def _answers(socket: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(str(socket))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
