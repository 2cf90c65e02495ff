"""Ways of people who never were: bent legs from place to place, each begun and ended gently.

From these the bots of the demo wander for ever, and the trace that comes with the project was made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

Point = tuple[float, float]

STEP_M_PER_S = 1.3
"""The pace of a person who is not in a hurry."""

_BEND = 0.2
"""How far a leg's middle lies off the straight line, at most, as a share of the leg's length."""


@dataclass(frozen=True, slots=True)
class Leg:
    """From one place to the next between two times, or standing where both are one place."""

    starts: float
    ends: float
    start: Point
    bend: Point
    end: Point

    def at(self, time: float) -> Point:
        """The position at `time`: a quadratic Bézier curve, with the speed rising and falling smoothly."""
        share = min(1.0, max(0.0, (time - self.starts) / (self.ends - self.starts)))
        way = share * share * (3 - 2 * share)
        a, b, c = (1 - way) ** 2, 2 * way * (1 - way), way**2
        return (
            a * self.start[0] + b * self.bend[0] + c * self.end[0],
            a * self.start[1] + b * self.bend[1] + c * self.end[1],
        )


def walk(start: Point, end: Point, starts: float, rng: Random) -> Leg:
    """A leg at about a person's pace, bent a little to one side."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    aside = rng.uniform(-_BEND, _BEND)
    bend = ((start[0] + end[0]) / 2 - dy * aside, (start[1] + end[1]) / 2 + dx * aside)
    seconds = max(1.0, math.hypot(dx, dy) / (STEP_M_PER_S * rng.uniform(0.7, 1.3)))
    return Leg(starts, starts + seconds, start, bend, end)


def pause(place: Point, starts: float, seconds: float) -> Leg:
    """Standing still."""
    return Leg(starts, starts + seconds, place, place, place)


def crossing(width: float, height: float, starts: float, rng: Random) -> list[Leg]:
    """One person who comes in at an edge of a `width` by `height` metre plaza, perhaps stops somewhere, and goes out at another edge."""
    sides = rng.sample(range(4), 2)
    enters, exits = (_on_edge(side, width, height, rng) for side in sides)
    if rng.random() < 0.5:
        return [walk(enters, exits, starts, rng)]
    place = (rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height)
    come = walk(enters, place, starts, rng)
    stay = pause(place, come.ends, rng.uniform(2, 6))
    return [come, stay, walk(place, exits, stay.ends, rng)]


def _on_edge(side: int, width: float, height: float, rng: Random) -> Point:
    along = rng.uniform(0.1, 0.9)
    return ((along * width, 0.0), (width, along * height), (along * width, height), (0.0, along * height))[side]


@dataclass(slots=True)
class Wanderer:
    """Someone who walks from place to place in a square for ever. Must be asked for times that do not fall."""

    world_m: float
    rng: Random
    _leg: Leg | None = field(default=None)

    def at(self, time: float) -> Point:
        """The position at `time`."""
        leg = self._leg or pause(self._somewhere(), time, self.rng.uniform(0.1, 3))
        while time >= leg.ends:
            leg = walk(leg.end, self._somewhere(), leg.ends, self.rng)
        self._leg = leg
        return leg.at(time)

    def _somewhere(self) -> Point:
        return self.rng.uniform(0, self.world_m), self.rng.uniform(0, self.world_m)
