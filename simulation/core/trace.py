"""Recorded movements: who was where, when. Read from CSV, asked at any time in between.

A trace file has the columns ``t_s,person,x_m,y_m`` (seconds, any name, metres east, metres north), one sample a line, in any order
of lines and columns; other columns are passed over. A person is there from its first sample to its last, and moves in straight lines
between them.
"""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from protocol.errors import ConfigError

COLUMNS = ("t_s", "person", "x_m", "y_m")

MAX_SAMPLES = 5_000_000
"""Samples of one file: about 500 MB of memory, some hundred times what a crowd of a few minutes has."""


class TraceError(ConfigError):
    """A trace file that cannot be read; names the file, and the line and column where there is one."""


@dataclass(frozen=True, slots=True)
class Track:
    """One person's way: times in seconds from the start of the trace, strictly rising; positions in metres."""

    person: str
    times: Sequence[float]
    xs: Sequence[float]
    ys: Sequence[float]

    @property
    def first(self) -> float:
        """When the person appears."""
        return self.times[0]

    @property
    def last(self) -> float:
        """When the person disappears."""
        return self.times[-1]

    def at(self, time: float) -> tuple[float, float]:
        """The position at `time`, in metres; before the first sample the first position, after the last the last."""
        after = bisect_right(self.times, time)
        if after == 0:
            return self.xs[0], self.ys[0]
        if after == len(self.times):
            return self.xs[-1], self.ys[-1]
        start = self.times[after - 1]
        share = (time - start) / (self.times[after] - start)
        x, y = self.xs[after - 1], self.ys[after - 1]
        return x + share * (self.xs[after] - x), y + share * (self.ys[after] - y)


@dataclass(frozen=True, slots=True)
class Trace:
    """Everyone's ways; the earliest sample of the file is time 0."""

    tracks: Sequence[Track]

    @property
    def seconds(self) -> float:
        """From the first person's appearance to the last one's disappearance."""
        return max(track.last for track in self.tracks)


def parse_trace(lines: Iterable[str], name: str) -> Trace:
    """Parse the lines of a trace file called `name`. Raises :class:`TraceError`."""
    reader = csv.DictReader(lines, strict=True)
    people: dict[str, list[tuple[float, float, float]]] = {}
    try:
        _check_header(reader.fieldnames, name)
        for count, row in enumerate(reader):
            if count >= MAX_SAMPLES:
                raise TraceError(f"{name}: more than {MAX_SAMPLES} samples")
            where = f"{name}, line {reader.line_num}"
            person = (row["person"] or "").strip()
            if not person:
                raise TraceError(f"{where}, column person: is empty")
            people.setdefault(person, []).append(
                (_number(row, "t_s", where), _number(row, "x_m", where), _number(row, "y_m", where))
            )
    except csv.Error as error:
        raise TraceError(f"{name}, line {reader.reader.line_num}: {error}") from error
    if not people:
        raise TraceError(f"{name}: has no samples")
    return _trace_of(people, name)


def _check_header(columns: Sequence[str] | None, name: str) -> None:
    if columns is None:
        raise TraceError(f"{name}: is empty; the first line should be {','.join(COLUMNS)}")
    if missing := [column for column in COLUMNS if column not in columns]:
        raise TraceError(f"{name}, line 1: column {missing[0]} is missing; the first line should be {','.join(COLUMNS)}")


def _number(row: Mapping[str, str | None], column: str, where: str) -> float:
    text = row[column]
    try:
        value = float(text or "")
    except ValueError:
        raise TraceError(f"{where}, column {column}: {(text or '')[:40]!r} is not a number") from None
    if not math.isfinite(value):
        raise TraceError(f"{where}, column {column}: {text!r} is not a finite number")
    return value


def _trace_of(people: Mapping[str, list[tuple[float, float, float]]], name: str) -> Trace:
    start = min(sample[0] for samples in people.values() for sample in samples)
    tracks = []
    for person, samples in people.items():
        samples.sort()
        for (before, *_), (after, *_) in pairwise(samples):
            if before == after:
                raise TraceError(f"{name}: person {person[:40]!r} is at two places at t_s {before}")
        times, xs, ys = zip(*samples, strict=True)
        tracks.append(Track(person, [time - start for time in times], xs, ys))
    tracks.sort(key=lambda track: track.first)
    return Trace(tracks)
