"""Tokens that are refused although they are genuine, until a time that the coordinator says: by subject, or by the token's own id."""

from __future__ import annotations

from protocol.pb import broker_pb2 as pb
from protocol.tokens import Claims

MAX_REVOCATIONS = 10_000
"""Beyond it the one that would end first makes place: better that than to grow without end by a coordinator's fault."""


class Revocations:
    """What is revoked, and until when (seconds since the epoch)."""

    def __init__(self, most: int = MAX_REVOCATIONS) -> None:
        self._most = most
        self._until: dict[tuple[str, str], float] = {}

    def apply(self, message: pb.RevokeMessage, now: float) -> None:
        """Take a REVOKE; one that only disconnects changes nothing here."""
        for key in (("subject", message.subject), ("jti", message.jti)):
            if not key[1]:
                continue
            if message.lifted:
                self._until.pop(key, None)
            elif message.until > now:
                self._until[key] = message.until
        if len(self._until) > self._most:
            self._until = {key: until for key, until in self._until.items() if until > now}
        while len(self._until) > self._most:
            del self._until[min(self._until, key=self._until.__getitem__)]

    def refuses(self, claims: Claims, now: float) -> bool:
        """Whether such a token is refused at `now`."""
        return any(key[1] and self._until.get(key, 0.0) > now for key in (("subject", claims.subject), ("jti", claims.token_id)))

    def __len__(self) -> int:
        return len(self._until)


def is_meant(message: pb.RevokeMessage, alias: int, claims: Claims) -> bool:
    """Whether a REVOKE disconnects a peer of this alias with these claims. What is empty in it matches nobody."""
    if message.lifted:
        return False
    return (
        (bool(message.alias) and message.alias == alias)
        or (bool(message.subject) and message.subject == claims.subject)
        or (bool(message.jti) and message.jti == claims.token_id)
    )
