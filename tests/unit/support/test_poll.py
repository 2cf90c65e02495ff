"""Polling: what it returns, and what it says when it gives up."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from tests.support import poll
from tests.support.poll import until


async def test_returns_what_became_true() -> None:
    results = iter([0, 0, 7])
    assert await until(lambda: next(results), 1, "the third result") == 7


async def test_an_async_condition_is_awaited() -> None:
    async def ready() -> str:
        await asyncio.sleep(0)
        return "yes"

    assert await until(ready, 1, "ready") == "yes"


@pytest.mark.parametrize(("patience", "told"), [(1.0, r"0\.02"), (3.0, r"0\.06")])
async def test_says_what_was_awaited_and_how_long(patience: float, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "PATIENCE", patience)
    with pytest.raises(AssertionError, match=rf"not within {told} s: two peers"):
        await until(lambda: False, 0.02, "two peers")


async def test_says_why_not_yet() -> None:
    numbers = itertools.count(1)
    with pytest.raises(AssertionError, match=r"look [1-9]\d*"):
        await until(lambda: next(numbers) < 0, 0.02, lambda: f"look {next(numbers)}", interval=0.001)


async def test_a_hanging_condition_is_cancelled() -> None:
    with pytest.raises(AssertionError, match="an answer"):
        await until(asyncio.Event().wait, 0.02, "an answer")


async def test_a_timeout_of_the_condition_is_its_own() -> None:
    async def fails() -> bool:
        raise TimeoutError("inner")

    with pytest.raises(TimeoutError, match="inner"):
        await until(fails, 1, "an answer")
