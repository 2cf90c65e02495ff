"""Which server a client should take."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from coordinator.core.selector import SELECTORS, Candidate, RandomSelector, Selector, TwoChoicesSelector, load_of

CRITICAL_3 = 11.345
"""Chi-square, 3 degrees of freedom: a uniform choice passes it in 1 of 100 samples."""
CRITICAL_23 = 41.638
"""The same for 23: all orders of four."""

FOUR = [Candidate(alias, 0.0) for alias in (11, 22, 33, 44)]


def chi_square(counts: Counter[object], cells: int) -> float:
    expected = counts.total() / cells
    return sum((n - expected) ** 2 / expected for n in counts.values()) + expected * (cells - len(counts))


@pytest.mark.parametrize("selector", [RandomSelector(), TwoChoicesSelector()])
def test_two_thousand_joins_are_spread_evenly_over_four_equal_servers(selector: Selector) -> None:
    rng = random.Random(2)
    first = Counter[object](selector.order(FOUR, rng)[0] for _ in range(2_000))
    assert chi_square(first, 4) < CRITICAL_3


def test_random_gives_every_order_alike() -> None:
    rng = random.Random(3)
    orders = Counter[object](tuple(RandomSelector().order(FOUR, rng)) for _ in range(2_400))
    assert chi_square(orders, 24) < CRITICAL_23


def test_the_measure_can_fail() -> None:
    assert chi_square(Counter({1: 600, 2: 500, 3: 450, 4: 450}), 4) > CRITICAL_3
    assert chi_square(Counter({1: 2_000}), 4) > CRITICAL_3


@pytest.mark.parametrize("name", sorted(SELECTORS))
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_everyone_is_in_the_list_once(name: str, count: int) -> None:
    candidates = [Candidate(alias, alias / 10) for alias in range(1, count + 1)]
    before = list(candidates)
    order = SELECTORS[name]().order(candidates, random.Random(1))
    assert sorted(order) == [c.alias for c in candidates]
    assert candidates == before


def test_two_choices_takes_the_less_busy_of_two() -> None:
    rng = random.Random(4)
    candidates = [Candidate(1, 0.9), Candidate(2, 0.1)]
    assert all(TwoChoicesSelector().order(candidates, rng) == [2, 1] for _ in range(50))


def test_two_choices_never_takes_the_busiest_and_often_the_idlest() -> None:
    rng = random.Random(5)
    candidates = [Candidate(alias, alias / 10) for alias in (1, 2, 3, 4)]
    first = Counter(TwoChoicesSelector().order(candidates, rng)[0] for _ in range(1_200))
    assert first[4] == 0
    # Of the six pairs of four servers, three have 1 in them, two have 2 and not 1, one is (3, 4).
    assert [round(first[alias] / 200) for alias in (1, 2, 3)] == [3, 2, 1]


def test_two_choices_keeps_a_crowd_level() -> None:
    rng = random.Random(6)
    clients = dict.fromkeys(range(1, 9), 0)
    for _ in range(4_000):
        chosen = TwoChoicesSelector().order([Candidate(a, load_of(n, 0, 0.0)) for a, n in clients.items()], rng)[0]
        clients[chosen] += 1
    assert max(clients.values()) - min(clients.values()) < 10


@pytest.mark.parametrize(
    ("clients", "limit", "cpu", "load"),
    [(0, 0, 0.0, 0.0), (500, 0, 0.0, 0.5), (50, 100, 0.0, 0.5), (50, 100, 0.8, 0.8), (90, 100, 0.8, 0.9)],
)
def test_load_is_the_nearest_limit(clients: int, limit: int, cpu: float, load: float) -> None:
    assert load_of(clients, limit, cpu) == load
