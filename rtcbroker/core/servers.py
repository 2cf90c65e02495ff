"""Which comm server to try next: the coordinator's list in its order, each once a round."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class ServerList:
    """The servers of the last WELCOME, and those not yet tried in this round."""

    def __init__(self) -> None:
        self._known: tuple[int, ...] = ()
        self._left: deque[int] = deque()

    def refresh(self, servers: Iterable[int]) -> None:
        """Take a WELCOME's list, the chosen server first, and begin a round with it."""
        self._known = tuple(dict.fromkeys(server for server in servers if server))
        self._left = deque(self._known)

    def restart(self, *, first: int = 0, without: int = 0) -> None:
        """Begin a round after a server was lost: with it `first`, because it asked us to come again, or `without` it."""
        self._left = deque(server for server in self._known if server not in (first, without))
        if first in self._known:
            self._left.appendleft(first)

    def next(self) -> int | None:
        """The next server of the round; None when all were tried."""
        return self._left.popleft() if self._left else None
