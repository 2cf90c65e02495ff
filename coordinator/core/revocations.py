"""Tokens that are refused although they are genuine: all that the cluster knows of, whichever coordinator made them.

Of two about the same tokens the later one counts, so it does not matter in which order and how often coordinators tell one another.
"""

from __future__ import annotations

import logging

from coordinator.core.cluster import MAX_REVOCATIONS, Revocation, TokenName
from protocol.tokens import Claims

log = logging.getLogger(__name__)

Key = tuple[TokenName, str]

STEP_S = 0.001
"""By how much a revocation is later than the one it replaces, where the clocks of two coordinators would have it earlier."""


class Revocations:
    """The last word on each subject and token id; what has ended is as if it had never been."""

    def __init__(self, most: int = MAX_REVOCATIONS) -> None:
        self._most = most
        self._known: dict[Key, Revocation] = {}

    def make(self, name: TokenName, value: str, until: float, now: float) -> Revocation:
        """A revocation that counts from now on, in place of any before; to be given to :meth:`take`."""
        return Revocation(name, value, until, self._next(name, value, now))

    def lifting(self, name: TokenName, value: str, now: float) -> Revocation | None:
        """What takes the one in force back, to be given to :meth:`take`; None where there is none."""
        known = self.get((name, value), now)
        if known is None or known.lifted:
            return None
        return Revocation(name, value, known.until, self._next(name, value, now), lifted=True)

    def take(self, revocation: Revocation, now: float) -> bool:
        """Note one; False when it changes nothing: it is known, something later is, or it has ended."""
        known = self.get(revocation.key, now)
        if known is not None and not revocation.supersedes(known):
            return False
        if revocation.until <= now:
            return self._known.pop(revocation.key, None) is not None
        self._known[revocation.key] = revocation
        self._make_room(now)
        return True

    def has_room(self, key: Key, now: float) -> bool:
        """Whether one about `key` can be taken without another being given up."""
        if key in self._known or len(self._known) < self._most:
            return True
        self._forget_ended(now)
        return len(self._known) < self._most or any(each.lifted for each in self._known.values())

    def refuses(self, claims: Claims, now: float) -> bool:
        """Whether a token that says this is revoked."""
        return self.refuses_bearer(claims.subject, claims.token_id, now)

    def refuses_bearer(self, subject: str, token_id: str, now: float) -> bool:
        """The same, by what of it is kept."""
        return self._is_refused(("subject", subject), now) or self._is_refused(("jti", token_id), now)

    def get(self, key: Key, now: float) -> Revocation | None:
        """The last word on `key`, lifted or not."""
        known = self._known.get(key)
        return known if known is not None and known.until > now else None

    def all(self, now: float) -> list[Revocation]:
        """All that have not ended, with those that were lifted, the first to end first."""
        living = [each for each in self._known.values() if each.until > now]
        return sorted(living, key=lambda each: (each.until, each.key))

    def in_force(self, now: float) -> list[Revocation]:
        """Those by which tokens are refused."""
        return [each for each in self.all(now) if not each.lifted]

    def _is_refused(self, key: Key, now: float) -> bool:
        known = self._known.get(key)
        return known is not None and not known.lifted and known.until > now

    def _next(self, name: TokenName, value: str, now: float) -> float:
        known = self._known.get((name, value))
        return now if known is None else max(now, known.made_at + STEP_S)

    def _forget_ended(self, now: float) -> None:
        self._known = {key: each for key, each in self._known.items() if each.until > now}

    def _make_room(self, now: float) -> None:
        """What was lifted goes first, then what ends first: two coordinators that fill up at once may hand over more than there is room for."""
        if len(self._known) > self._most:
            self._forget_ended(now)
        while len(self._known) > self._most:
            given_up = min(self._known.values(), key=lambda each: (not each.lifted, each.until, each.key))
            del self._known[given_up.key]
            if not given_up.lifted:
                log.warning("more than %d revocations: the one that would have ended first is given up", self._most)

    def __len__(self) -> int:
        return len(self._known)
