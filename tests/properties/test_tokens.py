"""What holds of tokens and keys for any input: nothing but a refusal gets out, and what is signed verifies."""

from __future__ import annotations

import contextlib
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ConfigError, TokenError
from protocol.keys import KeySet, jwks_keys
from protocol.text import is_unicode
from protocol.tokens import TokenRole, peek_expiry, sign, verify
from protocol.topics import PatternSet
from tests.support.forge import GOOD, NOW, POLICY, SECRET_KEY, base64url, forge
from tests.support.strategies import any_text, json_values

patterns = st.sampled_from(["a", "a/*", "a/**", "*", "**", "/*", "b//**", "a*"])

claims = st.dictionaries(
    st.sampled_from(["sub", "role", "aud", "exp", "nbf", "iss", "jti", "grants"]),
    json_values
    | st.sampled_from(["CLIENT", "rtcbroker", NOW + 60])
    | st.dictionaries(st.sampled_from(["pub", "sub"]), json_values),
)


def only_token_errors(token: str) -> None:
    peek_expiry(token)
    try:
        verified = verify(token, POLICY, NOW)
    except TokenError as error:
        detail = error.detail
    else:
        detail = ""
        assert is_unicode(verified.subject + verified.token_id + verified.issuer)
        assert math.isfinite(verified.expires_at)
    assert detail.isprintable()


@given(any_text | st.lists(st.binary().map(base64url), max_size=4).map(".".join))
def test_tokens_of_any_text(token: str) -> None:
    only_token_errors(token)


@given(claims)
def test_tokens_of_any_claims(changes: dict[str, Any]) -> None:
    only_token_errors(forge({**GOOD, **changes}))


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "zip", "jwk"]), json_values | st.just("HS256")))
def test_tokens_of_any_header(header: dict[str, Any]) -> None:
    only_token_errors(forge(GOOD, header))


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50),
    st.sampled_from(TokenRole),
    st.floats(0.001, 1e9),
    st.lists(patterns, max_size=5),
    st.lists(patterns, max_size=5),
)
def test_a_signed_token_says_what_was_signed(
    subject: str, role: TokenRole, lifetime_s: float, publish: list[str], subscribe: list[str]
) -> None:
    token = sign(SECRET_KEY, subject=subject, role=role, now=NOW, lifetime_s=lifetime_s, publish=publish, subscribe=subscribe)
    claims = verify(token, POLICY, NOW)
    assert (claims.subject, claims.role, claims.publish, claims.subscribe) == (
        subject,
        role,
        PatternSet(publish),
        PatternSet(subscribe),
    )
    # Whole seconds: never shorter than was asked for.
    assert 0 <= claims.expires_at - (NOW + lifetime_s) < 1
    assert peek_expiry(token) == claims.expires_at


jwk_members = {
    "kty": st.sampled_from(["RSA", "EC", "OKP", "oct"]) | json_values,
    "crv": st.sampled_from(["P-256", "P-384", "Ed25519", "X25519", "secp256k1"]) | json_values,
    "alg": st.sampled_from(["RS256", "ES256", "EdDSA", "HS256"]) | json_values,
}
encoded = st.binary(max_size=40).map(base64url) | json_values
jwks = st.fixed_dictionaries({}, optional={**jwk_members, **dict.fromkeys(("n", "e", "x", "y", "d", "k", "kid", "use"), encoded)})


@given(json_values | st.fixed_dictionaries({"keys": json_values | st.lists(jwks, max_size=3)}))
def test_key_sets_of_any_json(document: Any) -> None:
    with contextlib.suppress(ConfigError):
        assert len(KeySet(jwks_keys(document))) > 0
