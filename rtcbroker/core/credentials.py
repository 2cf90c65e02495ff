"""The client's token: when a fresh one is due, and what to do when it was refused."""

from __future__ import annotations

from protocol.codes import Code
from protocol.tokens import peek_expiry

AUTH_CODES = frozenset({Code.AUTH_FAILED, Code.TOKEN_EXPIRED, Code.TOKEN_NOT_YET_VALID, Code.WRONG_ROLE})
"""Refusals that another token may turn."""

_RENEW_AT = 0.8
"""Share of a token's life after which a fresh one is asked for: the rest is for tries that fail."""

_RETRY_S = 5.0
"""Between two tries to renew, where the token lives long enough for that."""

_MIN_RETRY_S = 0.5


class Credentials:
    """One client's token, and whether another can be had (`renewable`: the application gave a function)."""

    def __init__(self, token: str | None, *, renewable: bool) -> None:
        self.token = token or ""
        self.renewable = renewable
        self.asked = False
        """A token was asked for and has not come yet."""
        self._renew_at: float | None = None
        self._expires_at: float | None = None
        self._stale = renewable
        self._second_chance = True

    def is_due(self, now: float) -> bool:
        """Whether a fresh token is wanted before the present one is shown to anyone."""
        return self.renewable and (self._stale or (self._renew_at is not None and self._renew_at <= now))

    @property
    def renew_at(self) -> float | None:
        """When to ask for the next token while a connection lives; None for never, or while one is being asked for."""
        return None if self.asked or not self.renewable else self._renew_at

    def received(self, token: str, now: float) -> None:
        """The application gave a token."""
        self.token = token
        self.asked = self._stale = False
        # With --auth none and for tokens that are no JWT there is nothing to renew.
        self._expires_at = peek_expiry(token) if token else None
        self._renew_at = None if self._expires_at is None else now + max(_MIN_RETRY_S, _RENEW_AT * (self._expires_at - now))

    def failed(self, now: float) -> None:
        """The application could not give one; asked again while there still is time, more often as time runs out."""
        self.asked = False
        left = (self._expires_at or now) - now
        self._renew_at = now + max(_MIN_RETRY_S, min(_RETRY_S, left / 3))

    def refused(self) -> bool:
        """The token was refused. Returns whether there is a second chance with a fresh one: once between two successes."""
        if not self.renewable or not self._second_chance:
            return False
        self._second_chance = False
        self._stale = True
        return True

    def void(self) -> None:
        """The token was refused where that decides nothing: show a fresh one next time."""
        self._stale = self.renewable

    def accepted(self) -> None:
        """The server took the token."""
        self._second_chance = True
