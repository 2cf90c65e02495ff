"""Tokens that end: each key due once, and what is gone forgotten."""

from __future__ import annotations

import math

from coordinator.core.expiry import Expiries


def test_each_is_due_once_the_earliest_first() -> None:
    expiries = Expiries()
    for key, at in ((1, 30.0), (2, 10.0), (3, 20.0), (4, math.inf)):
        expiries.add(key, at)
    assert expiries.next_deadline() == 10
    assert list(expiries.due(9.9)) == []
    assert list(expiries.due(20.0)) == [2, 3]
    assert list(expiries.due(20.0)) == []
    assert list(expiries.due(1e9)) == [1]
    assert expiries.next_deadline() is None


def test_who_left_is_not_due() -> None:
    expiries = Expiries()
    expiries.add(1, 10.0)
    expiries.remove(1)
    expiries.remove(2)
    assert list(expiries.due(20.0)) == []


def test_those_that_left_do_not_pile_up() -> None:
    expiries = Expiries()
    expiries.add(0, 1e9)
    for key in range(1, 10_000):
        expiries.add(key, 1e9 + key)
        expiries.remove(key)
        assert len(expiries) < 100
    assert list(expiries.due(2e9)) == [0]
