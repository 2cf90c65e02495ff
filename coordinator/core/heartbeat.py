"""Who has been silent for how long: one entry in a heap for each socket, however much it says."""

from __future__ import annotations

import enum
import heapq
from collections.abc import Iterator
from dataclasses import dataclass


class Due(enum.Enum):
    """What silence has earned."""

    PING = "ping"
    DEAD = "dead"


LATE_S = 0.5
"""A look that comes so late is a sign that this process stood still; what the socket said in the meantime may not be read yet."""


@dataclass(slots=True)
class _Pulse:
    heard_at: float
    pinged_at: float | None = None


class Heartbeats:
    """Pings who has been silent for an interval, gives up who stays silent for the timeout after that; seconds.

    Hearing something is a plain assignment. The heap holds for each socket the time at which it is worth a look, which is put right
    only then: keeping it exact would cost a heap operation for each frame.
    """

    def __init__(self, interval: float, timeout: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._pulses: dict[int, _Pulse] = {}
        self._heap: list[tuple[float, int]] = []

    def add(self, key: int, now: float) -> None:
        """Watch this socket from now on."""
        self._pulses[key] = _Pulse(now)
        heapq.heappush(self._heap, (now + self._interval, key))

    def remove(self, key: int) -> None:
        """Watch it no longer; its entry in the heap is passed over when its time comes."""
        self._pulses.pop(key, None)

    def heard(self, key: int, now: float) -> None:
        """Something came from it."""
        pulse = self._pulses.get(key)
        if pulse is not None:
            pulse.heard_at = now

    def due(self, now: float) -> Iterator[tuple[int, Due]]:
        """Whom to ping and whom to give up now. Who is given up is watched no longer."""
        while self._heap and self._heap[0][0] <= now:
            when, key = heapq.heappop(self._heap)
            pulse = self._pulses.get(key)
            if pulse is None:
                continue
            if pulse.pinged_at is not None and pulse.heard_at >= pulse.pinged_at:
                pulse.pinged_at = None
            if pulse.pinged_at is not None and now > when + LATE_S:
                heapq.heappush(self._heap, (now + LATE_S, key))
            elif pulse.pinged_at is not None:
                self.remove(key)
                yield key, Due.DEAD
            elif pulse.heard_at + self._interval > now:
                heapq.heappush(self._heap, (pulse.heard_at + self._interval, key))
            else:
                pulse.pinged_at = now
                heapq.heappush(self._heap, (now + self._timeout, key))
                yield key, Due.PING

    def next_deadline(self) -> float | None:
        """When `due` is worth calling again."""
        return self._heap[0][0] if self._heap else None
