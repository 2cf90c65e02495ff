"""Tokens that somebody forged: algorithms, keys, headers and bytes that must not get through."""

from __future__ import annotations

import pytest

from protocol.codes import Code
from protocol.keys import Key, KeySet, private_key, public_key
from protocol.limits import MAX_TOKEN_BYTES
from protocol.tokens import TokenPolicy, TokenRole, sign, verify
from tests.support.forge import (
    GOOD,
    NOW,
    POLICY,
    SECRET,
    SECRET_KEY,
    base64url,
    forge,
    good_but,
    private,
    private_pem,
    public_pem,
    refusal,
)

ASYMMETRIC = ("RS256", "ES256", "EdDSA")


# ------------------------------------------------------------------------------------------------------ algorithms and keys


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_each_algorithm_verifies_with_its_public_key(algorithm: str) -> None:
    signing, verifying = private_key(private_pem(private(algorithm))), public_key(public_pem(private(algorithm)))
    token = sign(signing, subject="alice", role=TokenRole.CLIENT, now=NOW, lifetime_s=60)
    assert verify(token, TokenPolicy(KeySet([verifying])), NOW).subject == "alice"
    assert verify(token, TokenPolicy(KeySet([signing])), NOW).subject == "alice"
    assert "none of the keys" in refusal(token, TokenPolicy(KeySet([public_key(public_pem(private(algorithm, 1)))]))).detail
    assert "is not accepted here" in refusal(token).detail


def test_the_wrong_secret() -> None:
    error = refusal(forge(GOOD, secret=SECRET + b"!"))
    assert (error.code, error.detail) == (Code.AUTH_FAILED, "the token is signed with none of the keys known here")


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", None, "hs256", "HS384", "HS512", "RS256", ["HS256"], {}, 1, True]
)
def test_no_other_algorithm(algorithm: object) -> None:
    signed = forge(GOOD, {"alg": algorithm})
    for token in (signed, signed.rsplit(".", 1)[0] + "."):
        error = refusal(token)
        assert error.code is Code.AUTH_FAILED
        assert "is not accepted here" in error.detail


def test_no_algorithm_at_all() -> None:
    assert "is not accepted here" in refusal(forge(GOOD, {"typ": "JWT"})).detail


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_public_key_is_no_secret(algorithm: str) -> None:
    pem = public_pem(private(algorithm))
    policy = TokenPolicy(KeySet([public_key(pem)]))
    for material in (pem, pem.strip(), pem.decode().encode("utf-16")):
        assert "is not accepted here" in refusal(forge(GOOD, secret=material), policy).detail
    mixed = TokenPolicy(KeySet([public_key(pem), SECRET_KEY]))
    assert "none of the keys" in refusal(forge(GOOD, secret=pem), mixed).detail
    assert verify(forge(GOOD), mixed, NOW).subject == "alice"


def test_a_signature_of_another_algorithm_is_none() -> None:
    policy = TokenPolicy(KeySet([public_key(public_pem(private(name))) for name in ASYMMETRIC] + [SECRET_KEY]))
    for algorithm in ASYMMETRIC:
        assert refusal(forge(GOOD, {"alg": algorithm}), policy).code is Code.AUTH_FAILED


def test_a_key_of_the_tokens_own_is_not_looked_at() -> None:
    header = {"alg": "HS256", "jwk": {"kty": "oct", "k": base64url(b"mine" * 8)}, "jku": "https://evil.example", "x5c": ["AA"]}
    assert "none of the keys" in refusal(forge(GOOD, header, secret=b"mine" * 8)).detail


def test_keys_are_chosen_by_id_and_rotate() -> None:
    old, new = Key("HS256", b"o" * 32, "old"), Key("HS256", b"n" * 32, "new")
    token = {key: forge(GOOD, {"alg": "HS256", "kid": key.key_id}, key.material) for key in (old, new)}
    both, only_new = TokenPolicy(KeySet([old, new])), TokenPolicy(KeySet([new]))
    assert verify(token[old], both, NOW) == verify(token[new], both, NOW) == verify(token[new], only_new, NOW)
    assert "none of the keys" in refusal(token[old], only_new).detail
    # The id chooses: the right secret under another's name is not tried.
    assert "none of the keys" in refusal(forge(GOOD, {"alg": "HS256", "kid": "old"}, new.material), both).detail


def test_without_an_id_every_key_is_tried() -> None:
    keys = [Key("HS256", bytes([number]) * 32, str(number)) for number in range(3)]
    assert verify(forge(GOOD, secret=keys[2].material), TokenPolicy(KeySet(keys)), NOW).subject == "alice"


def test_an_unknown_id_falls_back_to_keys_without_one() -> None:
    token = forge(GOOD, {"alg": "HS256", "kid": "made up"})
    assert verify(token, POLICY, NOW).subject == "alice"
    assert "none of the keys" in refusal(token, TokenPolicy(KeySet([Key("HS256", SECRET, "k")]))).detail


def test_no_keys_at_all() -> None:
    assert refusal(forge(GOOD), TokenPolicy(KeySet([]))).code is Code.AUTH_FAILED


# -------------------------------------------------------------------------------------------------------------- what is none


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "alice",
        "e30.e30.",
        base64url(b"[]") + ".e30.",
        base64url(b"[" * 4_000) + ".e30.",
        base64url(b'{"alg":' + b"9" * 5_000 + b"}") + ".e30.",
        base64url(b'{"alg":"HS256"') + ".e30.",
        base64url(b"\xff\xfe") + ".e30.",
        "\ud800.\ud800.\ud800",
        "ünï.cö.de",
        "\0",
        " " + forge(GOOD),
        forge(GOOD) + "\n",
        forge(GOOD).replace(".", " "),
        forge(GOOD)[:-1],
        forge(GOOD) + "A",
        forge("[]"),
        forge('"text"'),
        forge("{"),
        forge(GOOD, {"alg": "HS256", "kid": 7}),
        forge(GOOD, {"alg": "HS256", "kid": ["a"]}),
        forge(GOOD, {"alg": "HS256", "crit": ["exp"]}),
        forge(GOOD, {"alg": "HS256", "b64": False, "crit": ["b64"]}),
    ],
)
def test_what_is_no_token(token: str) -> None:
    error = refusal(token)
    assert error.code is Code.AUTH_FAILED
    assert error.detail.isprintable()


def test_a_token_that_is_too_long_is_not_looked_at() -> None:
    long = forge(good_but(filling="x" * MAX_TOKEN_BYTES))
    assert refusal(long).detail == f"the token is longer than {MAX_TOKEN_BYTES} bytes"
    assert "longer" not in refusal("x" * MAX_TOKEN_BYTES).detail


def test_every_changed_character_is_noticed() -> None:
    token = forge(GOOD)
    for position, character in enumerate(token):
        changed = token[:position] + ("B" if character == "A" else "A") + token[position + 1 :]
        assert refusal(changed).code is Code.AUTH_FAILED


def test_no_refusal_quotes_the_token() -> None:
    token = forge(good_but(role="my-own-role", aud="my-own-audience", iss="my-own-issuer"))
    for part in (*token.split("."), "my-own"):
        assert part not in str(refusal(token))
