"""What happens when, if nothing happens before: named deadlines on one heap."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """At most one deadline a key; setting it again moves it. Times are the core's seconds.

    A moved or cancelled deadline stays on the heap until its time comes, and is then passed over: both are O(log n) without a search.
    """

    __slots__ = ("_counter", "_heap", "_live")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._live: dict[K, tuple[float, int]] = {}
        self._counter = itertools.count()

    def set(self, key: K, when: float) -> None:
        """`key` is due at `when`."""
        number = next(self._counter)
        self._live[key] = (when, number)
        heapq.heappush(self._heap, (when, number, key))
        if len(self._heap) > 64 + 4 * len(self._live):
            self._compact()

    def set_once(self, key: K, when: float) -> None:
        """Like :meth:`set`, but a deadline that is already there stays."""
        if key not in self._live:
            self.set(key, when)

    def set_earliest(self, key: K, when: float | None) -> None:
        """`key` is due at `when`, if it is not due before; None changes nothing."""
        if when is not None and ((present := self._live.get(key)) is None or when < present[0]):
            self.set(key, when)

    def cancel(self, key: K) -> None:
        """Forget `key`, if it is there."""
        self._live.pop(key, None)

    def next(self) -> float | None:
        """When the earliest key is due."""
        heap = self._heap
        while heap and self._live.get(heap[0][2]) != heap[0][:2]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> list[K]:
        """Remove and return the keys that are due at `now`, earliest first."""
        due: list[K] = []
        while (when := self.next()) is not None and when <= now:
            key = heapq.heappop(self._heap)[2]
            del self._live[key]
            due.append(key)
        return due

    def __contains__(self, key: object) -> bool:
        return key in self._live

    def __len__(self) -> int:
        return len(self._live)

    def _compact(self) -> None:
        # Keys that are moved often (an idle deadline, say) would otherwise pile up until their old times come.
        self._heap = [entry for entry in self._heap if self._live.get(entry[2]) == entry[:2]]
        heapq.heapify(self._heap)
