"""The client's token: when a fresh one is due, and what to do when it was refused."""

from __future__ import annotations

from protocol.codes import Code
from protocol.tokens import peek_expiry, peek_lifetime

AUTH_CODES = frozenset({Code.AUTH_FAILED, Code.TOKEN_EXPIRED, Code.TOKEN_NOT_YET_VALID, Code.WRONG_ROLE, Code.TOKEN_REVOKED})
"""Refusals that another token may turn."""

_RENEW_AT = 0.8
"""Share of a token's life after which a fresh one is asked for: the rest is for tries that fail."""

_PAUSE_S = 5.0
"""Between two asks, whatever a token says; less, as a share of its life, where it lives for less than a minute."""

_MIN_PAUSE_S = 0.5
_PAUSE_SHARE = 0.1

_UNKNOWN_LIFE_S = 60.0
"""What a token is taken to be good for that does not say how long it lives and seems to be over already."""


class Credentials:
    """One client's token, and whether another can be had (`renewable`: the application gave a function)."""

    def __init__(self, token: str | None, *, renewable: bool) -> None:
        self.token = token or ""
        self.renewable = renewable
        self.asked = False
        """A token was asked for and has not come yet."""
        self._renew_at: float | None = None
        self._pause = _PAUSE_S
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
        self._renew_at = None
        expiry = peek_expiry(token) if token else None
        if expiry is None:
            return  # with --auth none and for tokens that are no JWT there is nothing to renew
        lifetime = peek_lifetime(token)
        left = _good_for(expiry - now, lifetime)
        self._pause = max(_MIN_PAUSE_S, min(_PAUSE_S, _PAUSE_SHARE * (lifetime or left)))
        self._renew_at = now + max(self._pause, _RENEW_AT * left)

    def failed(self, now: float) -> None:
        """The application could not give one: asked again after a pause."""
        self.asked = False
        self._renew_at = now + self._pause

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


def _good_for(left: float, lifetime: float | None) -> float:
    """Seconds to go by, of a token that has so many `left` by our own clock.

    That may be hours off, and a token's life is the issuer's to tell: ours can only say that a part of it is over, if that makes sense.
    """
    if left > 0:
        return left if lifetime is None else min(left, lifetime)
    return _UNKNOWN_LIFE_S if lifetime is None else lifetime
