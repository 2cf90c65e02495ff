"""A token bucket: so many a second, so many at once; and a debt, for costs that are known only afterwards. Pure; the clock is passed in."""

from __future__ import annotations

import math


class TokenBucket:
    """Starts full. `rate` tokens a second flow in, up to `burst`; a rate of 0 means no limit at all."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """`rate` per second; `burst` at least 1; `now` in seconds."""
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._tokens = self._burst
        self._at = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Take `amount` tokens at `now` if they are there."""
        if self._rate <= 0:
            return True
        self._flow(now)
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True

    def take_some(self, now: float, amount: int, price: float = 1.0) -> int:
        """Take for as many of `amount` things at `price` tokens each as the tokens last for; returns how many that is."""
        if self._rate <= 0:
            return amount
        self._flow(now)
        count = min(amount, math.floor(self._tokens / price)) if self._tokens > 0 else 0
        self._tokens -= count * price
        return count

    def in_debt(self, now: float) -> bool:
        """Whether more was charged than has flowed in since."""
        self._flow(now)
        return self._rate > 0 and self._tokens < 0

    def debt_s(self, now: float) -> float:
        """Seconds until as much will have flowed in as was charged too much; 0 when nothing is owed."""
        return -self._tokens / self._rate if self.in_debt(now) else 0.0

    def charge(self, now: float, amount: float) -> None:
        """Take `amount` tokens whether they are there or not."""
        self._flow(now)
        self._tokens -= amount

    def _flow(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
