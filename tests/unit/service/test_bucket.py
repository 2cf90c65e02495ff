"""The token bucket: a burst at once, a rate in the long run."""

from __future__ import annotations

import pytest

from service.bucket import TokenBucket


def taken(bucket: TokenBucket, now: float, tries: int) -> int:
    return sum(bucket.take(now) for _ in range(tries))


def test_the_burst_comes_at_once_and_no_more() -> None:
    assert taken(TokenBucket(1.0, 5, 0.0), 0.0, 10) == 5


def test_it_fills_at_its_rate_up_to_the_burst() -> None:
    bucket = TokenBucket(2.0, 4, 0.0)
    assert taken(bucket, 0.0, 10) == 4
    assert taken(bucket, 1.0, 10) == 2
    assert taken(bucket, 1000.0, 10) == 4


def test_what_is_refused_takes_nothing() -> None:
    bucket = TokenBucket(1.0, 2, 0.0)
    assert not bucket.take(0.0, 3.0)
    assert bucket.take(0.0, 2.0)


def test_a_clock_that_repeats_itself_fills_nothing() -> None:
    bucket = TokenBucket(1.0, 1, 10.0)
    assert bucket.take(10.0)
    assert not bucket.take(9.0)
    assert not bucket.take(10.0)


@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_no_rate_is_no_limit(rate: float) -> None:
    assert taken(TokenBucket(rate, 1, 0.0), 0.0, 1000) == 1000


def test_one_at_least_can_come() -> None:
    assert taken(TokenBucket(0.1, 0, 0.0), 0.0, 5) == 1


def test_no_rate_is_no_debt() -> None:
    bucket = TokenBucket(0.0, 0, 0.0)
    bucket.charge(0.0, 1e9)
    assert not bucket.in_debt(0.0)
    assert bucket.debt_s(0.0) == 0.0


def test_a_charge_may_make_a_debt_that_time_pays() -> None:
    bucket = TokenBucket(10.0, 10, 0.0)
    bucket.charge(0.0, 10)
    assert not bucket.in_debt(0.0)
    bucket.charge(0.0, 20)
    assert bucket.debt_s(1.5) == 0.5
    assert bucket.in_debt(1.9)
    assert not bucket.take(1.9)
    assert not bucket.in_debt(2.0)
    assert bucket.debt_s(3.0) == 0.0


def test_as_many_as_the_tokens_last_for() -> None:
    bucket = TokenBucket(rate=10, burst=25, now=0)
    assert bucket.take_some(0, 3, price=10) == 2
    assert bucket.take_some(0, 3, price=10) == 0
    assert bucket.take_some(0, 9) == 5, "what was left"
    bucket.charge(0, 10)
    assert bucket.take_some(0.5, 1) == 0, "in debt"
    assert bucket.take_some(1.5, 9) == 5
    assert TokenBucket(rate=0, burst=1, now=0).take_some(0, 1_000_000, price=1e9) == 1_000_000, "no limit"
