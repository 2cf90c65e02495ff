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
