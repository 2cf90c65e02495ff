"""Tokens: who a peer is, for how long, and what it may publish and subscribe to.

A token is a JWT (RFC 7519)::

    {"sub": "alice", "role": "CLIENT", "exp": 1767225600, "aud": "rtcbroker", "iss": "...", "jti": "...",
     "grants": {"pub": ["room/1/*"], "sub": ["room/**"]}}

``sub``, ``role``, ``exp`` and ``aud`` are required. A token without ``grants`` may neither publish nor subscribe: access is what the
token says and nothing else. The grants lie in an object of their own because ``sub`` at the top is the subject.
"""

from __future__ import annotations

import enum
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from protocol.codes import Code
from protocol.errors import TokenError, TopicError
from protocol.keys import Key, KeySet
from protocol.limits import MAX_TOKEN_BYTES
from protocol.text import is_unicode
from protocol.topics import EVERYTHING, NOTHING, PatternSet

DEFAULT_AUDIENCE = "rtcbroker"
DEFAULT_LEEWAY_S = 30.0
"""Clock difference tolerated for `exp` and `nbf`, the same at the coordinator and at the comm servers."""

MAX_SUBJECT_BYTES = 256
MAX_GRANTS = 256


class TokenRole(enum.StrEnum):
    """What a token lets its bearer be. The names of the wire's roles, and ADMIN for people who look after the cluster."""

    CLIENT = "CLIENT"
    COMMUNICATION_SERVER = "COMMUNICATION_SERVER"
    COMMUNICATION_SERVER_HUB = "COMMUNICATION_SERVER_HUB"
    ADMIN = "ADMIN"

    @property
    def is_server(self) -> bool:
        """Whether the bearer is a comm server, hub or not."""
        return self in (TokenRole.COMMUNICATION_SERVER, TokenRole.COMMUNICATION_SERVER_HUB)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    subject: str
    role: TokenRole
    expires_at: float
    """Seconds since the epoch; ``math.inf`` for the anonymous."""
    publish: PatternSet = NOTHING
    subscribe: PatternSet = NOTHING
    token_id: str = ""
    issuer: str = ""

    @property
    def is_anonymous(self) -> bool:
        """There was no token: the cluster runs without authentication."""
        return not self.subject


def anonymous(role: TokenRole) -> Claims:
    """What everyone may do where the cluster runs with ``--auth none``."""
    return Claims("", role, math.inf, EVERYTHING, EVERYTHING)


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """How tokens are judged; the same at the coordinator and at every comm server."""

    keys: KeySet
    audience: str = DEFAULT_AUDIENCE
    issuer: str | None = None
    """The only issuer accepted, or None for any."""
    leeway_s: float = DEFAULT_LEEWAY_S


def verify(token: str, policy: TokenPolicy, now: float) -> Claims:
    """Verify `token` at `now` (seconds since the epoch).

    Raises :class:`TokenError` with AUTH_FAILED, TOKEN_EXPIRED, TOKEN_NOT_YET_VALID or WRONG_ROLE (RFC 8725 throughout).
    """
    payload = _checked_payload(token, policy)
    _check_times(payload, policy.leeway_s, now)
    _check_audience(payload, policy)
    grants = payload.get("grants", {})
    if not isinstance(grants, dict):
        raise TokenError(Code.AUTH_FAILED, "the token's 'grants' is not an object")
    return Claims(
        subject=_subject(payload),
        role=_role(payload),
        expires_at=float(payload["exp"]) + policy.leeway_s,
        publish=_patterns(grants, "pub"),
        subscribe=_patterns(grants, "sub"),
        token_id=_text(payload, "jti"),
        issuer=_text(payload, "iss"),
    )


def sign(
    key: Key,
    *,
    subject: str,
    role: TokenRole,
    now: float,
    lifetime_s: float,
    publish: Sequence[str] = (),
    subscribe: Sequence[str] = (),
    audience: str = DEFAULT_AUDIENCE,
    issuer: str | None = None,
    token_id: str | None = None,
) -> str:
    """Sign a token with a private key or shared secret; `now` and `lifetime_s` in seconds.

    Raises :class:`TopicError` for a pattern outside the grammar and ValueError for what :func:`verify` would refuse: no subject or one
    too long, a lifetime that is not positive, too many patterns, a token too long; and for a key that cannot sign.
    """
    if not key.can_sign:
        raise ValueError("a token is signed with a private key or a shared secret, not with a public key")
    if not 0 < len(subject.encode()) <= MAX_SUBJECT_BYTES:
        raise ValueError(f"a token needs a subject of at most {MAX_SUBJECT_BYTES} bytes")
    if not 0 < lifetime_s < math.inf:
        raise ValueError("a token needs a positive lifetime")
    for patterns in (publish, subscribe):
        PatternSet(patterns)
        if len(patterns) > MAX_GRANTS:
            raise ValueError(f"a token has room for {MAX_GRANTS} patterns of each kind")
    payload: dict[str, Any] = {
        "sub": subject,
        "role": role.value,
        "aud": audience,
        "iat": int(now),
        "exp": math.ceil(now + lifetime_s),
        "jti": token_id or uuid.uuid4().hex,
        "grants": {"pub": list(publish), "sub": list(subscribe)},
    }
    if issuer is not None:
        payload["iss"] = issuer
    headers = {"kid": key.key_id} if key.key_id else None
    token = jwt.encode(payload, key.material, algorithm=key.algorithm, headers=headers)
    if len(token) > MAX_TOKEN_BYTES:
        raise ValueError(
            f"the token would have {len(token)} bytes, at most {MAX_TOKEN_BYTES} are accepted: grant fewer or wider patterns"
        )
    return token


