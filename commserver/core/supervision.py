"""When to start a process again that has ended: at once the first time, then with growing pauses, until it has lived for a while."""

from __future__ import annotations

RESTART_BASE_S = 0.5
RESTART_CAP_S = 30.0
STABLE_S = 30.0
"""A process that lived so long had started well: its end is a new trouble, not the old one again."""


class Restarts:
    """One process of several, over all its lives."""

    __slots__ = ("_failures", "_started_at")

    def __init__(self) -> None:
        self._failures = 0
        self._started_at = 0.0

    def started(self, now: float) -> None:
        """It runs."""
        self._started_at = now

    def ended(self, now: float) -> float:
        """It has ended though nobody told it to; returns when to start it again."""
        if now - self._started_at >= STABLE_S:
            self._failures = 0
        pause = min(RESTART_CAP_S, RESTART_BASE_S * 2.0 ** (self._failures - 1)) if self._failures else 0.0
        self._failures = min(self._failures + 1, 32)
        return now + pause
