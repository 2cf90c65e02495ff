"""Whom a Dismiss is about."""

from __future__ import annotations

import math

import pytest

from coordinator.core.outputs import Dismiss
from protocol.codes import Code
from protocol.tokens import Claims, TokenRole, anonymous


@pytest.mark.parametrize(
    ("dismiss", "concerned"),
    [
        (Dismiss(Code.TOKEN_REVOKED, subject="alice"), True),
        (Dismiss(Code.TOKEN_REVOKED, subject="bob"), False),
        (Dismiss(Code.TOKEN_REVOKED, token_id="j1"), True),
        (Dismiss(Code.TOKEN_REVOKED, token_id="alice"), False),
        (Dismiss(Code.TOKEN_REVOKED), False),
    ],
)
def test_it_is_about_the_bearers_of_what_it_names(dismiss: Dismiss, concerned: bool) -> None:
    assert dismiss.concerns(Claims("alice", TokenRole.CLIENT, math.inf, token_id="j1")) == concerned
    assert not dismiss.concerns(anonymous(TokenRole.CLIENT))
