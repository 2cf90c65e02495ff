"""Which comm server to try next: the coordinator's list in its order, each once a round."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class ServerList:
    """The servers of the last WELCOME, and those not yet tried in this round."""

    def __init__(self) -> None:
        self._known: tuple[int, ...] = ()
        self._left: deque[int] = deque()
        self._is_fresh = False

    def refresh(self, servers: Iterable[int]) -> None:
        """Take a WELCOME's list, the chosen server first, and begin a round with it."""
        self._known = tuple(dict.fromkeys(server for server in servers if server))
        self._left = deque(self._known)
        self._is_fresh = True

    def restart(self, *, first: int = 0, without: int = 0) -> None:
        """Begin a round after a server was lost: with it `first`, because it asked us to come again, or `without` it."""
        self._left = deque(server for server in self._known if server not in (first, without))
        if first in self._known:
            self._left.appendleft(first)
        self._is_fresh = False

    @property
    def has_more(self) -> bool:
        """Whether there is more to try should the present server not do: in this round, or else in a newer list than it goes by."""
        return bool(self._left) or not self._is_fresh

    def next(self) -> int | None:
        """The next server of the round; None when all were tried."""
        return self._left.popleft() if self._left else None
