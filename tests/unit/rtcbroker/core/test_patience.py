"""Whether to try again: by what was told, and by how often it failed."""

from __future__ import annotations

import random

import pytest

from protocol.codes import Code
from protocol.errors import ConnectionClosed
from rtcbroker.core.credentials import AUTH_CODES, Credentials
from rtcbroker.core.errors import AuthError, ConnectError
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.patience import Patience, Verdict, final_error


def make(*, renewable: bool = False, max_attempts: int | None = None) -> Patience:
    options = ClientOptions(max_attempts=max_attempts)
    return Patience(options, Credentials(None, renewable=renewable), random.Random(1))


@pytest.mark.parametrize("code", [*Code, 1000, 1006, 4299])
def test_the_range_of_a_code_is_its_verdict(code: int) -> None:
    assert make().judge(ConnectionClosed(code)) is (Verdict.NEVER if code // 100 == 42 else Verdict.AGAIN)


@pytest.mark.parametrize("code", sorted(AUTH_CODES))
def test_a_refused_token_has_one_second_chance_where_another_can_be_had(code: Code) -> None:
    patience = make(renewable=True)
    assert [patience.judge(ConnectionClosed(code)) for _ in range(2)] == [Verdict.FRESH_TOKEN, Verdict.NEVER]


def test_attempts_are_counted_in_a_row_and_only_where_they_are_limited() -> None:
    patience = make(max_attempts=2)
    assert not patience.is_over()
    patience.joined()
    assert not patience.is_over()
    assert patience.is_over()
    endless = make()
    assert not any(endless.is_over() for _ in range(1_000))


def test_pauses_grow_until_a_connection_was_stable() -> None:
    patience = make()
    assert max(patience.pause() for _ in range(50)) > 5.0
    patience.restore()
    assert patience.pause() <= 0.25


def test_the_end_has_its_type() -> None:
    assert type(final_error(ConnectionClosed(Code.TOKEN_EXPIRED, "why"))) is AuthError
    error = final_error(ConnectionClosed(Code.BAD_MESSAGE, "why"))
    assert type(error) is ConnectError
    assert (error.code, error.reason) == (Code.BAD_MESSAGE, "why")
