"""Whatever ends a simulation, none of its processes outlives it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from tests.support.poll import until
from tests.support.processes import children, is_alive

LONG_RUN = ["simulate", "dense", "--spawn", "2", "--clients", "4", "--seconds", "60"]
PARTS = ["coordinator", "commserver", "simulation.io.worker"]
PROCESSES = 4
"""A coordinator, two comm servers, a load worker."""


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[psutil.Process]]]:
    """A command line with all its processes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "rtcbroker.cli", *arguments),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        await until(lambda: len(children(process.pid, *PARTS)) == PROCESSES, 20, "all processes run")
        yield process, children(process.pid, *PARTS, recursive=True)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def alive(started: list[psutil.Process]) -> list[psutil.Process]:
    """Those that should be gone."""
    return [child for child in started if is_alive(child)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_a_signal_ends_it_in_good_order(number: signal.Signals) -> None:
    async with running(*LONG_RUN) as (process, started):
        process.send_signal(number)
        async with asyncio.timeout(20):
            _, errors = await process.communicate()
        assert process.returncode == 130
        assert b"interrupted" in errors
        assert b"Traceback" not in errors
        assert alive(started) == []


async def test_when_it_is_killed_the_kernel_ends_the_others() -> None:
    async with running(*LONG_RUN) as (process, started):
        process.kill()
        await until(lambda: not alive(started), 10, lambda: f"still there: {alive(started)}")


async def test_a_comm_server_that_dies_ends_the_run_with_its_last_words() -> None:
    async with running(*LONG_RUN) as (process, started):
        children(process.pid, "commserver")[0].kill()
        async with asyncio.timeout(20):
            _, errors = await process.communicate()
        assert process.returncode == 1
        assert b"simulate: comm server " in errors
        assert b"ended with code -9" in errors
        assert alive(started) == []


async def test_a_load_worker_that_dies_ends_the_run() -> None:
    async with running(*LONG_RUN) as (process, started):
        children(process.pid, "simulation.io.worker")[0].kill()
        async with asyncio.timeout(20):
            _, errors = await process.communicate()
        assert process.returncode == 1
        assert b"simulate: load worker 1: ended with code -9" in errors
        assert alive(started) == []
