"""Who was out, and for how long: a client's own account of its service, laid beside the processes that were killed.

An **outage** begins when a client is served for the last time: when the last packet came or, if its server was killed after that, at the
kill, up to which it was in service whether anything came or not. It ends when the client is subscribed again *and* packets come
again. So it is never shorter than what the client's application noticed, and longer by up to the time between two packets. A client that
has noticed nothing, though its server is dead, is out all the same.

**Affected** is a client whose comm server was killed while it was there, and nobody else: who loses its link for another reason has an
outage, too, but no excuse for what it misses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan

from simulation.core.presence import Span
from simulation.core.service import ServiceLog, Stint


@dataclass(frozen=True, slots=True)
class Death:
    """A process was killed on purpose."""

    process: str
    """As ``--kill`` names it."""
    at: float
    server: int | None = None
    """The alias of a comm server; None for others."""
    host: str = ""
    """Host and port of a coordinator, as its clients know them; empty for others."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One client was not served for a while; seconds of the monotonic clock."""

    client: int
    server: int
    """Alias of the comm server it was at."""
    since: float
    noticed: float = inf
    """The client knew that its link is lost."""
    subscribed: float = inf
    """It was subscribed at another server, or again at this one."""
    until: float = inf
    """Packets came again, too; infinity: not before the end of the run."""
    now_at: int = 0
    """Alias of the server that serves it again; 0 for none."""
    death: Death | None = None
    """What had killed its server; None where it was lost in another way."""

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.until - self.since


def find_outages(services: Mapping[int, ServiceLog], deaths: Sequence[Death]) -> list[Outage]:
    """The outages of all clients, the longest first."""
    found = [outage for client, service in services.items() for outage in _of_one(client, service, deaths)]
    return sorted(found, key=lambda outage: (-outage.seconds, outage.client))


def absences(outages: Iterable[Outage]) -> dict[int, list[Span]]:
    """When affected clients were out: for these times nothing is expected from them, or of them."""
    found: dict[int, list[Span]] = {}
    for outage in outages:
        if outage.death is not None:
            found.setdefault(outage.client, []).append((outage.since, outage.until))
    return found


def _of_one(client: int, service: ServiceLog, deaths: Sequence[Death]) -> Iterable[Outage]:
    # Who never hears anything, being alone in its topic, is served as soon as it is subscribed.
    hears = any(stint.first < inf for stint in service.stints)
    begun: tuple[Stint, Death | None, float] | None = None
    for stint in service.stints:
        served = stint.served if hears else stint.subscribed
        if begun is not None and served < inf:
            yield _outage(client, *begun, served, stint)
            begun = None
        if begun is None and (stint.is_lost or _death_in(stint, deaths)):
            death = _death_in(stint, deaths)
            last = stint.since if isnan(stint.last) else stint.last
            begun = stint, death, last if death is None else max(last, death.at)
    if begun is not None:
        yield _outage(client, *begun, service.left, None)


def _death_in(stint: Stint, deaths: Sequence[Death]) -> Death | None:
    """What killed the server of this stint while it lasted."""
    return next((death for death in deaths if death.server == stint.server and stint.since <= death.at <= stint.until), None)


def _outage(client: int, lost: Stint, death: Death | None, since: float, until: float, after: Stint | None) -> Outage:
    return Outage(
        client=client,
        server=lost.server,
        since=since,
        noticed=lost.until if lost.is_lost else inf,
        subscribed=after.subscribed if after is not None else inf,
        until=until,
        now_at=after.server if after is not None else 0,
        death=death,
    )
