"""When a fresh token is due, and the one second chance after a refusal."""

from __future__ import annotations

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.keys import secret_key
from protocol.tokens import TokenRole, sign
from rtcbroker.core.credentials import Credentials

NOW = 1_000_000.0


def token(lifetime_s: float) -> str:
    return sign(secret_key("s" * 32), subject="me", role=TokenRole.CLIENT, now=NOW, lifetime_s=lifetime_s)


def test_a_fixed_token_is_never_renewed() -> None:
    fixed = Credentials(token(10), renewable=False)
    assert fixed.token
    assert not fixed.is_due(NOW + 1e9)
    assert fixed.renew_at is None
    assert not fixed.refused()
    fixed.void()
    assert not fixed.is_due(NOW)


def test_without_a_token_there_is_none_to_show() -> None:
    assert Credentials(None, renewable=False).token == ""


def test_a_function_is_asked_at_first_and_when_four_fifths_of_its_token_have_passed() -> None:
    credentials = Credentials(None, renewable=True)
    assert credentials.is_due(NOW)
    credentials.received(token(100), NOW)
    assert not credentials.is_due(NOW)
    assert credentials.renew_at == pytest.approx(NOW + 80)
    assert credentials.is_due(NOW + 80)


def test_what_is_being_asked_for_is_not_asked_for_again() -> None:
    credentials = Credentials(None, renewable=True)
    credentials.received(token(100), NOW)
    credentials.asked = True
    assert credentials.renew_at is None


@pytest.mark.parametrize("text", ["", "not a JWT"])
def test_a_token_without_expiry_is_kept(text: str) -> None:
    credentials = Credentials(None, renewable=True)
    credentials.received(text, NOW)
    assert credentials.renew_at is None
    assert not credentials.is_due(NOW + 1e9)


@pytest.mark.parametrize("ahead", [3_600, -3_600, 100])
def test_a_clock_that_is_wrong_changes_nothing(ahead: float) -> None:
    credentials = Credentials(None, renewable=True)
    credentials.received(token(100), NOW + ahead)
    assert credentials.renew_at == pytest.approx(NOW + ahead + 80)


def test_what_is_over_of_a_life_when_the_token_comes_counts() -> None:
    credentials = Credentials(None, renewable=True)
    credentials.received(token(100), NOW + 50)
    assert credentials.renew_at == pytest.approx(NOW + 90)


@given(st.integers(1, 10**6), st.integers(-(10**7), 10**7))
def test_never_later_than_four_fifths_of_a_life_and_never_sooner_than_a_pause(life: int, skew: int) -> None:
    credentials = Credentials(None, renewable=True)
    now = NOW + skew
    credentials.received(token(life), now)
    assert credentials.renew_at is not None
    pause = max(0.5, min(5.0, life / 10))
    assert pause - 1e-6 <= credentials.renew_at - now <= max(pause, 0.8 * life) + 1e-6


def test_a_token_that_says_nothing_of_its_life_and_seems_over_is_renewed_after_a_while() -> None:
    credentials = Credentials(None, renewable=True)
    credentials.received(jwt.encode({"exp": NOW}, "s" * 32), NOW + 50)
    assert credentials.renew_at == pytest.approx(NOW + 50 + 48)
    credentials.received(jwt.encode({"exp": NOW}, "s" * 32), NOW - 100)
    assert credentials.renew_at == pytest.approx(NOW - 20)


def test_a_failure_is_tried_again_after_a_pause() -> None:
    credentials = Credentials(None, renewable=True)
    credentials.received(token(100), NOW)
    credentials.failed(NOW + 80)
    assert credentials.renew_at == pytest.approx(NOW + 85)
    credentials.received(token(10), NOW)
    credentials.failed(NOW + 8)
    assert credentials.renew_at == pytest.approx(NOW + 9)


def test_there_is_one_second_chance_between_two_successes() -> None:
    credentials = Credentials(None, renewable=True)
    credentials.received(token(100), NOW)
    assert credentials.refused()
    assert credentials.is_due(NOW)
    credentials.received(token(100), NOW)
    assert not credentials.refused()
    credentials.accepted()
    assert credentials.refused()


def test_a_void_token_is_not_shown_again() -> None:
    credentials = Credentials(None, renewable=True)
    credentials.received(token(100), NOW)
    credentials.void()
    assert credentials.is_due(NOW)
    assert credentials.refused()
