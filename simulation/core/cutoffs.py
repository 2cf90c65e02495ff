"""Who was without signalling, and for how long, when a coordinator was killed.

A client that was **cut off** was at that very coordinator when it died; it is over when another one, or the same one started again, has
welcomed it. Packets do not pass a coordinator, so nobody is out for that
(:mod:`simulation.core.outages`): what has to wait is a join, if one is wanted just then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from simulation.core.outages import Death
from simulation.core.service import ServiceLog


@dataclass(frozen=True, slots=True)
class Cutoff:
    """One client had no coordinator for a while; seconds of the monotonic clock."""

    client: int
    death: Death
    """Of its coordinator."""
    until: float = inf
    """A coordinator has welcomed it; or it left. Infinity: not before the end of the run."""
    now_at: str = ""
    """Host and port of the coordinator that has; empty for none."""

    @property
    def seconds(self) -> float:
        """How long it was, from the kill."""
        return self.until - self.death.at


def find_cutoffs(services: Mapping[int, ServiceLog], deaths: Sequence[Death]) -> list[Cutoff]:
    """Of all clients, the longest first. Of one that lost a second coordinator before it had a third, both are told."""
    killed = [death for death in deaths if death.host]
    found = [
        _cutoff(client, log, death)
        for death in killed
        for client, log in services.items()
        if _coordinator(log, death.at) == death.host
    ]
    return sorted(found, key=lambda cutoff: (-cutoff.seconds, cutoff.client))


def count_kept(services: Mapping[int, ServiceLog], deaths: Sequence[Death]) -> int | None:
    """How many clients were there when a coordinator was killed, and always at another one; None where none was killed."""
    killed = [death for death in deaths if death.host]
    if not killed:
        return None
    met = [[(death.host, _coordinator(log, death.at)) for death in killed] for log in services.values()]
    return sum(any(at for _, at in each) and all(at != dead for dead, at in each) for each in met)


def _coordinator(service: ServiceLog, at: float) -> str:
    """The latest that had welcomed the client by then; empty where it was not there.

    Who had just hung up, to ask again, is at that one still: when it dies, the next dial may be in vain for it.
    """
    before = [host for when, host in service.coordinators if when <= at]
    return before[-1] if before and service.left > at else ""


def _cutoff(client: int, service: ServiceLog, death: Death) -> Cutoff:
    again = ((at, host) for at, host in service.coordinators if at > death.at)
    until, now_at = next(again, (service.left, ""))
    return Cutoff(client, death, until, now_at)
