"""Scenarios as data: who joins when, publishes where, listens where, and leaves when.

A scenario is a list of :class:`Plan`, one a bot. Times are seconds from the scenario's start; a bot that joins at None is there, and
subscribed, before the start, and one that leaves at infinity stays until everything is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Protocol

from simulation.core.chatter import Chatter
from simulation.core.grid import Grid
from simulation.core.presence import peak
from simulation.core.trace import Trace

if TYPE_CHECKING:
    from random import Random

_GOLDEN = 0.6180339887498949
"""Multiples of it, without their whole parts, spread evenly however many there are (Weyl's theorem)."""


@dataclass(frozen=True, slots=True)
class Stance:
    """What a bot does at one moment: publish to `topic`, listen to `listens`, and say `position` (metres) where it has one."""

    topic: str
    listens: frozenset[str]
    position: tuple[float, float] | None = None


class Route(Protocol):
    """Where a bot is at any time of the scenario."""

    def at(self, time: float) -> Stance:
        """The stance at `time`."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """Always in one topic, with everyone else in it."""

    topic: str

    def at(self, time: float) -> Stance:
        """The same at any time."""
        return Stance(self.topic, frozenset((self.topic,)))


class Path(Protocol):
    """A way through the plane."""

    def at(self, time: float) -> tuple[float, float]:
        """The position in metres at `time` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Walking:
    """On a way through a grid: publishes to its cell, listens to that and the eight around it."""

    path: Path
    grid: Grid
    speed: float = 1.0
    """Seconds of the way for each second of the scenario."""
    listens: frozenset[str] | None = None
    """What it listens to wherever it is, in place of the cells around it."""

    def at(self, time: float) -> Stance:
        """Where it is at `time`."""
        position = self.path.at(time * self.speed)
        cell = self.grid.cell(*position)
        listens = self.grid.around(cell) if self.listens is None else self.listens
        return Stance(self.grid.topic(cell), listens, position)


@dataclass(frozen=True, slots=True)
class Plan:
    """One bot's part."""

    bot: int
    """Its number, from 0, unique in the scenario."""
    route: Route
    joins_at: float | None = None
    leaves_at: float = inf
    chatter: Chatter | None = None
    """What it says beside its packets."""

    @property
    def phase(self) -> float:
        """Where in the sending period (0..1) it sends: even, as the clocks of real clients are."""
        return self.bot * _GOLDEN % 1.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everyone's part, and how long it takes."""

    name: str
    seconds: float
    """The measured time. Bots that were there from the start publish for `warmup_s` before it, too."""
    plans: Sequence[Plan]
    warmup_s: float = 0.0
    crowd: float = 0.0
    """How many bots about hear one packet, at most."""

    def peak(self) -> int:
        """The greatest number of bots that are to be there at the same time."""
        return peak((-inf if plan.joins_at is None else plan.joins_at, plan.leaves_at) for plan in self.plans)

    def listens_to_one_topic(self) -> bool:
        """Whether every bot is subscribed to a single topic, so that a packet need not name it."""
        return all(len(plan.route.at(max(0.0, plan.joins_at or 0.0)).listens) == 1 for plan in self.plans)

    def says_positions(self) -> bool:
        """Whether packets hold a position."""
        return any(plan.route.at(max(0.0, plan.joins_at or 0.0)).position is not None for plan in self.plans)

    def deliveries_per_s(self, hz: float) -> float:
        """About how many deliveries follow each second when each bot publishes `hz` times, at most."""
        return self.peak() * hz * self.crowd


def dense(clients: int, seconds: float, warmup_s: float, prefix: str) -> Scenario:
    """Everyone in one topic."""
    route = Standing(f"{prefix}/all")
    return Scenario("dense", seconds, [Plan(bot, route) for bot in range(clients)], warmup_s, clients - 1)


def groups(clients: int, count: int, seconds: float, warmup_s: float, prefix: str) -> Scenario:
    """Clients spread over `count` topics, as evenly as it goes."""
    routes = [Standing(f"{prefix}/group/{number}") for number in range(count)]
    return Scenario("groups", seconds, [Plan(bot, routes[bot % count]) for bot in range(clients)], warmup_s, clients / count)


def churn(arrivals_per_s: float, stay_s: float, count: int, seconds: float, prefix: str, rng: Random) -> Scenario:
    """Clients come at random (Poisson) and stay for a random time (exponential with the mean `stay_s`), in one of `count` topics.

    As many as are there on average in the long run (Little's law) are there at the start.
    """
    routes = [Standing(f"{prefix}/churn/{number}") for number in range(count)]
    arrivals: list[float | None] = [None] * round(arrivals_per_s * stay_s)
    time = rng.expovariate(arrivals_per_s)
    while time < seconds:
        arrivals.append(time)
        time += rng.expovariate(arrivals_per_s)
    plans = []
    for bot, joins_at in enumerate(arrivals):
        leaves_at = (joins_at or 0.0) + rng.expovariate(1 / stay_s)
        plans.append(Plan(bot, routes[bot % count], joins_at, leaves_at if leaves_at < seconds else inf))
    return Scenario("churn", seconds, plans, crowd=2 * arrivals_per_s * stay_s / count)


def replay(trace: Trace, cell_m: float, speed: float, prefix: str) -> Scenario:
    """Each recorded person is a client: joins when it first appears, walks the recorded way, leaves when it disappears."""
    grid = Grid(cell_m, f"{prefix}/cell")
    plans = [
        Plan(bot, Walking(track, grid, speed), track.first / speed, track.last / speed) for bot, track in enumerate(trace.tracks)
    ]
    # A square that a camera sees is a few cells wide: nearly everyone hears nearly everyone.
    crowd = peak((plan.joins_at or 0.0, plan.leaves_at) for plan in plans)
    return Scenario("replay", trace.seconds / speed, plans, crowd=crowd)


def wander(paths: Sequence[Path], cell_m: float, prefix: str, listeners: int | None = None) -> Scenario:
    """A bot on each of these ways, for ever. `listeners` of them, None: all, listen to the cells around them; the others walk and
    publish alike, but listen to the chat alone.
    """
    grid, chat = Grid(cell_m, f"{prefix}/cell"), frozenset((chat_topic(prefix),))
    bots = len(paths)
    listening = bots if listeners is None else min(listeners, bots)
    plans = []
    for bot, path in enumerate(paths):
        listens = (bot + 1) * listening // bots > bot * listening // bots  # every so many-th
        plans.append(Plan(bot, Walking(path, grid, listens=None if listens else chat)))
    return Scenario("wander", inf, plans)


def chat_topic(prefix: str) -> str:
    """Where those in the world that has this prefix talk."""
    return f"{prefix}/chat"
