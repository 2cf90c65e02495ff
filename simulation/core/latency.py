"""Latencies in bounded memory: a histogram whose buckets are 2 % wide, and one of them for each slice of time.

A percentile is the geometric middle of its bucket, hence right within 1 %, however many values there were. Values outside 1 µs to 100 s
fall into the outermost buckets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import log

_LOWEST_S = 1e-6
_HIGHEST_S = 100.0
_STEP = math.log(1.02)
_BUCKETS = math.ceil(math.log(_HIGHEST_S / _LOWEST_S) / _STEP) + 1
_SCALE = 1 / _STEP
_OFFSET = -math.log(_LOWEST_S) / _STEP


@dataclass(slots=True)
class Histogram:
    """How often each latency was seen. Adding is one logarithm and one look-up; there are at most ``_BUCKETS`` counts."""

    counts: dict[int, int] = field(default_factory=dict)
    """Of each bucket that is not empty: they are few, and histograms are merged and sent about many times a second."""
    highest_s: float = 0.0
    """The greatest value itself, not its bucket."""

    def add(self, seconds: float) -> None:
        """Count one latency."""
        if seconds > self.highest_s:
            self.highest_s = seconds
        bucket = int(log(seconds) * _SCALE + _OFFSET) if _LOWEST_S < seconds < _HIGHEST_S else _bucket(seconds)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def merge(self, other: Histogram) -> None:
        """Count everything `other` has."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.highest_s = max(self.highest_s, other.highest_s)

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.counts.values())

    def percentile(self, percent: float) -> float | None:
        """The value in seconds that `percent` of all (0..100) do not exceed, or None where there is none."""
        total = self.count
        if not total:
            return None
        rank = max(1, math.ceil(total * percent / 100))
        if rank >= total:
            return self.highest_s
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= rank:
                return min(_middle(bucket), self.highest_s)
        raise AssertionError("a rank is at most the number of values")

    def filled(self) -> Iterator[tuple[float, int]]:
        """The middle of each bucket that is not empty, in seconds, and its count."""
        return ((_middle(bucket), self.counts[bucket]) for bucket in sorted(self.counts))


def _bucket(seconds: float) -> int:
    if seconds <= _LOWEST_S:
        return 0
    return min(_BUCKETS - 1, int(log(seconds) * _SCALE + _OFFSET))


def _middle(bucket: int) -> float:
    return _LOWEST_S * math.exp((bucket + 0.5) * _STEP)


@dataclass(slots=True)
class Timeline:
    """A histogram for each slice of time. Too many slices: neighbours are put together and slices are twice as long from then on."""

    slice_s: float = 0.5
    slices: dict[int, Histogram] = field(default_factory=dict)
    max_slices: int = 240
    """About two pixels each in a plot of the usual width."""

    def add(self, at: float, seconds: float) -> None:
        """Count a latency seen `at` seconds after the start."""
        found = self.slices.get(int(at / self.slice_s))
        (self.histogram(at) if found is None else found).add(seconds)

    def histogram(self, at: float) -> Histogram:
        """The histogram of the slice `at` lies in."""
        number = int(at / self.slice_s)
        found = self.slices.get(number)
        if found is None:
            if len(self.slices) >= self.max_slices:
                self._coarsen()
                return self.histogram(at)
            found = self.slices[number] = Histogram()
        return found

    def merge(self, other: Timeline) -> None:
        """Count everything `other` has; it must have started with slices of the same length."""
        while other.slice_s > self.slice_s:
            self._coarsen()
        for number, histogram in other.slices.items():
            self.histogram((number + 0.5) * other.slice_s).merge(histogram)

    def points(self) -> Iterable[tuple[float, Histogram]]:
        """The middle of each slice in seconds after the start, in order, with its histogram."""
        return [((number + 0.5) * self.slice_s, self.slices[number]) for number in sorted(self.slices)]

    def total(self) -> Histogram:
        """All slices in one."""
        everything = Histogram()
        for histogram in self.slices.values():
            everything.merge(histogram)
        return everything

    def _coarsen(self) -> None:
        slices, self.slices = self.slices, {}
        self.slice_s *= 2
        for number, histogram in slices.items():
            if number // 2 in self.slices:
                self.slices[number // 2].merge(histogram)
            else:
                self.slices[number // 2] = histogram
