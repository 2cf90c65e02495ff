"""What this process costs: processor time, its share lately, memory."""

from __future__ import annotations

import psutil


class CpuShare:
    """The share of one core used between two samples: 0..1, and above where several threads run."""

    __slots__ = ("_last", "_share", "_used")

    def __init__(self, now: float, used: float) -> None:
        """`now` and `used` (processor seconds so far) in seconds, of the moment the first span begins."""
        self._last = now
        self._used = used
        self._share = 0.0

    def sample(self, now: float, used: float) -> float:
        """The share since the last sample; the same answer again where no time has passed."""
        if now > self._last:
            self._share = max(0.0, used - self._used) / (now - self._last)
            self._last, self._used = now, used
        return self._share


def cpu_seconds() -> float:
    """Processor seconds this process has used, user and system."""
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def rss_bytes() -> int:
    """Resident memory of this process, in bytes."""
    return int(psutil.Process().memory_info().rss)
