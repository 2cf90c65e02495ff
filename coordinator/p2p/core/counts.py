"""What a signalling core has done so far, counted. Read by metrics and dashboard; nothing is decided by it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """Counts since the start."""

    joined: int = 0
    """Members that came, each time they did."""
    messages: int = 0
    """Messages of members that were passed on or kept for later."""
    errors: Counter[str] = field(default_factory=Counter)
    """What was refused, by a short name in lower_snake_case that the core chooses."""


@dataclass(frozen=True, slots=True)
class PeerToPeerStats:
    """One protocol, at a moment."""

    protocol: str
    rooms: int
    members: int
    sockets: int
    counts: Counts
