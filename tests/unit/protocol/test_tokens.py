"""Tokens: what one says, what a clock or a careless issuer can do to it, and signing what verifies."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import jwt
import pytest

from protocol.codes import Code
from protocol.errors import TokenError, TopicError
from protocol.keys import Key, public_key
from protocol.tokens import (
    MAX_GRANTS,
    MAX_SUBJECT_BYTES,
    Claims,
    TokenPolicy,
    TokenRole,
    anonymous,
    peek_expiry,
    peek_lifetime,
    sign,
    verify,
)
from protocol.topics import PatternSet
from tests.support.forge import GOOD, NOW, POLICY, SECRET, SECRET_KEY, forge, good_but, private, public_pem, raw, refusal

# --------------------------------------------------------------------------------------------------------- what a token says


def test_a_good_token_says_who_and_what() -> None:
    payload = good_but(jti="7", iss="me", grants={"pub": ["room/1"], "sub": ["room/**", "lobby"]})
    assert verify(forge(payload), POLICY, NOW) == Claims(
        "alice", TokenRole.CLIENT, NOW + 60, PatternSet(["room/1"]), PatternSet(["room/**", "lobby"]), "7", "me"
    )


def test_no_grants_grant_nothing() -> None:
    for payload in (GOOD, good_but(grants={}), good_but(grants={"pub": [], "other": ["**"]})):
        claims = verify(forge(payload), POLICY, NOW)
        assert "a" not in claims.publish
        assert "a" not in claims.subscribe
        assert (claims.token_id, claims.issuer, claims.is_anonymous) == ("", "", False)


@pytest.mark.parametrize("role", TokenRole)
def test_a_role_is_what_the_token_says(role: TokenRole) -> None:
    assert verify(forge(good_but(role=role.value)), POLICY, NOW).role is role


def test_roles_of_servers() -> None:
    assert {role for role in TokenRole if role.is_server} == {TokenRole.COMMUNICATION_SERVER, TokenRole.COMMUNICATION_SERVER_HUB}


def test_the_anonymous_may_do_everything_for_ever() -> None:
    claims = anonymous(TokenRole.CLIENT)
    assert claims.is_anonymous
    assert claims.expires_at == math.inf
    assert "any/topic" in claims.publish
    assert "any/topic" in claims.subscribe


@pytest.mark.parametrize("subject", ["a", "Ünïcode \U0001f600", "a b\tc", "ü" * (MAX_SUBJECT_BYTES // 2), "\x00"])
def test_a_subject_is_any_text(subject: str) -> None:
    assert verify(forge(good_but(sub=subject)), POLICY, NOW).subject == subject


# -------------------------------------------------------------------------------------------------------------------- claims


@pytest.mark.parametrize(
    ("changes", "code", "detail"),
    [
        ({"exp": None}, Code.AUTH_FAILED, "no expiry"),
        ({"exp": str(NOW + 60)}, Code.AUTH_FAILED, "no expiry"),
        ({"exp": True}, Code.AUTH_FAILED, "no expiry"),
        ({"exp": [NOW]}, Code.AUTH_FAILED, "no expiry"),
        ({"exp": 10**400}, Code.AUTH_FAILED, "no expiry"),
        ({"exp": 0}, Code.TOKEN_EXPIRED, "has expired"),
        ({"exp": -(10**308)}, Code.TOKEN_EXPIRED, "has expired"),
        ({"nbf": "0"}, Code.AUTH_FAILED, "'nbf' is not a number"),
        ({"nbf": False}, Code.AUTH_FAILED, "'nbf' is not a number"),
        ({"nbf": NOW + 1}, Code.TOKEN_NOT_YET_VALID, "not valid yet"),
        ({"aud": None}, Code.AUTH_FAILED, "another audience"),
        ({"aud": ""}, Code.AUTH_FAILED, "another audience"),
        ({"aud": "rtcbroke"}, Code.AUTH_FAILED, "another audience"),
        ({"aud": "rtcbroker2"}, Code.AUTH_FAILED, "another audience"),
        ({"aud": []}, Code.AUTH_FAILED, "another audience"),
        ({"aud": [["rtcbroker"]]}, Code.AUTH_FAILED, "another audience"),
        ({"aud": {"rtcbroker": 1}}, Code.AUTH_FAILED, "another audience"),
        ({"sub": None}, Code.AUTH_FAILED, "no subject"),
        ({"sub": ""}, Code.AUTH_FAILED, "no subject"),
        ({"sub": 7}, Code.AUTH_FAILED, "'sub' is not a text"),
        ({"sub": ["alice"]}, Code.AUTH_FAILED, "'sub' is not a text"),
        ({"sub": "\ud800"}, Code.AUTH_FAILED, "'sub' is not a text"),
        ({"sub": "x" * (MAX_SUBJECT_BYTES + 1)}, Code.AUTH_FAILED, "longer than 256 bytes"),
        ({"sub": "ü" * (MAX_SUBJECT_BYTES // 2) + "x"}, Code.AUTH_FAILED, "longer than 256 bytes"),
        ({"jti": 7}, Code.AUTH_FAILED, "'jti' is not a text"),
        ({"iss": ["me"]}, Code.AUTH_FAILED, "'iss' is not a text"),
        ({"role": None}, Code.WRONG_ROLE, "none of CLIENT, COMM"),
        ({"role": "client"}, Code.WRONG_ROLE, "none of CLIENT, COMM"),
        ({"role": "UNKNOWN_ROLE"}, Code.WRONG_ROLE, "none of CLIENT, COMM"),
        ({"role": 1}, Code.WRONG_ROLE, "none of CLIENT, COMM"),
        ({"role": ["CLIENT"]}, Code.WRONG_ROLE, "none of CLIENT, COMM"),
        ({"grants": []}, Code.AUTH_FAILED, "'grants' is not an object"),
        ({"grants": "**"}, Code.AUTH_FAILED, "'grants' is not an object"),
        ({"grants": {"pub": "**"}}, Code.AUTH_FAILED, "'pub' is not a list"),
        ({"grants": {"sub": None}}, Code.AUTH_FAILED, "'sub' is not a list"),
        ({"grants": {"sub": {"**": 1}}}, Code.AUTH_FAILED, "'sub' is not a list"),
        ({"grants": {"sub": ["a", 1]}}, Code.AUTH_FAILED, "'sub' is not a list"),
        ({"grants": {"sub": ["a"] * (MAX_GRANTS + 1)}}, Code.AUTH_FAILED, "at most 256 patterns"),
        ({"grants": {"pub": ["a b"]}}, Code.AUTH_FAILED, "grant 'pub': topic 'a b'"),
        ({"grants": {"pub": ["\ud800/*"]}}, Code.AUTH_FAILED, "grant 'pub': topic"),
        ({"grants": {"pub": ["*/a"]}}, Code.AUTH_FAILED, "end of a pattern"),
    ],
)
def test_a_claim_that_will_not_do(changes: dict[str, Any], code: Code, detail: str) -> None:
    error = refusal(forge(good_but(**changes)))
    assert error.code is code
    assert detail in error.detail
    assert error.detail.isprintable()


@pytest.mark.parametrize(
    "member", ['"exp":null', '"exp":1e400', '"exp":NaN', '"exp":Infinity', '"nbf":null', '"nbf":-Infinity', '"grants":null']
)
def test_json_that_only_a_text_can_say(member: str) -> None:
    assert refusal(forge(raw(member))).code is Code.AUTH_FAILED


@pytest.mark.parametrize(
    "member", ['"exp":' + "9" * 5_000, '"x":' + "[" * 2_000 + "]" * 2_000, '"x":' + '{"a":' * 1_000 + "1" + "}" * 1_000]
)
def test_json_made_to_hurt_a_parser(member: str) -> None:
    with contextlib.suppress(TokenError):  # a parser may also manage
        verify(forge(raw(member)), POLICY, NOW)


def test_of_two_members_the_last_counts() -> None:
    assert verify(forge(raw('"sub":"bob"')), POLICY, NOW).subject == "bob"


def test_one_of_several_audiences_is_enough() -> None:
    assert verify(forge(good_but(aud=["other", "rtcbroker"])), POLICY, NOW).subject == "alice"


def test_the_audience_is_the_policys() -> None:
    policy = TokenPolicy(POLICY.keys, audience="mine")
    assert verify(forge(good_but(aud="mine")), policy, NOW).subject == "alice"
    assert "audience" in refusal(forge(GOOD), policy).detail


def test_the_issuer_counts_where_one_is_named() -> None:
    policy = TokenPolicy(POLICY.keys, issuer="https://id.example")
    assert verify(forge(good_but(iss="https://id.example")), policy, NOW).issuer == "https://id.example"
    for issuer in (None, "", "https://id.example/", ["https://id.example"]):
        error = refusal(forge(good_but(iss=issuer)), policy)
        assert (error.code, error.detail) == (Code.AUTH_FAILED, "the token is from another issuer ('iss')")


# ---------------------------------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize("leeway", [0.0, 30.0])
def test_a_token_lives_to_the_end_of_its_leeway_and_no_longer(leeway: float) -> None:
    policy = TokenPolicy(POLICY.keys, leeway_s=leeway)
    token = forge(good_but(exp=NOW + 0.5))
    end = NOW + 0.5 + leeway
    assert verify(token, policy, math.nextafter(end, 0)).expires_at == end
    for now in (end, end + 1e9):
        assert refusal(token, policy, now).code is Code.TOKEN_EXPIRED


@pytest.mark.parametrize("leeway", [0.0, 30.0])
def test_a_token_begins_before_its_time_by_the_leeway(leeway: float) -> None:
    policy = TokenPolicy(POLICY.keys, leeway_s=leeway)
    token = forge(good_but(nbf=NOW))
    assert verify(token, policy, NOW - leeway).subject == "alice"
    assert refusal(token, policy, math.nextafter(NOW - leeway, 0)).code is Code.TOKEN_NOT_YET_VALID


def test_a_token_from_the_future_is_only_a_matter_of_nbf() -> None:
    assert verify(forge(good_but(iat=NOW + 1e6)), POLICY, NOW).subject == "alice"
    assert verify(forge(good_but(iat="yesterday")), POLICY, NOW).subject == "alice"


def test_a_token_for_ever_has_a_finite_end() -> None:
    assert math.isfinite(verify(forge(good_but(exp=1e308)), POLICY, NOW).expires_at)


# ------------------------------------------------------------------------------------------------------------------- signing


def test_what_is_signed_verifies() -> None:
    token = sign(
        SECRET_KEY,
        subject="alice",
        role=TokenRole.ADMIN,
        now=NOW + 0.25,
        lifetime_s=60,
        publish=["a/*"],
        subscribe=["**"],
        audience="mine",
        issuer="me",
        token_id="7",
    )
    policy = TokenPolicy(POLICY.keys, "mine", "me", 0.0)
    claims = verify(token, policy, NOW)
    assert claims == Claims("alice", TokenRole.ADMIN, NOW + 61, PatternSet(["a/*"]), PatternSet(["**"]), "7", "me")
    assert jwt.decode(token, options={"verify_signature": False})["iat"] == int(NOW)


def test_a_token_has_an_id_of_its_own_and_names_its_key() -> None:
    key = Key("HS256", SECRET, "k")
    tokens = [sign(key, subject="a", role=TokenRole.CLIENT, now=NOW, lifetime_s=1) for _ in range(2)]
    ids = {verify(token, POLICY, NOW).token_id for token in tokens}
    assert len(ids) == 2
    assert "" not in ids
    assert jwt.get_unverified_header(tokens[0])["kid"] == "k"
    assert "kid" not in jwt.get_unverified_header(sign(SECRET_KEY, subject="a", role=TokenRole.CLIENT, now=NOW, lifetime_s=1))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"subject": ""}, "a subject of at most 256 bytes"),
        ({"subject": "ü" * 129}, "a subject of at most 256 bytes"),
        ({"subject": "\ud800"}, "surrogates"),
        ({"lifetime_s": 0}, "positive lifetime"),
        ({"lifetime_s": -1}, "positive lifetime"),
        ({"lifetime_s": math.nan}, "positive lifetime"),
        ({"lifetime_s": math.inf}, "positive lifetime"),
        ({"publish": ["a"] * (MAX_GRANTS + 1)}, "room for 256 patterns"),
        ({"subscribe": ["x" * 255] * 30}, "the token would have .* grant fewer"),
        ({"key": public_key(public_pem(private("EdDSA")))}, "not with a public key"),
    ],
)
def test_what_would_not_verify_is_not_signed(changes: dict[str, Any], why: str) -> None:
    arguments = {"key": SECRET_KEY, "subject": "a", "role": TokenRole.CLIENT, "now": NOW, "lifetime_s": 60.0, **changes}
    with pytest.raises(ValueError, match=why):
        sign(arguments.pop("key"), **arguments)


def test_a_wrong_pattern_is_not_signed() -> None:
    with pytest.raises(TopicError):
        sign(SECRET_KEY, subject="a", role=TokenRole.CLIENT, now=NOW, lifetime_s=1, publish=["a b"])
    with pytest.raises(TypeError):
        sign(SECRET_KEY, subject="a", role=TokenRole.CLIENT, now=NOW, lifetime_s=1, subscribe="**")


# ------------------------------------------------------------------------------------------------------------------ its end


def test_the_bearer_reads_how_long_the_token_lives_from_its_making_or_its_beginning() -> None:
    assert peek_lifetime(forge(good_but(exp=NOW, iat=NOW - 60, nbf=NOW - 50))) == 60
    assert peek_lifetime(forge(good_but(exp=NOW, iat="then", nbf=NOW - 50))) == 50
    assert peek_lifetime(forge(good_but(exp=NOW, iat=NOW))) is None
    assert peek_lifetime(forge({"exp": NOW})) is None


def test_the_bearer_reads_the_expiry_without_a_key() -> None:
    assert peek_expiry(forge(good_but(exp=NOW))) == NOW
    assert peek_expiry(forge(good_but(exp=NOW), secret=b"unknown")) == NOW


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "\ud800",
        forge("[]"),
        forge("[" * 4_000),
        forge(good_but(exp=None)),
        forge(good_but(exp=10**400)),
        forge(raw('"exp":1e400')),
    ],
)
def test_a_bearer_without_an_expiry_gets_none(token: str) -> None:
    assert peek_expiry(token) is None
    assert peek_lifetime(token) is None
