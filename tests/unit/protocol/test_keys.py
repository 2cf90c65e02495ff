"""Keys: what is accepted from an operator and from a JWKS, and the algorithm each is bound to."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, PublicFormat

from protocol.errors import ConfigError
from protocol.keys import MIN_SECRET_BYTES, Key, KeySet, jwks_keys, private_key, public_key, secret_key
from tests.support.forge import SECRET, private, private_pem, public_pem

ASYMMETRIC = ("RS256", "ES256", "EdDSA")


def jwk(algorithm: str, number: int = 0, **members: Any) -> dict[str, Any]:
    """The public JWK of a key, with further members."""
    public = private(algorithm, number).public_key()
    return {**json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(public)), **members}


def small_rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


# ---------------------------------------------------------------------------------------------------------------- secrets


def test_a_secret_is_for_hs256() -> None:
    key = secret_key(SECRET)
    assert (key.algorithm, key.material, key.key_id, key.can_sign) == ("HS256", SECRET, None, True)
    assert secret_key("ü" * 16).material == "ü".encode() * 16


@pytest.mark.parametrize("secret", ["", b"", "x" * (MIN_SECRET_BYTES - 1), b"x" * (MIN_SECRET_BYTES - 1)])
def test_a_short_secret_is_refused(secret: str | bytes) -> None:
    with pytest.raises(ConfigError, match=f"auth secret has {len(secret)} bytes, at least 32 are needed"):
        secret_key(secret)


def test_a_secret_of_any_bytes_survives_the_environment() -> None:
    secret = bytes(range(0x80, 0xA0))
    assert secret_key(secret.decode(errors="surrogateescape")).material == secret
    with pytest.raises(ConfigError, match="not a valid text"):
        secret_key("\ud800" * MIN_SECRET_BYTES)


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_public_key_is_no_secret(algorithm: str) -> None:
    pem = public_pem(private(algorithm))
    der = private(algorithm).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for material in (pem, pem.decode(), der, json.dumps(jwk(algorithm)).encode()):
        with pytest.raises(ConfigError, match="of another kind"):
            secret_key(material)


# -------------------------------------------------------------------------------------------------------------------- PEM


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_pem_key_knows_its_algorithm(algorithm: str) -> None:
    public, secret = public_key(public_pem(private(algorithm))), private_key(private_pem(private(algorithm)))
    assert (public.algorithm, public.can_sign) == (algorithm, False)
    assert (secret.algorithm, secret.can_sign) == (algorithm, True)
    assert public.for_verifying() is public
    assert secret.for_verifying().algorithm == algorithm
    assert not secret.for_verifying().can_sign


@pytest.mark.parametrize("pem", [b"", b"garbage", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_pem_is_refused_by_name(pem: bytes) -> None:
    with pytest.raises(ConfigError, match=r"^key\.pem: no public key in PEM form"):
        public_key(pem, name="key.pem")
    with pytest.raises(ConfigError, match=r"^key\.pem: no private key in PEM form"):
        private_key(pem, name="key.pem")


def test_public_and_private_are_not_confused() -> None:
    with pytest.raises(ConfigError, match="no public key"):
        public_key(private_pem(private("ES256")))
    with pytest.raises(ConfigError, match="no private key"):
        private_key(public_pem(private("ES256")))


def test_a_private_key_with_a_password_is_refused() -> None:
    pem = private("EdDSA").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    with pytest.raises(ConfigError, match="without a password"):
        private_key(pem)


def test_a_weak_rsa_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="an RSA key of 1024 bits, at least 2048 are needed"):
        public_key(public_pem(small_rsa()))


def test_curves_without_an_algorithm_here_are_refused() -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), ed448.Ed448PrivateKey.generate()):
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(ConfigError, match="is not supported; use RSA"):
            public_key(pem)


def test_no_key_shows_its_material() -> None:
    keys = KeySet([secret_key(SECRET), Key("RS256", private("RS256"), "one")])
    assert repr(keys) == "KeySet([Key(HS256, kid=None), Key(RS256, kid='one')])"


# --------------------------------------------------------------------------------------------------------------- key sets


def test_a_key_set_offers_keys_by_algorithm_and_id() -> None:
    unnamed, one, two, other = Key("RS256", 0), Key("RS256", 1, "one"), Key("RS256", 2, "two"), Key("HS256", 3, "one")
    keys = KeySet([unnamed, one, two, other])
    assert (len(keys), list(keys)) == (4, [unnamed, one, two, other])
    assert keys.algorithms == {"RS256", "HS256"}
    assert keys.candidates("RS256", None) == [unnamed, one, two]
    assert keys.candidates("RS256", "one") == [one]
    assert keys.candidates("RS256", "three") == [unnamed]
    assert keys.candidates("RS256", "") == [unnamed]
    assert keys.candidates("HS256", "two") == []
    assert keys.candidates("none", None) == []


def test_two_keys_may_share_an_id_while_one_replaces_the_other() -> None:
    old, new = Key("ES256", 1, "k"), Key("ES256", 2, "k")
    assert KeySet([old, new]).candidates("ES256", "k") == [old, new]


def test_a_key_set_keeps_no_private_key() -> None:
    keys = KeySet([Key(algorithm, private(algorithm), "k") for algorithm in ASYMMETRIC])
    assert [(key.algorithm, key.key_id, key.can_sign) for key in keys] == [(name, "k", False) for name in ASYMMETRIC]


# ------------------------------------------------------------------------------------------------------------------- JWKS


def test_a_jwks_gives_the_keys_it_can() -> None:
    keys = jwks_keys({"keys": [jwk("RS256", kid="r", alg="RS256", use="sig"), jwk("ES256", kid="e"), jwk("EdDSA")]})
    assert [(key.algorithm, key.key_id, key.can_sign) for key in keys] == [
        ("RS256", "r", False),
        ("ES256", "e", False),
        ("EdDSA", None, False),
    ]


@pytest.mark.parametrize(
    "entry",
    [
        "text",
        None,
        {},
        {"kty": "oct", "k": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA"},
        {"kty": "RSA"},
        {"kty": ["RSA"]},
        {"kty": "RSA", "n": 5, "e": "AQAB"},
        {"kty": "RSA", "n": "AA", "e": "AA"},
        {"kty": "RSA", "n": "\ud800", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        jwk("RS256", use="enc"),
        jwk("RS256", use=["sig"]),
        jwk("RS256", alg="RS512"),
        jwk("RS256", alg="ES256"),
        jwk("RS256", alg=["RS256"]),
        jwk("RS256", alg="made up"),
        json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(private("RS256"))),
        json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(small_rsa().public_key())),
        json.loads(jwt.get_algorithm_by_name("ES384").to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key())),
    ],
)
def test_a_key_that_cannot_be_used_locks_nobody_out(entry: Any) -> None:
    [key] = jwks_keys({"keys": [entry, jwk("EdDSA", kid="good")]})
    assert key.key_id == "good"
    with pytest.raises(ConfigError, match="holds no RS256, ES256 or EdDSA signature key"):
        jwks_keys({"keys": [entry]})


def test_an_id_that_is_no_text_is_none() -> None:
    assert [key.key_id for key in jwks_keys({"keys": [jwk("ES256", kid=7), jwk("ES256", kid=None)]})] == [None, None]


@pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}, [], None, "keys"])
def test_what_is_no_key_set_is_refused_by_name(document: Any) -> None:
    with pytest.raises(ConfigError, match=r"^https://example: not a key set"):
        jwks_keys(document, name="https://example")


def test_an_empty_key_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="holds no"):
        jwks_keys({"keys": []})
