"""How coordinators of one cluster know of one another. With a single coordinator it is a table in memory.

A backplane carries out the :data:`~coordinator.core.cluster.ClusterOutput` of one coordinator and calls its
:class:`BackplaneEvents`. What another implementation has to keep:

- **Claim** is decided atomically in the whole cluster, by :func:`~coordinator.core.cluster.may_have`. The claimer gets ``claimed``;
  a holder that has to give way gets ``evicted``, at its own coordinator. A server that is granted its alias is told to all others in
  the same step, as ServerUp does: of two that come at the same time at two coordinators, one hears of the other.
- **Release** frees an alias only while that very socket holds it; a server that has it goes down.
- **ServerUp, ServerDown** reach all other coordinators, also those that start later (``server_up`` of all that are there, from
  :meth:`Backplane.start`). When a coordinator dies without a word its aliases become free and its servers go down, within a lease.
- **Forward** reaches the coordinator that holds the alias as ``forwarded``; when there is none, or it returns False, the sender gets
  ``undeliverable``. Frames from one peer to another keep their order.
- While :meth:`Backplane.away` gives a reason, Forward, Disconnect and ServerReported reach nobody, and nobody is told of them later: whoever
  asks for one for somebody who would rely on it has to look first, and say so.
- **Revoked** reaches all other coordinators as ``revoked``, also those that start later (all that have not ended, from
  :meth:`Backplane.start`) and those that could not be reached for a while, the sender's own backplane being the one that tells again. The
  last of each :attr:`~coordinator.core.cluster.Revocation.key` counts, by :meth:`~coordinator.core.cluster.Revocation.supersedes`; it
  is kept until its ``until``, also when the coordinator that made it is gone, and lifted ones are kept like others. There are at most
  MAX_REVOCATIONS. They may come twice and in any order: coordinators keep the last by the same rule.
- **Disconnect** should reach all other coordinators that are there (``disconnected``); one that is lost was in vain, and is not repeated.
- **Deed** likewise (``done``).
- **ServerReported** should reach all other coordinators that are there (`server_reported`); each replaces the one before.
- `perform` never waits. What cannot be passed on just now may be dropped: joins run into their deadline, negotiations too.
- A coordinator that cannot reach the others may go on alone and say so (:meth:`Backplane.degraded`). When it is back, of two that hold
  one alias the rule decides as if they had claimed it one after the other, and ``rejoined`` is called.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from coordinator.core.cluster import (
    MAX_REVOCATIONS,
    Claim,
    ClusterOutput,
    Deed,
    Disconnect,
    Forward,
    Holder,
    Release,
    Revocation,
    Revoked,
    ServerDown,
    ServerReported,
    ServerState,
    ServerUp,
    may_have,
    newcomer,
)


class BackplaneEvents(Protocol):
    """What a backplane tells its coordinator. Called from the event loop; each call may be made from inside `perform`."""

    def claimed(self, key: int, alias: int, granted: bool) -> None:
        """The answer to a Claim."""
        ...

    def evicted(self, key: int) -> None:
        """The alias of that socket went to another one."""
        ...

    def forwarded(self, forward: Forward, on_missing: Callable[[Forward], None]) -> None:
        """A frame for a peer that should be here; `on_missing` is called with it when the peer is not."""
        ...

    def undeliverable(self, forward: Forward) -> None:
        """A frame that this coordinator forwarded found nobody."""
        ...

    def server_up(self, state: ServerState, node: str) -> None:
        """A server of another coordinator."""
        ...

    def server_down(self, alias: int, node: str) -> None:
        """It went."""
        ...

    def server_reported(self, alias: int, frame: bytes, node: str) -> None:
        """It sent a SERVER_REPORT."""
        ...

    def revoked(self, revocation: Revocation) -> None:
        """Another coordinator made or lifted a revocation, perhaps long ago."""
        ...

    def disconnected(self, disconnect: Disconnect) -> None:
        """Another coordinator wants somebody disconnected."""
        ...

    def done(self, deed: Deed) -> None:
        """Somebody asked another coordinator for something, and it was done."""
        ...

    def rejoined(self) -> None:
        """The others could not be reached, and can be again; all that is known of them has been told before."""
        ...


@dataclass(frozen=True, slots=True)
class BackplaneStats:
    """How a backplane does; of one in memory nothing ever waits, and nothing is dropped."""

    up: bool = True
    """The others can be reached, if there are any."""
    coordinators: int = 1
    """In the cluster, with this one."""
    round_trip_s: float = 0.0
    """To where the cluster's state is and back, lately."""
    waiting: int = 0
    """Outputs that have not left."""
    outages: int = 0
    """How often the others could not be reached any more."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Outputs and messages that were dropped, by reason."""


