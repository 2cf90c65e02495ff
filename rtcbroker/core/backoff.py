"""How long to pause before the next try: exponential, with full jitter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

_MAX_DOUBLINGS = 32


class Backoff:
    """Pauses of 0 to `base` seconds, then 0 to twice that, and so on up to 0 to `cap`.

    All of the pause is random: peers that failed together spread over the whole of it instead of coming back in step.
    """

    __slots__ = ("_base", "_cap", "_failures", "_rng")

    def __init__(self, base: float, cap: float, rng: random.Random) -> None:
        self._base = base
        self._cap = cap
        self._rng = rng
        self._failures = 0

    def next(self) -> float:
        """The pause after one more failure, in seconds."""
        ceiling = min(self._cap, self._base * 2.0 ** min(self._failures, _MAX_DOUBLINGS))
        self._failures += 1
        return self._rng.uniform(0.0, ceiling)

    def reset(self) -> None:
        """Something worked: the next pause is a first one again."""
        self._failures = 0
