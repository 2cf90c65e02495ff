"""Pauses grow, stay below their cap, and are random from 0 on."""

from __future__ import annotations

import random

from service.backoff import Backoff


class Highest(random.Random):
    """Chance at its extreme: always the upper end."""

    def uniform(self, a: float, b: float) -> float:
        assert a == 0.0
        return b


def test_the_upper_end_doubles_up_to_the_cap_and_begins_anew() -> None:
    backoff = Backoff(0.25, 3.0, Highest())
    assert [backoff.next() for _ in range(6)] == [0.25, 0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.next() == 0.25


def test_a_night_of_failures_is_no_overflow() -> None:
    backoff = Backoff(0.25, 10.0, Highest())
    assert max(backoff.next() for _ in range(10_000)) == 10.0


def test_pauses_of_many_clients_are_spread_over_the_whole_of_it() -> None:
    pauses = sorted(Backoff(1.0, 10.0, random.Random(seed)).next() for seed in range(200))
    assert pauses[0] < 0.1
    assert pauses[-1] > 0.9