class Backplane(Protocol):
    """One coordinator's access to the others."""

    async def start(self, events: BackplaneEvents) -> None:
        """Join the cluster. Raises :class:`protocol.errors.ConfigError` when that is not possible for good."""
        ...

    async def close(self) -> None:
        """Leave the cluster: release all aliases, take all servers down. Idempotent."""
        ...

    def perform(self, output: ClusterOutput) -> None:
        """Carry out one output; never waits."""
        ...

    def problem(self) -> str | None:
        """Why no peer can join just now, or None."""
        ...

    def degraded(self) -> str | None:
        """What does not work just now although peers can join, or None."""
        ...

    def away(self) -> str | None:
        """Why other coordinators cannot be reached just now, or None."""
        ...

    def stats(self) -> BackplaneStats:
        """For metrics."""
        ...


class MemoryCluster:
    """The state that the coordinators of one process share."""

    def __init__(self) -> None:
        self._holders: dict[int, Holder] = {}
        self._servers: dict[int, tuple[ServerState, str]] = {}
        self._revocations: dict[tuple[str, str], Revocation] = {}
        self._nodes: dict[str, BackplaneEvents] = {}
        self._names = itertools.count(1)

    def backplane(self) -> MemoryBackplane:
        """Access for one more coordinator."""
        return MemoryBackplane(self, f"node-{next(self._names)}")

    def enter(self, node: str, events: BackplaneEvents) -> None:
        """A coordinator joins, and learns of the servers and revocations that are there."""
        self._nodes[node] = events
        for revocation in self._revocations.values():
            events.revoked(revocation)
        for state, home in self._servers.values():
            events.server_up(state, home)

    def leave(self, node: str) -> None:
        """A coordinator goes, with everything it holds."""
        if self._nodes.pop(node, None) is None:
            return
        self._holders = {alias: holder for alias, holder in self._holders.items() if holder.node != node}
        for alias in [alias for alias, (_, home) in self._servers.items() if home == node]:
            self.server_down(node, alias)

    def size(self) -> int:
        """How many coordinators there are; one that has not entered yet is alone."""
        return max(1, len(self._nodes))

    def claim(self, node: str, claim: Claim) -> None:
        """Decide who has the alias from now on. The claimer hears of it before the former holder does, so that it can take over from it."""
        holder = self._holders.get(claim.alias)
        granted = may_have(claim, holder)
        if granted:
            self._holders[claim.alias] = Holder(node, claim.key, claim.role, claim.subject)
        self._nodes[node].claimed(claim.key, claim.alias, granted)
        if granted and holder is not None and holder.node in self._nodes:
            self._nodes[holder.node].evicted(holder.key)
        if granted and claim.role.is_server:
            self.server_up(node, newcomer(claim.alias, claim.role, part2=claim.part2, is_linked=claim.proven))

    def release(self, node: str, release: Release) -> None:
        """Free an alias, if it is still that socket's."""
        holder = self._holders.get(release.alias)
        if holder is not None and (holder.node, holder.key) == (node, release.key):
            del self._holders[release.alias]
            self.server_down(node, release.alias)

    def server_up(self, node: str, state: ServerState) -> None:
        """Tell all others of a server. One that another coordinator holds by now has moved there."""
        holder = self._holders.get(state.alias)
        if holder is not None and holder.node != node:
            return
        self._servers[state.alias] = (state, node)
        for other, events in list(self._nodes.items()):
            if other != node:
                events.server_up(state, node)

    def server_down(self, node: str, alias: int) -> None:
        """Tell all others that it went, unless it has come back elsewhere."""
        if alias in self._servers and self._servers[alias][1] == node:
            del self._servers[alias]
            for other, events in list(self._nodes.items()):
                if other != node:
                    events.server_down(alias, node)

    def server_reported(self, node: str, reported: ServerReported) -> None:
        """Tell all others what a server reports."""
        for other, events in list(self._nodes.items()):
            if other != node:
                events.server_reported(reported.alias, reported.frame, node)

    def revoked(self, node: str, revocation: Revocation) -> None:
        """Remember it, and tell all others."""
        known = self._revocations.pop(revocation.key, revocation)
        self._revocations[revocation.key] = revocation if revocation.supersedes(known) else known
        # There is no clock here; but what has ended before something new was made has ended.
        if len(self._revocations) > MAX_REVOCATIONS:
            self._revocations = {key: each for key, each in self._revocations.items() if each.until > revocation.made_at}
        while len(self._revocations) > MAX_REVOCATIONS:
            del self._revocations[next(iter(self._revocations))]
        for other, events in list(self._nodes.items()):
            if other != node:
                events.revoked(revocation)

    def disconnect(self, node: str, disconnect: Disconnect) -> None:
        """Tell all others."""
        for other, events in list(self._nodes.items()):
            if other != node:
                events.disconnected(disconnect)

    def done(self, node: str, deed: Deed) -> None:
        """Tell all others."""
        for other, events in list(self._nodes.items()):
            if other != node:
                events.done(deed)

    def forward(self, node: str, forward: Forward) -> None:
        """Bring a frame to the coordinator that has its recipient."""
        sender = self._nodes[node]
        holder = self._holders.get(forward.to_alias)
        if holder is None or holder.node == node or holder.node not in self._nodes:
            sender.undeliverable(forward)
        else:
            self._nodes[holder.node].forwarded(forward, sender.undeliverable)


