"""Spans of time as people write them: ``90``, ``500ms``, ``1.5s``, ``15m``, ``1h``, ``30d``."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_DURATION = re.compile(r"(?P<number>[0-9]{1,15}(\.[0-9]{1,15})?|\.[0-9]{1,15})\s*(?P<unit>ms|s|m|h|d|)")


def parse_duration(text: str) -> float | None:
    """In seconds, which is also the unit where none is given; 0 or more. None: it is no duration."""
    match = _DURATION.fullmatch(text.strip())
    return float(match["number"]) * _UNITS[match["unit"]] if match else None
