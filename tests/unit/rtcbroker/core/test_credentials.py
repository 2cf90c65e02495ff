"""When a fresh token is due, and the one second chance after a refusal."""

from __future__ import annotations

import pytest

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


def test_an_expired_token_does_not_make_us_ask_without_end() -> None:
    credentials = Credentials(None, renewable=True)
    credentials.received(token(1), NOW + 50)
    assert credentials.renew_at == pytest.approx(NOW + 50.5)


def test_a_failure_is_tried_again_more_often_as_time_runs_out() -> None:
    credentials = Credentials(None, renewable=True)
    credentials.received(token(100), NOW)
    credentials.failed(NOW + 80)
    assert credentials.renew_at == pytest.approx(NOW + 85)
    credentials.failed(NOW + 94)
    assert credentials.renew_at == pytest.approx(NOW + 96)
    credentials.failed(NOW + 200)
    assert credentials.renew_at == pytest.approx(NOW + 200.5)


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
