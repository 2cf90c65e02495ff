"""What the core wants done to a socket. With the outputs of :mod:`coordinator.core.cluster` that is all it ever wants."""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.core.cluster import ClusterOutput
from protocol.codes import Code
from protocol.tokens import Claims


@dataclass(frozen=True, slots=True)
class Wake:
    """Frames wait for this socket: take them with `Coordinator.take` until there are none."""

    key: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a WebSocket ping; whatever comes back, report it with `Coordinator.heard`."""

    key: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close this socket. The core has already forgotten it: nothing more is sent to it, and nothing from it is heard."""

    key: int
    code: Code
    reason: str


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Whoever else has come in with such a token, and is no peer of the core (dashboards, peer-to-peer sockets), is to be closed."""

    code: Code
    subject: str = ""
    """Empty: it is about one token."""
    token_id: str = ""
    """Empty: it is about all tokens of a subject."""

    def concerns(self, claims: Claims) -> bool:
        """Whether it is about the bearer of these; never about the anonymous."""
        if self.subject:
            return claims.subject == self.subject
        return self.token_id != "" and claims.token_id == self.token_id


SocketOutput = Wake | Ping | Close
Output = SocketOutput | ClusterOutput | Dismiss
