"""The one clock of a process: seconds since the epoch that never step back.

Cores compare `now` with token expiries (epoch seconds) and with their own earlier `now` (deadlines), so they need one number that
serves both. The wall clock is read once, at the start; from then on only the monotonic clock counts, and a correction of the system
time can neither fire a deadline nor hold one up.
"""

from __future__ import annotations

import time


class Clock:
    """Seconds since the epoch as they were at the start, plus what the monotonic clock has counted since."""

    __slots__ = ("_offset",)

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.monotonic() + self._offset
