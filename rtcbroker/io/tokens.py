"""Getting a token from the application: a text, a function, or an async function."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

Token: TypeAlias = str | Callable[[], str | Awaitable[str]] | None
"""A JWT, a function (plain or async) that comes up with one, or None."""


class NoToken(TypeError):
    """The token function gave something that is no token: no failure that passes, but a mistake in it."""


async def ask(token: Callable[[], str | Awaitable[str]], seconds: float) -> str:
    """Call the application's function, for so many seconds at most.

    Raises what it raises, TimeoutError, and :class:`NoToken` when it gives something else than a text with something in it.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            result = token()
            if inspect.isawaitable(result):
                result = await result
    except TimeoutError as error:
        raise TimeoutError(f"it took longer than {seconds:g} s") if limit.expired() else error from None
    text = result.strip() if isinstance(result, str) else ""
    if not text:
        given = "an empty text" if isinstance(result, str) else type(result).__name__
        raise NoToken(f"it gave {given}, where a token belongs")
    return text
