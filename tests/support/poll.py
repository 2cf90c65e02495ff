"""Waiting for something to become true, with a deadline and a reason, in place of a sleep and a hope."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar, overload

T = TypeVar("T")
Why: TypeAlias = str | Callable[[], str]

INTERVAL_S = 0.01
"""How long lies between two looks: short beside anything awaited, long enough to leave the processor to what is awaited."""

PATIENCE = 3.0 if os.environ.get("CI") == "true" else 1.0
"""Times the seconds asked for: a build server may be busy with other things. A wait only tells what hangs from what is slow; what has
to be quick is measured by the test, and judged by the same figure everywhere."""


@overload
async def until(condition: Callable[[], Awaitable[T]], seconds: float, why: Why, *, interval: float = ...) -> T: ...
@overload
async def until(condition: Callable[[], T], seconds: float, why: Why, *, interval: float = ...) -> T: ...
async def until(condition: Callable[[], Any], seconds: float, why: Why, *, interval: float = INTERVAL_S) -> Any:
    """Wait until `condition`, a plain or an async function, gives something true, and return that.

    `why` says what is awaited, or is a function that says, when time is up, why it is not so yet. Raises AssertionError
    with it after :data:`PATIENCE` times `seconds`; a condition that hangs is cancelled then. What the condition itself raises comes through.
    """
    seconds *= PATIENCE
    try:
        async with asyncio.timeout(seconds) as deadline:
            while True:
                result = condition()
                if inspect.isawaitable(result):
                    result = await result
                if result:
                    return result
                await asyncio.sleep(interval)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise AssertionError(f"not within {seconds:g} s: {why() if callable(why) else why}") from error
