"""Ways that were never walked look like ways."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.core.walk import Wanderer, crossing, pause, walk

SEEDS = st.integers(0, 2**32)


def test_a_leg_leads_from_its_start_to_its_end() -> None:
    leg = walk((1, 2), (11, 2), 5.0, Random(1))
    assert leg.at(leg.starts) == (1, 2)
    assert leg.at(leg.ends) == pytest.approx((11, 2))
    assert leg.at(-100) == (1, 2)
    assert leg.at(1e6) == pytest.approx((11, 2))


def test_who_pauses_stands() -> None:
    leg = pause((3, 4), 1.0, 2.0)
    assert leg.ends == 3.0
    assert all(leg.at(time) == pytest.approx((3, 4)) for time in (1.0, 2.2, 3.0))


@given(SEEDS)
def test_nobody_runs(seed: int) -> None:
    leg = walk((0, 0), (20, 5), 0.0, Random(seed))
    steps = [leg.at(leg.ends * n / 200) for n in range(201)]
    fastest = max(math.dist(one, other) for one, other in pairwise(steps)) / (leg.ends / 200)
    assert fastest < 3.0


@given(SEEDS)
def test_who_crosses_comes_and_goes_at_an_edge(seed: int) -> None:
    legs = crossing(20, 16, 3.0, Random(seed))
    assert legs[0].starts == 3.0
    for x, y in (legs[0].start, legs[-1].end):
        assert x in (0.0, 20.0) or y in (0.0, 16.0)
    for one, other in pairwise(legs):
        assert (one.ends, one.end) == (other.starts, other.start)


@given(SEEDS, st.lists(st.floats(0, 30), min_size=1, max_size=30))
def test_a_wanderer_goes_on_for_ever_without_jumps(seed: int, pauses: list[float]) -> None:
    wanderer, time = Wanderer(24.0, Random(seed)), 0.0
    x, y = wanderer.at(time)
    for seconds in pauses:
        time += seconds
        nx, ny = wanderer.at(time)
        assert math.dist((x, y), (nx, ny)) <= 4.0 * seconds + 1e-6
        # A bent leg may leave the square a little.
        assert -6 <= nx <= 30
        assert -6 <= ny <= 30
        x, y = nx, ny
