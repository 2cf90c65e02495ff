"""Who has joined a room and has not been seen at Collider yet.

A client registers there within seconds of its join. One that never does has crashed on the way, or never meant to call anybody; Collider
cannot miss it, since it never knew it, and its place would be taken for a day.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from coordinator.core.expiry import Expiries

PATIENCE_S = 60.0
"""Between a join, or a message by HTTP after it, and being known to Collider. A slow phone takes ten seconds."""

Place = tuple[str, str]
"""Of a client: its room's id, and its own."""


class Newcomers:
    """Places and how long each is waited for."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._numbers = itertools.count(1)
        self._by_place: dict[Place, int] = {}
        self._by_number: dict[int, Place] = {}
        self._expiries = Expiries()

    def joined(self, place: Place, now: float) -> None:
        """Wait for it from now on."""
        self.forget(place)
        number = next(self._numbers)
        self._by_place[place] = number
        self._by_number[number] = place
        self._expiries.add(number, now + self._patience_s)

    def heard(self, place: Place, now: float) -> None:
        """It said something by HTTP: it lives, and may still come."""
        if place in self._by_place:
            self.joined(place, now)

    def forget(self, place: Place) -> None:
        """It has left."""
        number = self._by_place.pop(place, None)
        if number is not None:
            del self._by_number[number]
            self._expiries.remove(number)

    def due(self, now: float) -> Iterator[Place]:
        """Those that were waited for long enough; each once."""
        for number in self._expiries.due(now):
            place = self._by_number.pop(number)
            del self._by_place[place]
            yield place

    def next_deadline(self) -> float | None:
        """When `due` is worth calling again."""
        return self._expiries.next_deadline()

    def clear(self) -> None:
        """Wait for nobody."""
        for place in list(self._by_place):
            self.forget(place)

    def __len__(self) -> int:
        return len(self._by_place)
