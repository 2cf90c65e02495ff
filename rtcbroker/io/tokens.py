"""Getting a token from the application: a text, a function, or an async function."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

Token: TypeAlias = str | Callable[[], str | Awaitable[str]] | None
"""A JWT, a function (plain or async) that comes up with one, or None."""


async def ask(token: Callable[[], str | Awaitable[str]], seconds: float) -> str:
    """Call the application's function, for so many seconds at most.

    Raises what it raises, TimeoutError, and TypeError when it gives something else than a text.
    """
    async with asyncio.timeout(seconds):
        result = token()
        if inspect.isawaitable(result):
            result = await result
    if not isinstance(result, str):
        raise TypeError(f"the token function gave {type(result).__name__}, not a str")
    return result.strip()
