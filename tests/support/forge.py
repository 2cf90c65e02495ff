"""Keys of every kind, made once a run, and tokens that no honest issuer writes."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from protocol.errors import TokenError
from protocol.keys import KeySet, secret_key
from protocol.tokens import TokenPolicy, verify

NOW = 1_800_000_000.0

SECRET = b"a secret of thirty-two bytes, or a few more"
SECRET_KEY = secret_key(SECRET)
POLICY = TokenPolicy(KeySet([SECRET_KEY]), leeway_s=0.0)

GOOD: Mapping[str, Any] = {"sub": "alice", "role": "CLIENT", "aud": "rtcbroker", "exp": NOW + 60}
"""A payload that POLICY accepts at NOW."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@functools.cache
def private(algorithm: str, number: int = 0) -> PrivateKey:
    """A private key for RS256, ES256 or EdDSA, the same for the same arguments (RSA keys take a while to make)."""
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


def private_pem(key: PrivateKey) -> bytes:
    """`key` as an operator has it in a file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: PrivateKey) -> bytes:
    """The public half of `key` as an operator has it in a file."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def base64url(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(payload: Mapping[str, Any] | str, header: Mapping[str, Any] | str | None = None, secret: bytes = SECRET) -> str:
    """A token with exactly this payload and header (objects, or JSON texts that no encoder would write), signed with HMAC-SHA256."""
    signed = ".".join(base64url(_json(part).encode()) for part in ({"alg": "HS256"} if header is None else header, payload))
    return f"{signed}.{base64url(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def _json(part: Mapping[str, Any] | str) -> str:
    return part if isinstance(part, str) else json.dumps(part)


def good_but(**changes: Any) -> dict[str, Any]:
    """A good payload with changes; None takes a claim away."""
    return {claim: value for claim, value in {**GOOD, **changes}.items() if value is not None}


def raw(member: str) -> str:
    """A good payload as a JSON text with one more member, which replaces an earlier one of its name."""
    return f'{{"sub":"alice","role":"CLIENT","aud":"rtcbroker","exp":{int(NOW) + 60},{member}}}'


def refusal(token: str, policy: TokenPolicy = POLICY, now: float = NOW) -> TokenError:
    """Why the token is refused; the test fails where it is not."""
    with pytest.raises(TokenError) as caught:
        verify(token, policy, now)
    return caught.value
