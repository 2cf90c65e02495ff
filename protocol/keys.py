"""The keys tokens are verified and signed with. Pure: bytes in, keys out; files and JWKS URLs are read in `service/keys.py`.

A key knows the one algorithm it is for, so a token can never choose: a public key is not accepted as an HMAC secret, and ``none`` is
no algorithm at all (RFC 8725 section 3.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from protocol.errors import ConfigError

MIN_SECRET_BYTES = 32
"""An HS256 secret as long as its hash (RFC 7518 section 3.2)."""

MIN_RSA_BITS = 2048
"""RFC 7518 section 3.3."""

_PRIVATE = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what PyJWT takes, its algorithm, and its key id where it has one."""

    algorithm: str
    material: Any
    key_id: str | None = None

    @property
    def can_sign(self) -> bool:
        """Whether tokens can be signed with it: a shared secret or a private key."""
        return isinstance(self.material, bytes | _PRIVATE)

    def for_verifying(self) -> Key:
        """The key tokens signed with this one are verified with: the public half of a private key."""
        if isinstance(self.material, _PRIVATE):
            return Key(self.algorithm, self.material.public_key(), self.key_id)
        return self

    def __repr__(self) -> str:
        return f"Key({self.algorithm}, kid={self.key_id!r})"


class KeySet:
    """The keys a token may be signed with; of private keys, only the public half is kept."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(key.for_verifying() for key in keys)

    @property
    def algorithms(self) -> frozenset[str]:
        """The algorithms any of the keys is for."""
        return frozenset(key.algorithm for key in self._keys)

    def candidates(self, algorithm: str, key_id: str | None) -> Sequence[Key]:
        """The keys that may have signed a token with this header: by key id where both sides name one, else every key of the algorithm."""
        fitting = [key for key in self._keys if key.algorithm == algorithm]
        if key_id is None:
            return fitting
        named = [key for key in fitting if key.key_id == key_id]
        return named or [key for key in fitting if key.key_id is None]

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __repr__(self) -> str:
        return f"KeySet({list(self._keys)!r})"


def secret_key(secret: str | bytes) -> Key:
    """An HS256 key from a shared secret. Raises :class:`ConfigError` when it is too short to be safe, or a public key or certificate."""
    try:
        # An environment variable that is not UTF-8 comes with its bytes escaped (PEP 383).
        material = secret.encode(errors="surrogateescape") if isinstance(secret, str) else secret
    except UnicodeEncodeError:
        raise ConfigError("auth secret is not a valid text") from None
    if len(material) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"auth secret has {len(material)} bytes, at least {MIN_SECRET_BYTES} are needed (try: openssl rand -hex 32)"
        )
    try:
        jwt.get_algorithm_by_name("HS256").prepare_key(material)
    except jwt.InvalidKeyError as error:
        raise ConfigError(
            "auth secret is a key of another kind (PEM, DER, SSH or JWK); a public key has its own option"
        ) from error
    return Key("HS256", material)


def public_key(pem: bytes, *, name: str = "public key") -> Key:
    """A verification key from PEM: RSA, EC P-256 or Ed25519. Raises :class:`ConfigError` naming `name`."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{name}: no public key in PEM form ({error})") from error
    return _asymmetric(key, None, name)


def private_key(pem: bytes, *, name: str = "private key") -> Key:
    """A signing key from PEM (not encrypted). Raises :class:`ConfigError` naming `name`."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{name}: no private key in PEM form without a password ({error})") from error
    return _asymmetric(key, None, name)


def jwks_keys(document: Mapping[str, Any], *, name: str = "JWKS") -> list[Key]:
    """The signature keys of a JSON Web Key Set (RFC 7517); keys of other kinds or uses are passed over.

    Raises :class:`ConfigError` when it is no key set or holds no key that can be used. Symmetric and private keys are passed over: who
    publishes one has given it away.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise ConfigError(f"{name}: not a key set, it has no list 'keys'")
    keys = [key for entry in entries if isinstance(entry, dict) and (key := _jwk(entry, name)) is not None]
    if not keys:
        raise ConfigError(f"{name}: holds no RS256, ES256 or EdDSA signature key")
    return keys


def _jwk(entry: dict[str, Any], name: str) -> Key | None:
    if entry.get("use", "sig") != "sig" or entry.get("kty") not in ("RSA", "EC", "OKP") or "d" in entry:
        return None
    key_id = entry.get("kid")
    try:
        key = _asymmetric(jwt.PyJWK(entry).key, key_id if isinstance(key_id, str) else None, name)
    except (jwt.PyJWTError, ConfigError, UnsupportedAlgorithm, ValueError, TypeError):
        return None  # one key we cannot use must not lock out those signed with the others
    return key if entry.get("alg", key.algorithm) == key.algorithm else None


def _asymmetric(key: object, key_id: str | None, name: str) -> Key:
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        if key.key_size < MIN_RSA_BITS:
            raise ConfigError(f"{name}: an RSA key of {key.key_size} bits, at least {MIN_RSA_BITS} are needed")
        return Key("RS256", key, key_id)
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return Key("ES256", key, key_id)
    if isinstance(key, ed25519.Ed25519PublicKey | ed25519.Ed25519PrivateKey):
        return Key("EdDSA", key, key_id)
    raise ConfigError(f"{name}: {type(key).__name__} is not supported; use RSA (RS256), EC P-256 (ES256) or Ed25519 (EdDSA)")
