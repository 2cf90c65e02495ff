"""Waiting: served, failed, timed out or cancelled, and forgotten in every case."""

from __future__ import annotations

import asyncio

import pytest

from rtcbroker.io.waiting import Waiters


async def test_those_whose_turn_it_is_are_served() -> None:
    waiters: Waiters[int, str] = Waiters()
    waits = [asyncio.ensure_future(waiters.wait(number, 5)) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    waiters.serve(lambda number: number <= 2, "yes")
    assert await asyncio.gather(*waits[:2]) == ["yes", "yes"]
    assert waiters
    waiters.serve(lambda number: True, "now")
    assert await waits[2] == "now"
    assert not waiters


async def test_all_fail_each_with_an_error_of_its_own() -> None:
    waiters: Waiters[int, None] = Waiters()
    waits = [asyncio.ensure_future(waiters.wait(number, 5)) for number in (1, 2)]
    await asyncio.sleep(0)
    waiters.fail(lambda: ValueError("gone"))
    errors = await asyncio.gather(*waits, return_exceptions=True)
    assert [str(error) for error in errors] == ["gone", "gone"]
    assert errors[0] is not errors[1]
    assert not waiters


async def test_who_waits_too_long_or_is_cancelled_is_forgotten() -> None:
    waiters: Waiters[int, None] = Waiters()
    with pytest.raises(TimeoutError):
        await waiters.wait(1, 0.001)
    waiting = asyncio.ensure_future(waiters.wait(2, 5))
    await asyncio.sleep(0)
    waiting.cancel()
    waiters.serve(lambda number: True, None)  # cancelled already, not yet gone
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not waiters
