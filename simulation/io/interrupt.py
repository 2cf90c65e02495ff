"""Ctrl-C and SIGTERM end what runs in good order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from protocol.errors import RtcBrokerError
from service.run import stop_on_signals

T = TypeVar("T")


class Interrupted(RtcBrokerError):
    """A person, or the system, said to stop."""


async def interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end. A signal cancels it; when it has cleared up, raises :class:`Interrupted`."""
    task = asyncio.ensure_future(work)
    came = False

    def interrupt() -> None:
        nonlocal came
        came = True
        task.cancel()

    undo = stop_on_signals(interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        if came:
            raise Interrupted("interrupted") from None
        raise
    finally:
        undo()
