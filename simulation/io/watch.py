"""Looks at the metrics pages of comm servers and coordinators, again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import aiohttp

from simulation.core.coordinator_page import CoordinatorSample, parse_coordinator_page
from simulation.core.server_page import ServerRates, ServerSample, parse_page, rates

LOOK_TIMEOUT_S = 2.0


class Watch:
    """The pages of several servers; a server that does not answer is None in the answers."""

    def __init__(self, session: aiohttp.ClientSession, pages: Sequence[str]) -> None:
        """`pages`: URL of each server."""
        self._session = session
        self._pages = pages
        self._last: list[ServerSample | None] = [None] * len(pages)

    async def look(self) -> list[tuple[ServerSample, ServerRates] | None]:
        """What each page says now, and what happened since the last look."""
        found = await asyncio.gather(*(self._read(page) for page in self._pages))
        answer = [None if now is None else (now, rates(before, now)) for before, now in zip(self._last, found, strict=True)]
        self._last = found
        return answer

    async def _read(self, page: str) -> ServerSample | None:
        text = await read_page(self._session, page)
        try:
            return None if text is None else parse_page(text, time.monotonic())
        except ValueError:
            return None


async def look_at_coordinators(session: aiohttp.ClientSession, pages: Sequence[str]) -> list[CoordinatorSample | None]:
    """What each says now; None for one that does not answer."""
    texts = await asyncio.gather(*(read_page(session, page) for page in pages))
    return [None if text is None else parse_coordinator_page(text) for text in texts]


async def read_page(session: aiohttp.ClientSession, page: str) -> str | None:
    """The metrics of the process at that URL, or None."""
    try:
        async with session.get(f"{page}/metrics", timeout=aiohttp.ClientTimeout(total=LOOK_TIMEOUT_S)) as response:
            response.raise_for_status()
            return await response.text()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
