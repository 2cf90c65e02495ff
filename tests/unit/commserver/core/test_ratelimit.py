"""The token bucket."""

from __future__ import annotations

from commserver.core.ratelimit import TokenBucket


def test_a_burst_and_then_the_rate() -> None:
    bucket = TokenBucket(10.0, 3, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(0.1)
    assert not bucket.take(0.1)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False], "what is saved up is bounded by the burst"


def test_what_is_refused_costs_nothing() -> None:
    bucket = TokenBucket(1.0, 5, 0.0)
    assert not bucket.take(0.0, 6)
    assert bucket.take(0.0, 5)


def test_a_rate_of_zero_is_no_limit() -> None:
    bucket = TokenBucket(0.0, 0, 0.0)
    assert all(bucket.take(0.0, 1e9) for _ in range(10))
    bucket.charge(0.0, 1e9)
    assert not bucket.in_debt(0.0)


def test_a_burst_below_one_lets_single_packets_pass() -> None:
    assert TokenBucket(1.0, 0, 0.0).take(0.0)


def test_a_charge_may_make_a_debt_that_time_pays() -> None:
    bucket = TokenBucket(10.0, 10, 0.0)
    bucket.charge(0.0, 10)
    assert not bucket.in_debt(0.0)
    bucket.charge(0.0, 20)
    assert bucket.in_debt(1.9)
    assert not bucket.take(1.9)
    assert not bucket.in_debt(2.0)
