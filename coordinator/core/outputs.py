"""What the core wants done to a socket. With the outputs of :mod:`coordinator.core.cluster` that is all it ever wants."""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.core.cluster import ClusterOutput
from protocol.codes import Code


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


SocketOutput = Wake | Ping | Close
Output = SocketOutput | ClusterOutput
