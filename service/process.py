"""This process: what it costs (processor time, its share lately, memory), and how a child is kept from outliving it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

import psutil

_PR_SET_PDEATHSIG = 1


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


def tied_to(parent: int) -> Callable[[], None] | None:
    """What a new child of the process `parent` calls, so that the kernel kills it when its parent dies (prctl(2), PR_SET_PDEATHSIG).

    Made before the fork, since between fork and exec as little as possible should be done. None where there is no such thing (not Linux).
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return tie
