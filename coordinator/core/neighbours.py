"""Which servers here are to hear again whom they should be linked with, and when.

A server hears it in its WELCOME, and the newcomer dials: so those that were there need not be told of it. Two things that rule does not
cover:

* **The last hub went, or drains.** Plain servers that came while there was a hub know of no other plain server: they are told at once. In a
  drain they link with each other before the hub ends.
* **A server came elsewhere.** It and one that comes here at the same moment may each be missing in the other's list, for coordinators
  learn of each other's servers a little later. A moment after each such arrival the servers it concerns hear of it. Those that are
  linked with it by then do nothing.
"""

from __future__ import annotations

from coordinator.core.cluster import ServerState
from coordinator.core.servers import Servers
from protocol.tokens import TokenRole

_HUB = TokenRole.COMMUNICATION_SERVER_HUB

SETTLE_S = 2.0
"""After a server came elsewhere: it has dialed by then. Arrivals in between are told together."""


class Neighbours:
    """Remembers who is to be told, by alias."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._due: dict[int, float] = {}

    def came_elsewhere(self, alias: int, now: float) -> None:
        """A server that was not known before, at another coordinator; it is in the directory already."""
        newcomer, star = self._servers.get(alias), self._servers.has_hub()
        for here in self._servers.here():
            if newcomer is not None and (not star or _HUB in (here.role, newcomer.role)):
                self._due.setdefault(here.alias, now + SETTLE_S)

    def reported(self, before: ServerState | None, state: ServerState, now: float) -> None:
        """A server came or reported; it is in the directory already, where it was as `before` says."""
        if state.draining and not (before is not None and before.draining):
            self.went(state.role, now)

    def went(self, role: TokenRole, now: float) -> None:
        """A server of that role is in the directory no more, or not for long."""
        if role is not _HUB or self._servers.has_hub():
            return
        for here in self._servers.here():
            self._due[here.alias] = now

    def told(self, alias: int) -> None:
        """That server has just heard whom there is; or it is gone."""
        self._due.pop(alias, None)

    def due(self, now: float) -> list[int]:
        """Who is to be told now; they count as told."""
        found = [alias for alias, when in self._due.items() if when <= now]
        for alias in found:
            del self._due[alias]
        return found

    def next_deadline(self) -> float | None:
        """When somebody is due."""
        return min(self._due.values(), default=None)
