"""The states of a client as data: the table of what may follow what, one setter, one log line."""

from __future__ import annotations

import enum
import logging

logger = logging.getLogger(__name__)


class ClientState(enum.Enum):
    """Where a client is in its life. The browser SDK has the same names."""

    NEW = "new"
    """Made, not yet asked to connect."""
    CONNECTING = "connecting"
    """On the way to its first connection."""
    CONNECTED = "connected"
    """Joined to a comm server: packets flow. The coordinator's socket may be away meanwhile."""
    RECONNECTING = "reconnecting"
    """Was connected, lost it, and is on its way to the next connection; subscriptions are kept."""
    CLOSED = "closed"
    """The end: closed by the application, or told not to come back."""


TRANSITIONS: dict[ClientState, frozenset[ClientState]] = {
    ClientState.NEW: frozenset({ClientState.CONNECTING, ClientState.CLOSED}),
    ClientState.CONNECTING: frozenset({ClientState.CONNECTED, ClientState.CLOSED}),
    ClientState.CONNECTED: frozenset({ClientState.RECONNECTING, ClientState.CLOSED}),
    ClientState.RECONNECTING: frozenset({ClientState.CONNECTED, ClientState.CLOSED}),
    ClientState.CLOSED: frozenset(),
}


class Lifecycle:
    """Holds the state of one client; :meth:`to` is the only way to change it."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = ClientState.NEW

    @property
    def state(self) -> ClientState:
        """The present state."""
        return self._state

    def to(self, state: ClientState, why: str, *, alias: int) -> bool:
        """Change the state and log it; False where it is that state already.

        Raises RuntimeError for a change outside the table: a fault of ours.
        """
        if state is self._state:
            return False
        if state not in TRANSITIONS[self._state]:
            raise RuntimeError(f"a client cannot go from {self._state.value} to {state.value}")
        logger.info("client %d: %s -> %s (%s)", alias, self._state.value, state.value, why)
        self._state = state
        return True
