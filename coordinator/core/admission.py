"""Who may come in, and as what; decided before the WebSocket upgrade, so that a refusal is a plain HTTP answer.

A client comes by ``/connect`` and needs a token with role CLIENT. A server comes by ``/discover?role=R`` and needs a token with
exactly the role R: a client's token never makes a server. Where the cluster runs without authentication, the path alone decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from protocol.codes import Code
from protocol.errors import TokenError
from protocol.limits import MAX_ALIAS
from protocol.tokens import Claims, TokenRole

CONNECT_PATH = "/connect"
DISCOVER_PATH = "/discover"

MAX_PROOF_CHARS = 128


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a peer may not come in: an HTTP status, a code of ours, a sentence."""

    status: int
    code: Code
    detail: str


@dataclass(frozen=True, slots=True)
class AliasWish:
    """The alias a peer had before, and its proof (empty where it has none)."""

    alias: int
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Admission:
    """A peer that may come in."""

    role: TokenRole
    subject: str = ""
    """Of its verified token; empty where there is no authentication."""
    part2: bool = False
    """It speaks Part 2 of the wire (`v=2`)."""
    wish: AliasWish | None = None
    expires_at: float = math.inf
    """When its token ends, in seconds since the epoch."""
    token_id: str = ""
    """Of its token (`jti`), by which that one may be revoked; empty where it has none."""
    request_id: str = ""
    """By which its join is found in logs."""

    @property
    def is_verified(self) -> bool:
        """It brought a token."""
        return self.subject != ""


def wanted_role(path: str, query: Mapping[str, str]) -> TokenRole | Refusal:
    """What a peer wants to be, from where it knocks."""
    if path == CONNECT_PATH:
        return TokenRole.CLIENT
    role = query.get("role", "")
    if role in (TokenRole.COMMUNICATION_SERVER, TokenRole.COMMUNICATION_SERVER_HUB):
        return TokenRole(role)
    return Refusal(
        400,
        Code.BAD_MESSAGE,
        f"role={role[:40]!r}: {DISCOVER_PATH} is for servers, with role=COMMUNICATION_SERVER or role=COMMUNICATION_SERVER_HUB",
    )


def bearer_token(query: Mapping[str, str], authorization: str | None) -> str:
    """The token of ``Authorization: Bearer`` (RFC 6750 section 2.1) or of ``access_token`` (section 2.3); empty where there is none.

    Browsers cannot set headers on a WebSocket, so both are taken; the header counts where both are given.
    """
    if authorization is not None:
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
    return query.get("access_token", "").strip()


def alias_wish(query: Mapping[str, str]) -> AliasWish | Refusal | None:
    """The alias a peer asks for with ``alias=N`` and ``resume=PROOF``; None where it asks for none."""
    text = query.get("alias")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 13 and 0 < int(text) <= MAX_ALIAS):
        return Refusal(400, Code.BAD_MESSAGE, f"alias={text[:20]!r}: must be a number from 1 to {MAX_ALIAS}")
    proof = query.get("resume", "")
    if len(proof) > MAX_PROOF_CHARS:
        return Refusal(400, Code.BAD_MESSAGE, f"resume: longer than {MAX_PROOF_CHARS} characters")
    return AliasWish(int(text), proof)


def admit(role: TokenRole, claims: Claims, *, part2: bool, wish: AliasWish | None, request_id: str = "") -> Admission | Refusal:
    """Let in whoever's claims say exactly the role it wants."""
    if claims.role is not role:
        return Refusal(403, Code.WRONG_ROLE, f"the token's role is {claims.role}, {role} is needed here")
    return Admission(role, claims.subject, part2, wish, claims.expires_at, claims.token_id, request_id)


NO_TOKEN = Refusal(401, Code.AUTH_FAILED, "a token is needed: '?access_token=..' or 'Authorization: Bearer ..'")


def refused_token(error: TokenError) -> Refusal:
    """The refusal for a token that did not verify."""
    if error.code is Code.TOKEN_UNVERIFIABLE:
        return Refusal(503, error.code, error.detail)  # not the bearer's fault: it should come again
    return Refusal(403 if error.code is Code.WRONG_ROLE else 401, error.code, error.detail)
