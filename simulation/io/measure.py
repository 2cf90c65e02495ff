"""What the comm server processes cost: processor time and memory, of these processes alone."""

from __future__ import annotations

from collections.abc import Sequence

import psutil

from simulation.core.report import ServerCost


class ServerMeter:
    """Watches processes on this machine. A process that has gone counts with what was last seen of it."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._cpu_s = [0.0] * len(pids)
        self._servers = len(pids)
        self._begun_s = 0.0
        self._rss_bytes = 0

    def add(self, pid: int) -> None:
        """One more, which takes the place of one that has gone; its time counts from its start."""
        self._processes.append(psutil.Process(pid))
        self._cpu_s.append(0.0)

    def begin(self) -> None:
        """The measured time begins."""
        self.sample()
        self._begun_s = sum(self._cpu_s)

    def sample(self) -> None:
        """Look at all of them. The greatest sum of memory seen is the one told; of processor time, the last that was seen of each."""
        self._sample_cpu()
        total = 0
        for process in self._processes:
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        self._rss_bytes = max(self._rss_bytes, total)

    def end(self) -> ServerCost:
        """The measured time is over."""
        self.sample()
        return ServerCost(self._servers, sum(self._cpu_s) - self._begun_s, self._rss_bytes)

    def _sample_cpu(self) -> None:
        for number, process in enumerate(self._processes):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            self._cpu_s[number] = times.user + times.system
