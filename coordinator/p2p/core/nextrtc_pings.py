"""When each socket is to be pinged: a heap, so that thousands of them cost no more than those that are due."""

from __future__ import annotations

import heapq
from collections.abc import Iterator


class Pings:
    """A rhythm for each key. Everyone keeps the beat it came with, so that pings stay spread over the period."""

    def __init__(self, first_s: float, period_s: float) -> None:
        """`first_s` after a key was added it is due, then every `period_s`."""
        self._first_s = first_s
        self._period_s = period_s
        self._keys: set[int] = set()
        self._heap: list[tuple[float, int]] = []
        """One entry for each key, and for some that were removed: those go when their time would have come, or earlier."""

    def add(self, key: int, now: float) -> None:
        """A key that never was here before."""
        self._keys.add(key)
        heapq.heappush(self._heap, (now + self._first_s, key))

    def remove(self, key: int) -> None:
        """It is not due any more."""
        self._keys.discard(key)

    def due(self, now: float) -> Iterator[int]:
        """Those whose time has come, the earliest first; each once, even after more than a period in which nobody asked."""
        while self._heap and self._heap[0][0] <= now:
            at, key = self._heap[0]
            if key not in self._keys:
                heapq.heappop(self._heap)
                continue
            following = at + self._period_s
            heapq.heapreplace(self._heap, (following if following > now else now + self._period_s, key))
            yield key

    def next_deadline(self) -> float | None:
        """When `due` has something to say."""
        while self._heap and self._heap[0][1] not in self._keys:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def __len__(self) -> int:
        return len(self._heap)
