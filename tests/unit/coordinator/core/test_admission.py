"""Who may come in, and as what."""

from __future__ import annotations

import pytest

from coordinator.core.admission import (
    NO_TOKEN,
    Admission,
    AliasWish,
    Refusal,
    admit,
    alias_wish,
    bearer_token,
    refused_token,
    wanted_role,
)
from protocol.codes import Code
from protocol.errors import TokenError
from protocol.limits import MAX_ALIAS
from protocol.tokens import Claims, TokenRole, anonymous


def test_connect_is_for_clients_whatever_they_say() -> None:
    assert wanted_role("/connect", {"role": "COMMUNICATION_SERVER"}) is TokenRole.CLIENT


@pytest.mark.parametrize("role", ["COMMUNICATION_SERVER", "COMMUNICATION_SERVER_HUB"])
def test_discover_is_for_servers(role: str) -> None:
    assert wanted_role("/discover", {"role": role}) is TokenRole(role)


@pytest.mark.parametrize("query", [{}, {"role": ""}, {"role": "CLIENT"}, {"role": "ADMIN"}, {"role": "communication_server"}])
def test_discover_without_a_servers_role_is_a_mistake(query: dict[str, str]) -> None:
    refusal = wanted_role("/discover", query)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (400, Code.BAD_MESSAGE)
    assert "COMMUNICATION_SERVER_HUB" in refusal.detail


@pytest.mark.parametrize(
    ("query", "header", "token"),
    [
        ({}, None, ""),
        ({"access_token": "a"}, None, "a"),
        ({}, "Bearer b", "b"),
        ({}, "bearer  b ", "b"),
        ({"access_token": "a"}, "Bearer b", "b"),
        ({"access_token": "a"}, "Basic b", "a"),
        ({}, "Basic b", ""),
        ({}, "", ""),
        ({}, "Bearer", ""),
    ],
)
def test_where_a_token_may_stand(query: dict[str, str], header: str | None, token: str) -> None:
    assert bearer_token(query, header) == token


def test_an_alias_may_be_asked_for() -> None:
    assert alias_wish({}) is None
    assert alias_wish({"resume": "proof"}) is None
    assert alias_wish({"alias": "7"}) == AliasWish(7, "")
    assert alias_wish({"alias": str(MAX_ALIAS), "resume": "proof"}) == AliasWish(MAX_ALIAS, "proof")


@pytest.mark.parametrize("alias", ["", "0", "-1", "+1", "1.0", " 1", "x", "\u0667", "\u00b2", str(MAX_ALIAS + 1), "1" * 5_000])
def test_an_alias_that_is_none(alias: str) -> None:
    refusal = alias_wish({"alias": alias})
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400
    assert len(refusal.detail) < 100


def test_a_proof_of_any_length_is_not_taken() -> None:
    assert isinstance(alias_wish({"alias": "1", "resume": "x" * 129}), Refusal)


@pytest.mark.parametrize("wanted", list(TokenRole))
@pytest.mark.parametrize("held", list(TokenRole))
def test_the_token_must_say_exactly_the_role(wanted: TokenRole, held: TokenRole) -> None:
    verdict = admit(wanted, Claims("alice", held, 1e12), part2=True, wish=None)
    if held is wanted:
        assert verdict == Admission(wanted, "alice", True, None, expires_at=1e12)
        assert verdict.is_verified
    else:
        assert isinstance(verdict, Refusal)
        assert (verdict.status, verdict.code) == (403, Code.WRONG_ROLE)


def test_without_authentication_nobody_is_verified() -> None:
    verdict = admit(TokenRole.CLIENT, anonymous(TokenRole.CLIENT), part2=False, wish=AliasWish(7))
    assert verdict == Admission(TokenRole.CLIENT, "", False, AliasWish(7))
    assert not verdict.is_verified


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Code.AUTH_FAILED, 401),
        (Code.TOKEN_EXPIRED, 401),
        (Code.TOKEN_NOT_YET_VALID, 401),
        (Code.WRONG_ROLE, 403),
        (Code.TOKEN_UNVERIFIABLE, 503),
    ],
)
def test_the_status_of_a_refused_token(code: Code, status: int) -> None:
    assert refused_token(TokenError(code, "why")) == Refusal(status, code, "why")
    assert NO_TOKEN.status == 401
