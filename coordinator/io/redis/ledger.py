"""What one coordinator holds and knows: enough to go on alone while Redis is away, and to tell Redis everything anew.

No I/O and no clock: `now` is the estimate of Redis' time in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coordinator.core.cluster import (
    MAX_REVOCATIONS,
    Claim,
    ClusterOutput,
    Holder,
    Release,
    Revocation,
    Revoked,
    ServerDown,
    ServerState,
    ServerUp,
    TokenName,
    may_have,
)
from coordinator.io.redis.messages import Claimed, Evicted, Up
from coordinator.io.redis.steps import Step, reclaim, revoke

HERE = ""
"""The name of this coordinator, to itself: on Redis it has another one each time it joins."""


@dataclass(frozen=True, slots=True)
class Held:
    """An alias of a socket here, by which claim, and since when."""

    claim: Claim
    since: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided here about a claim."""

    claim: Claim
    granted: bool
    evicted: int | None
    """The socket that has to give way."""


class Ledger:
    """Bounded by the peers that are here, the servers of the cluster, and MAX_REVOCATIONS."""

    def __init__(self) -> None:
        self._held: dict[int, Held] = {}
        self._pending: dict[int, Claim] = {}  # by socket: asked of Redis, not answered yet
        self._servers: dict[int, ServerState] = {}
        self._elsewhere: dict[int, Up] = {}
        self._revocations: dict[tuple[TokenName, str], Revocation] = {}

    # What the core wants

    def note(self, output: ClusterOutput) -> None:
        """An output of the core, as far as it changes what is to be told anew."""
        match output:
            case Claim():
                self._pending[output.key] = output
            case Release():
                self._release(output.key, output.alias)
            case ServerUp():
                self._servers[output.state.alias] = output.state
            case ServerDown():
                self._servers.pop(output.alias, None)
            case Revoked():
                self.revoked(output.revocation)
            case _:
                pass

    def decide(self, key: int, now: float) -> Verdict:
        """Decide the pending claim of a socket alone, by the rule; whoever holds the alias elsewhere is heard later."""
        claim = self._pending.pop(key)
        held = self._held.get(claim.alias)
        holder = Holder(HERE, held.claim.key, held.claim.role, held.claim.subject) if held is not None else None
        granted = may_have(claim, holder)
        if granted:
            self._hold(claim, now)
        return Verdict(claim, granted, held.claim.key if granted and held else None)

    def pending(self) -> list[int]:
        """The sockets whose claims are not answered, in the order in which they came."""
        return list(self._pending)

    # What Redis says

    def claimed(self, answer: Claimed) -> None:
        """The answer to a claim."""
        claim = self._pending.pop(answer.key, None)
        if claim is not None and answer.granted:
            self._hold(claim, answer.since)

    def evicted(self, eviction: Evicted) -> Up | None:
        """An alias went to another socket; returns the server that has it elsewhere, if it is one and known."""
        self._release(eviction.key, eviction.alias)
        return self._elsewhere.get(eviction.alias)

    def up(self, up: Up) -> None:
        """A server of another coordinator."""
        self._elsewhere[up.state.alias] = up

    def down(self, alias: int, node: str) -> bool:
        """It went; False when it is not (any more) that coordinator's."""
        known = self._elsewhere.get(alias)
        if known is None or known.node != node:
            return False
        del self._elsewhere[alias]
        return True

    def revoked(self, revocation: Revocation) -> None:
        """The last word on some tokens, whoever said it. What has ended is given up first: it is no loss."""
        known = self._revocations.pop(revocation.key, revocation)
        self._revocations[revocation.key] = revocation if revocation.supersedes(known) else known
        if len(self._revocations) > MAX_REVOCATIONS:
            del self._revocations[min(self._revocations, key=lambda key: self._revocations[key].until)]

    def missing(self, found: Iterable[Up]) -> list[Up]:
        """Servers that were known elsewhere and are not among those that Redis knows."""
        aliases = {up.state.alias for up in found}
        return [up for alias, up in self._elsewhere.items() if alias not in aliases]

    # What Redis is to be told

    def retell(self, node: str) -> list[Step]:
        """Everything that is held here, for a Redis that may know nothing of it, or knows it under a former name.

        No claim is pending by then: while Redis is away they are decided here.
        """
        steps = [reclaim(each.claim, node, each.since, self._servers.get(alias)) for alias, each in self._held.items()]
        steps += [revoke(each, node) for each in self._revocations.values()]
        return [*steps, ("retire", node), ("mark", node)]

    def __len__(self) -> int:
        return len(self._held)

    def _hold(self, claim: Claim, since: float) -> None:
        self._held[claim.alias] = Held(claim, since)
        if claim.role.is_server:
            self._elsewhere.pop(claim.alias, None)

    def _release(self, key: int, alias: int) -> None:
        held = self._held.get(alias)
        if held is not None and held.claim.key == key:
            del self._held[alias]
            self._servers.pop(alias, None)
