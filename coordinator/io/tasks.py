"""How a task of a socket ends."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

log = logging.getLogger(__name__)


async def stopped(task: asyncio.Task[Any]) -> None:
    """End a task that nobody needs any more. What it failed with is told; a connection that is gone is no error of it."""
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, ConnectionError):
        log.error("%s failed", task.get_name(), exc_info=error)
