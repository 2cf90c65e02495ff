"""How fast it goes: rates from counts, and one line of text for people who watch."""

from __future__ import annotations

from collections import deque

from simulation.core.latency import Histogram
from simulation.core.messages import Progress

SPAN_S = 2.0
"""Rates and latencies shown are those of the last seconds."""


class Pace:
    """Remembers the last few progresses."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Progress]] = deque()

    def add(self, now: float, progress: Progress) -> None:
        """A progress told at `now`, in seconds."""
        self._seen.append((now, progress))
        while len(self._seen) > 2 and now - self._seen[1][0] >= SPAN_S:
            self._seen.popleft()

    @property
    def last(self) -> Progress:
        """The latest progress."""
        return self._seen[-1][1] if self._seen else Progress()

    def rates(self) -> tuple[float, float]:
        """Packets sent and deliveries received, each per second."""
        if len(self._seen) < 2:
            return 0.0, 0.0
        (before, first), (now, last) = self._seen[0], self._seen[-1]
        return (last.sent - first.sent) / (now - before), (last.received - first.received) / (now - before)

    def latency(self, server: int | None = None) -> Histogram:
        """Latencies of all that came lately, or of what came from one comm server."""
        total = Histogram()
        for _, progress in self._seen:
            for alias, histogram in progress.latency.items():
                if server in (None, alias):
                    total.merge(histogram)
        return total

    def line(self) -> str:
        """``45 clients, 450 sent/s, 19,800 received/s, p50 2.1 ms, p99 6.0 ms``"""
        progress, (sent, received), latency = self.last, self.rates(), self.latency()
        parts = [f"{progress.connected:,} clients"]
        if progress.failed:
            parts.append(f"{progress.failed:,} failed")
        parts += [f"{sent:,.0f} sent/s", f"{received:,.0f} received/s"]
        for percent in (50, 99):
            if (value := latency.percentile(percent)) is not None:
                parts.append(f"p{percent} {value * 1000:.1f} ms")
        return ", ".join(parts)
