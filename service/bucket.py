"""A token bucket: so many a second, and so many at once. Pure; the clock is passed in."""

from __future__ import annotations


class TokenBucket:
    """Allows `rate` a second on average and `burst` (at least 1) at once; full at the start. A rate of 0 means no limit at all."""

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """`rate` per second; `now` in seconds."""
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._level = self._burst
        self._at = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Take `amount` if it is there; False, and nothing taken, if it is not."""
        if self._rate <= 0:
            return True
        if now > self._at:
            self._level = min(self._burst, self._level + (now - self._at) * self._rate)
            self._at = now
        if self._level < amount:
            return False
        self._level -= amount
        return True