class MemoryBackplane:
    """A coordinator's access to a cluster in memory; alone in its own cluster when none is given."""

    def __init__(self, cluster: MemoryCluster | None = None, node: str = "node-0") -> None:
        self._cluster = cluster or MemoryCluster()
        self._node = node
        self._entered = False

    async def start(self, events: BackplaneEvents) -> None:
        """Join the cluster."""
        self._cluster.enter(self._node, events)
        self._entered = True

    async def close(self) -> None:
        """Leave it."""
        self._cluster.leave(self._node)
        self._entered = False

    def perform(self, output: ClusterOutput) -> None:
        """Carry out one output; its events come before this returns. Does nothing outside the cluster."""
        if not self._entered:
            return
        match output:
            case Claim():
                self._cluster.claim(self._node, output)
            case Release():
                self._cluster.release(self._node, output)
            case ServerUp():
                self._cluster.server_up(self._node, output.state)
            case ServerDown():
                self._cluster.server_down(self._node, output.alias)
            case ServerReported():
                self._cluster.server_reported(self._node, output)
            case Forward():
                self._cluster.forward(self._node, output)
            case Revoked():
                self._cluster.revoked(self._node, output.revocation)
            case Disconnect():
                self._cluster.disconnect(self._node, output)
            case Deed():
                self._cluster.done(self._node, output)

    def problem(self) -> str | None:
        """Memory is always there."""
        return None

    def degraded(self) -> str | None:
        """It is."""
        return None

    def away(self) -> str | None:
        """It is as near as can be."""
        return None

    def stats(self) -> BackplaneStats:
        """Nothing waits."""
        return BackplaneStats(coordinators=self._cluster.size())
