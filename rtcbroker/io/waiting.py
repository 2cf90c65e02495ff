"""Futures that wait for something with a deadline, and all end when the client does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Waiters(Generic[K, V]):
    """Who waits for what (`K`), and what they get (`V`)."""

    def __init__(self) -> None:
        self._waiting: list[tuple[K, asyncio.Future[V]]] = []

    async def wait(self, what: K, seconds: float) -> V:
        """Wait to be served. Raises TimeoutError after so many seconds, and what :meth:`fail` was given."""
        entry: tuple[K, asyncio.Future[V]] = (what, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(seconds):
                return await entry[1]
        finally:
            # Served ones were taken out before.
            self._waiting = [other for other in self._waiting if other is not entry]

    def serve(self, is_ready: Callable[[K], bool], value: V) -> None:
        """Give `value` to everyone whose `what` is ready."""
        waiting, self._waiting = self._waiting, []
        for what, future in waiting:
            if not is_ready(what):
                self._waiting.append((what, future))
            elif not future.done():
                future.set_result(value)

    def fail(self, error: Callable[[], Exception]) -> None:
        """End everyone's wait, each with an exception of its own (a shared one would collect all their tracebacks)."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(error())

    def __bool__(self) -> bool:
        return bool(self._waiting)
