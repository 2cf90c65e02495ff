"""Which server a client should take: the order of the list in its WELCOME. Clients take the first and keep the others in reserve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from random import Random

NOMINAL_CLIENTS = 1_000
"""What a server without a limit is taken to hold, to compare its load with others'."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server that takes clients, and how busy it is: about 0 when idle, 1 when there is no room left."""

    alias: int
    load: float


def load_of(clients: int, max_clients: int, cpu: float) -> float:
    """How close a server is to its nearest limit: places or processor time (a server's packet path is one core)."""
    return max(clients / (max_clients or NOMINAL_CLIENTS), cpu)


class Selector(Protocol):
    """Orders servers for one client."""

    def order(self, candidates: Sequence[Candidate], rng: Random) -> list[int]:
        """All their aliases, the chosen one first."""
        ...


class RandomSelector:
    """Any server as likely as any other, and so is any order of the rest."""

    def order(self, candidates: Sequence[Candidate], rng: Random) -> list[int]:
        """A uniform shuffle."""
        aliases = [candidate.alias for candidate in candidates]
        rng.shuffle(aliases)
        return aliases


class TwoChoicesSelector:
    """The less busy of two random servers first, the rest shuffled.

    Taking the least busy of all would send everyone to one server until its next report; two random ones spread the crowd and still
    keep the fullest server close to the average (M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
    """

    def order(self, candidates: Sequence[Candidate], rng: Random) -> list[int]:
        """A uniform shuffle whose first two change places when the second is less busy."""
        shuffled = list(candidates)
        rng.shuffle(shuffled)
        if len(shuffled) > 1 and shuffled[1].load < shuffled[0].load:
            shuffled[0], shuffled[1] = shuffled[1], shuffled[0]
        return [candidate.alias for candidate in shuffled]


SELECTORS: dict[str, type[Selector]] = {"random": RandomSelector, "two-choices": TwoChoicesSelector}
