"""How many are there at once."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[float, float]
"""From when to when someone is there; who comes the moment another leaves meets it."""


def peak(spans: Iterable[Span]) -> int:
    """The greatest number of spans that hold the same moment."""
    changes = sorted(change for start, end in spans for change in ((start, 0), (end, 1)))
    present = most = 0
    for _, leaves in changes:
        present += -1 if leaves else 1
        most = max(most, present)
    return most
