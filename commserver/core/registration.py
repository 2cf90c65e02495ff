"""Our standing with the coordinator: alias, proof of it, and when to try again. Never gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol import signalling
from protocol.errors import ProtocolError
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from service.backoff import full_jitter

if TYPE_CHECKING:
    import random

BACKOFF_BASE_S = 0.1
BACKOFF_CAP_S = 1.5
"""However long the coordinator was away, we are back within two seconds of its return."""
REFUSED_CAP_S = 10.0
"""Where the coordinator answers but refuses our token, trying so often helps nobody."""


class Registration:
    """What one comm server knows of its place at the coordinator."""

    def __init__(self, role: TokenRole, rng: random.Random) -> None:
        self._role = role
        self._rng = rng
        self._attempts = 0
        self._resume = ""
        self.alias = 0
        """As the last WELCOME gave it; 0 before the first."""

    def query(self) -> dict[str, str]:
        """The query of `/discover`: our role, that we speak Part 2, and which alias we had."""
        query = {"role": self._role.value, "v": "2"}
        if self.alias:
            query |= {"alias": str(self.alias), "resume": self._resume}
        return query

    def frame(self, frame: bytes) -> bool:
        """Look at a frame from the coordinator; returns whether it was a WELCOME."""
        try:
            message = signalling.decode_signal(frame)
        except ProtocolError:
            return False  # the broker handles, and reports, what cannot be read
        if not isinstance(message, pb.WelcomeMessage):
            return False
        self._attempts = 0
        self.alias, self._resume = message.alias, message.resume
        return True

    def wait(self, *, refused: bool) -> float:
        """Seconds until the next try, after the connection was lost or could not be made (`refused`: by HTTP 401 or 403)."""
        self._attempts += 1
        return full_jitter(self._attempts - 1, BACKOFF_BASE_S, REFUSED_CAP_S if refused else BACKOFF_CAP_S, self._rng)
