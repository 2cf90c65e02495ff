"""Whose token ends when: one entry in a heap for each socket whose token ends at all."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator

_SLACK = 64
"""Entries of sockets that are gone, beyond as many as there are living ones, before the heap is cleared of them."""


class Expiries:
    """Keys and the times at which they are due, in seconds since the epoch."""

    def __init__(self) -> None:
        self._ends: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def add(self, key: int, at: float) -> None:
        """Due `at`; infinity is never."""
        if at < math.inf:
            self._ends[key] = at
            heapq.heappush(self._heap, (at, key))

    def remove(self, key: int) -> None:
        """Not due any more. Tokens may live for days and sockets for seconds, so what is left of those is cleared away."""
        self._ends.pop(key, None)
        if len(self._heap) > 2 * len(self._ends) + _SLACK:
            self._heap = [(at, key) for key, at in self._ends.items()]
            heapq.heapify(self._heap)

    def due(self, now: float) -> Iterator[int]:
        """Those whose time has come, the earliest first; each once."""
        while self._heap and self._heap[0][0] <= now:
            _, key = heapq.heappop(self._heap)
            if self._ends.pop(key, None) is not None:
                yield key

    def next_deadline(self) -> float | None:
        """When `due` is worth calling again."""
        return self._heap[0][0] if self._heap else None

    def __len__(self) -> int:
        return len(self._heap)
