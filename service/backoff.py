"""How long to wait before trying again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


def full_jitter(attempt: int, base: float, cap: float, rng: random.Random) -> float:
    """Seconds before try number `attempt` + 1: anywhere between 0 and min(cap, base * 2^attempt).

    Full jitter, because peers that lost the same server at the same moment must not come back at the same moment.
    """
    return rng.uniform(0.0, min(cap, base * 2.0 ** min(attempt, 32)))


class Backoff:
    """Pauses in a row: 0 to `base` seconds, then 0 to twice that, and so on up to 0 to `cap`."""

    __slots__ = ("_base", "_cap", "_failures", "_rng")

    def __init__(self, base: float, cap: float, rng: random.Random) -> None:
        self._base = base
        self._cap = cap
        self._rng = rng
        self._failures = 0

    def next(self) -> float:
        """The pause after one more failure, in seconds."""
        self._failures += 1
        return full_jitter(self._failures - 1, self._base, self._cap, self._rng)

    def reset(self) -> None:
        """Something worked: the next pause is a first one again."""
        self._failures = 0
