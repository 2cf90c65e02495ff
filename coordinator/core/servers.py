"""All comm servers of the cluster, here and at other coordinators: who takes clients, and how busy each is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from coordinator.core.cluster import ServerState
from coordinator.core.selector import Candidate, load_of
from protocol.tokens import TokenRole

Condition = Literal["ready", "linking", "full", "draining", "stale"]
"""Whether a server gets new clients: only a ready one does."""

CONDITIONS: tuple[Condition, ...] = get_args(Condition)

_HUB = TokenRole.COMMUNICATION_SERVER_HUB


@dataclass(slots=True)
class _Entry:
    state: ServerState
    node: str | None  # None: its socket is here
    reported_at: float
    sent_since: int = 0  # clients sent to it since its last report, which does not count them yet


class Servers:
    """The directory of servers. A server that speaks Part 2 and has not reported for `status_timeout` seconds gets no new clients."""

    def __init__(self, status_timeout: float) -> None:
        self._status_timeout = status_timeout
        self._entries: dict[int, _Entry] = {}

    def update(self, state: ServerState, now: float, node: str | None = None) -> None:
        """A server came, or reported."""
        self._entries[state.alias] = _Entry(state, node, now)

    def remove(self, alias: int, node: str | None = None) -> bool:
        """A server went from that coordinator; False where it is not there (it may have come back elsewhere in the meantime)."""
        entry = self._entries.get(alias)
        if entry is None or entry.node != node:
            return False
        del self._entries[alias]
        return True

    def get(self, alias: int) -> ServerState | None:
        """What is known of that server."""
        entry = self._entries.get(alias)
        return entry.state if entry else None

    def client_sent(self, alias: int) -> None:
        """A client is on its way to that server."""
        if alias in self._entries:
            self._entries[alias].sent_since += 1

    def candidates(self, now: float) -> list[Candidate]:
        """The servers that take clients."""
        return [
            Candidate(alias, load_of(entry.state.clients + entry.sent_since, entry.state.max_clients, entry.state.cpu))
            for alias, entry in self._entries.items()
            if self._condition(entry, now) == "ready"
        ]

    def aliases(self) -> Iterable[int]:
        """All servers, also those that take no clients."""
        return self._entries.keys()

    def neighbours(self, alias: int, role: TokenRole) -> list[int]:
        """Whom the server `alias` is to be linked with, full ones too: everyone in a mesh, but where there are hubs, a plain server
        links with those alone.
        """
        others = [entry.state for other, entry in self._entries.items() if other != alias]
        if role is not _HUB and self.has_hub(besides=alias):
            others = [state for state in others if _stays_hub(state)]
        return [state.alias for state in others]

    def has_hub(self, besides: int = 0) -> bool:
        """Whether there is a hub, other than `besides`, that is not about to end."""
        return any(alias != besides and _stays_hub(entry.state) for alias, entry in self._entries.items())

    def ending_hubs(self) -> list[int]:
        """The hubs that drain, where no other is left to take over from them."""
        if self.has_hub():
            return []
        return [alias for alias, entry in self._entries.items() if entry.state.role is _HUB]

    def here(self) -> list[ServerState]:
        """The servers whose sockets are at this coordinator."""
        return [entry.state for entry in self._entries.values() if entry.node is None]

    def condition(self, alias: int, now: float) -> Condition:
        """Of that server; one that is not there is stale."""
        entry = self._entries.get(alias)
        return self._condition(entry, now) if entry else "stale"

    def conditions(self, now: float) -> dict[Condition, int]:
        """How many there are of each."""
        counts: dict[Condition, int] = dict.fromkeys(CONDITIONS, 0)
        for entry in self._entries.values():
            counts[self._condition(entry, now)] += 1
        return counts

    def home(self, alias: int) -> str | None:
        """The other coordinator that has the server's socket; None where it is here, or nowhere."""
        entry = self._entries.get(alias)
        return entry.node if entry else None

    def _condition(self, entry: _Entry, now: float) -> Condition:
        if entry.state.part2 and now - entry.reported_at > self._status_timeout:
            return "stale"
        if entry.state.draining:
            return "draining"
        if entry.state.linking:
            return "linking"
        return "full" if entry.state.is_full else "ready"

    def __contains__(self, alias: object) -> bool:
        return alias in self._entries

    def __len__(self) -> int:
        return len(self._entries)


def _stays_hub(state: ServerState) -> bool:
    return state.role is _HUB and not state.draining
