"""What a signalling core wants done to a socket; there is nothing else it ever wants."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """One frame: text for `str`, binary for `bytes`."""

    key: int
    data: str | bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close this socket after what was sent before. The core has already forgotten it, and hears nothing of it any more."""

    key: int
    code: int
    """RFC 6455 section 7.4."""
    reason: str


Output = Send | Close
