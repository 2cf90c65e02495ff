"""What bots say now and then: canned lines, as the JSON that the pages of the demo world say to one another."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

LINES = (
    "Good morning!",
    "Lovely paving, this.",
    "Mind the fountain.",
    "Which server are you on?",
    "I go round in curves. Literally.",
    "Has anyone seen my cell?",
    "Twenty steps a second, every second.",
    "Nice to meet you.",
    "Lost a packet, kept my temper.",
    "It is only a short way to the next cell.",
    "Back in a moment.",
    "I could walk here for ever. I do.",
)


@dataclass(slots=True)
class Chatter:
    """One bot's lines, each after a random while. Must be asked for times that do not fall."""

    topic: str
    """Where it says them."""
    name: str
    mean_s: float
    """Between two lines, on average."""
    rng: Random
    _next: float | None = field(default=None)

    def line(self, time: float) -> bytes | None:
        """What it says at `time` (seconds), if anything: ``{"name": "bot 3", "text": "Good morning!"}``."""
        if self._next is not None and time < self._next:
            return None
        is_first = self._next is None
        self._next = time + self.rng.expovariate(1 / self.mean_s)
        if is_first:  # who has only just come says nothing yet
            return None
        return json.dumps({"name": self.name, "text": self.rng.choice(LINES)}).encode()
