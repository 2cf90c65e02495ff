"""A signal ends what runs in good order; anything else is left as it is."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from simulation.io.interrupt import Interrupted, interruptible


async def test_what_ends_by_itself_gives_its_result() -> None:
    async def work() -> int:
        return 7

    assert await interruptible(work()) == 7


async def test_an_error_comes_through() -> None:
    async def work() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await interruptible(work())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_lets_it_clear_up(number: signal.Signals) -> None:
    cleared = False

    async def work() -> None:
        nonlocal cleared
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleared = True

    with pytest.raises(Interrupted):
        await interruptible(work())
    assert cleared


async def test_who_is_cancelled_by_others_was_not_interrupted() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(interruptible(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
