"""The last things that happened, for people: a bounded list of lines with numbers that never come again."""

from __future__ import annotations

import itertools
from collections import deque

from coordinator.core.feed import LogEntry, LogKind

MAX_LINES = 500
"""Kept in memory; what is older is in the logs of the processes."""


class Journal:
    """Lines, the oldest first."""

    def __init__(self, max_lines: int = MAX_LINES) -> None:
        self._lines: deque[LogEntry] = deque(maxlen=max_lines)
        self.newest = 0
        """The number of the last line; 0 before the first."""

    def add(self, kind: LogKind, text: str, now: float, *, server: int | None = None, alias: int | None = None) -> None:
        """Add a line about a server, another peer, or both."""
        self.newest += 1
        line = LogEntry(id=self.newest, time=round(now, 3), kind=kind, text=text)
        if server is not None:
            line["server"] = str(server)
        if alias is not None:
            line["alias"] = str(alias)
        self._lines.append(line)

    def since(self, number: int) -> list[LogEntry]:
        """The lines after that number which are still here."""
        count = min(self.newest - number, len(self._lines))
        return list(itertools.islice(self._lines, len(self._lines) - count, None)) if count > 0 else []
