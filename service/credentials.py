"""Where a process that must bring a token gets it from: given once, from a file that someone renews, or signed by itself.

Synchronous and small: a token is asked for when a connection is made, and again at `renew_at` to be presented on a living one.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from protocol.errors import ConfigError
from protocol.keys import Key
from protocol.tokens import DEFAULT_AUDIENCE, TokenRole, peek_expiry, sign
from service.keys import shared_secret
from service.settings import ServiceSettings

log = logging.getLogger(__name__)

MINTED_LIFETIME_S = 600.0
"""Of a token signed by the process itself: short, since it is renewed without anyone's help."""

RENEW_BEFORE_S = 60.0
"""How long before its expiry a token of a file is looked for again: someone else renews it, and may be a little late."""

FILE_POLL_S = 10.0
"""Between looks at a file whose token is about to expire."""


class TokenSource(Protocol):
    """Gives a token whenever one is needed; all times are `now`, in seconds since the epoch."""

    def token(self, now: float) -> str:
        """The token to present now; empty where there is no authentication."""
        ...

    def renew_at(self, now: float) -> float:
        """When to ask again and present the answer on a living link; ``math.inf`` for never."""
        ...


class StaticToken:
    """One token for ever, or none (empty)."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, now: float) -> str:
        """The token."""
        return self._token

    def renew_at(self, now: float) -> float:
        """Never: there is no other."""
        return math.inf


class FileToken:
    """The token in a file, read again whenever the file changes."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`ConfigError` when the file cannot be read or is empty."""
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._token = ""
        try:
            self._reload()
        except OSError as error:
            raise ConfigError(f"token file {path}: cannot be read ({error.strerror})") from error
        if not self._token:
            raise ConfigError(f"token file {path}: is empty")

    def token(self, now: float) -> str:
        """The token as it stands in the file; the last one while the file is away or empty."""
        try:
            self._reload()
        except OSError as error:
            log.warning("token file %s cannot be read (%s); the last token stays in use", self._path, error.strerror)
        return self._token

    def renew_at(self, now: float) -> float:
        """A minute before the expiry; from then on every FILE_POLL_S until the file holds a newer token."""
        expiry = peek_expiry(self.token(now))
        return math.inf if expiry is None else max(expiry - RENEW_BEFORE_S, now + FILE_POLL_S)

    def _reload(self) -> None:
        status = self._path.stat()
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        if stamp != self._stamp:
            # ASCII with replacement: bytes that are no token make a token that is refused, not a crash.
            self._token = self._path.read_bytes().strip().decode("ascii", "replace") or self._token
            self._stamp = stamp


class MintedToken:
    """Tokens signed here, each used for two thirds of its life."""

    def __init__(
        self,
        key: Key,
        role: TokenRole,
        subject: str,
        lifetime_s: float = MINTED_LIFETIME_S,
        *,
        audience: str = DEFAULT_AUDIENCE,
        issuer: str | None = None,
    ) -> None:
        self._key = key
        self._role = role
        self._subject = subject
        self._lifetime_s = lifetime_s
        self._audience = audience
        self._issuer = issuer
        self._token = ""
        self._renew_at = -math.inf

    def token(self, now: float) -> str:
        """A token with at least a third of its life ahead. It grants every topic."""
        if now >= self._renew_at:
            self._token = sign(
                self._key,
                subject=self._subject,
                role=self._role,
                now=now,
                lifetime_s=self._lifetime_s,
                publish=["**"],
                subscribe=["**"],
                audience=self._audience,
                issuer=self._issuer,
            )
            self._renew_at = now + self._lifetime_s * 2 / 3
        return self._token

    def renew_at(self, now: float) -> float:
        """When two thirds of the present token's life are over."""
        self.token(now)
        return self._renew_at


def token_source(
    settings: ServiceSettings, role: TokenRole, subject: str, *, token: SecretStr | None = None, token_file: Path | None = None
) -> TokenSource:
    """The source a server uses: a token or file it was given, else its own, signed with the shared secret.

    Raises :class:`ConfigError` when there is none of these though authentication is on.
    """
    if token is not None and token_file is not None:
        raise ConfigError("--token and --token-file: give one of them, not both")
    if token is not None:
        return StaticToken(token.get_secret_value())
    if token_file is not None:
        return FileToken(token_file)
    if settings.auth == "none":
        return StaticToken("")
    secret = shared_secret(settings)
    if secret is None:
        raise ConfigError(
            f"a token with role {role} is needed, since there is no shared secret to sign one with: give --token-file"
        )
    return MintedToken(secret, role, subject, audience=settings.auth_audience, issuer=settings.auth_issuer)