def peek_expiry(token: str) -> float | None:
    """When `token` says it expires, without verifying anything: for its bearer, who wants to renew it in time."""
    return _number(_peek(token).get("exp"))


def peek_lifetime(token: str) -> float | None:
    """Seconds from the making of `token` (or the beginning of its validity) to its expiry, if it tells: whatever the bearer's clock says."""
    payload = _peek(token)
    expiry, made = _number(payload.get("exp")), _number(payload.get("iat"))
    begins = _number(payload.get("nbf")) if made is None else made
    return expiry - begins if expiry is not None and begins is not None and expiry > begins else None


def _peek(token: str) -> Mapping[str, Any]:
    try:
        payload: Mapping[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError):
        return {}
    return payload


def _checked_payload(token: str, policy: TokenPolicy) -> Mapping[str, Any]:
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenError(Code.AUTH_FAILED, f"the token is longer than {MAX_TOKEN_BYTES} bytes")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenError(Code.AUTH_FAILED, "not a token (JWT)") from error
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in policy.keys.algorithms:
        raise TokenError(Code.AUTH_FAILED, f"the token's algorithm {str(algorithm)[:20]!r} is not accepted here")
    for key in policy.keys.candidates(algorithm, key_id if isinstance(key_id, str) else None):
        try:
            payload = jwt.decode(token, key.material, algorithms=[algorithm], options=_SIGNATURE_ONLY)
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise TokenError(Code.AUTH_FAILED, "the token is malformed") from error
        return payload
    raise TokenError(Code.AUTH_FAILED, "the token is signed with none of the keys known here")


# Times, audience and issuer are checked below, against the `now` that was passed in.
_SIGNATURE_ONLY: Any = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}


def _check_times(payload: Mapping[str, Any], leeway: float, now: float) -> None:
    expiry, not_before = _number(payload.get("exp")), _number(payload.get("nbf", 0))
    if expiry is None:
        raise TokenError(Code.AUTH_FAILED, "the token has no expiry ('exp')")
    if not_before is None:
        raise TokenError(Code.AUTH_FAILED, "the token's 'nbf' is not a number")
    if now >= expiry + leeway:
        raise TokenError(Code.TOKEN_EXPIRED, "the token has expired")
    if now < not_before - leeway:
        raise TokenError(Code.TOKEN_NOT_YET_VALID, "the token is not valid yet")


def _check_audience(payload: Mapping[str, Any], policy: TokenPolicy) -> None:
    audience = payload.get("aud")
    if policy.audience not in (audience if isinstance(audience, list) else [audience]):
        raise TokenError(Code.AUTH_FAILED, "the token is for another audience ('aud')")
    if policy.issuer is not None and payload.get("iss") != policy.issuer:
        raise TokenError(Code.AUTH_FAILED, "the token is from another issuer ('iss')")


def _subject(payload: Mapping[str, Any]) -> str:
    subject = _text(payload, "sub")
    if not subject:
        raise TokenError(Code.AUTH_FAILED, "the token names no subject ('sub')")
    if len(subject.encode()) > MAX_SUBJECT_BYTES:
        raise TokenError(Code.AUTH_FAILED, f"the token's subject is longer than {MAX_SUBJECT_BYTES} bytes")
    return subject


def _text(payload: Mapping[str, Any], claim: str) -> str:
    """A text claim, empty where there is none."""
    value = payload.get(claim, "")
    if not isinstance(value, str) or not is_unicode(value):
        raise TokenError(Code.AUTH_FAILED, f"the token's '{claim}' is not a text")
    return value


def _role(payload: Mapping[str, Any]) -> TokenRole:
    try:
        return TokenRole(payload.get("role", ""))
    except ValueError as error:
        raise TokenError(Code.WRONG_ROLE, f"the token's role is none of {', '.join(TokenRole)}") from error


def _patterns(grants: Mapping[str, Any], name: str) -> PatternSet:
    patterns = grants.get(name, [])
    if not isinstance(patterns, list) or len(patterns) > MAX_GRANTS or not all(isinstance(p, str) for p in patterns):
        raise TokenError(Code.AUTH_FAILED, f"the token's grant '{name}' is not a list of at most {MAX_GRANTS} patterns")
    try:
        return PatternSet(patterns)
    except TopicError as error:
        raise TokenError(Code.AUTH_FAILED, f"the token's grant '{name}': {error.detail}") from error


def _number(value: object) -> float | None:
    """`value` as a finite number: JSON also brings booleans, texts, whole numbers beyond any float and, in Python, NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
