"""What a report says of kills and outages: figures, JSON, lines of the table, and what makes the run fail.

======================  ======================================================================================================
``kills``               for each: ``process``, ``at_s`` of the measured time, ``back_at_s`` or null, ``clients``: that a comm server
                        served, that had their socket to a coordinator; null for a Redis, which has none
``outages``             ``clients`` that had one, ``p50_s`` and ``max_s`` of those that ended, ``not_back`` at the end of the run,
                        ``bound_s`` (``--max-outage``), and ``each``, the longest first
``outages.each``        ``client`` number, ``server`` it was at, what was ``killed`` there (null: lost in another way), ``since_s`` of
                        the measured time; ``seconds`` from then until it was subscribed and packets came again, null: not before the
                        end; of these, ``noticed_s`` until it knew, ``subscribed_s`` until it was subscribed; ``now_at`` which server
``affected``            ``clients`` whose comm server was killed; of deliveries from and to them: ``expected`` while both ends were
                        served, ``delivered`` of these, ``missed`` while one was out. They count nowhere else
``signalling``          ``clients`` that a killed coordinator cut off from signalling, ``p50_s`` and ``max_s`` of how long, ``not_back`` at
                        the end of the run, ``kept``: clients that were at another coordinator (null: none was killed), and ``each``,
                        the longest first: ``client`` number, ``coordinator`` that was killed, ``seconds`` from then until one
                        welcomed it (null: not before the end), ``now_at`` which. Its packets flow on, so it is no outage
``longest_silence_s``   the longest time without a packet at any client that had no outage; null where all had one
======================  ======================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import median
from typing import Any, Protocol

from simulation.core.cutoffs import Cutoff
from simulation.core.ledger import Affected
from simulation.core.outages import Death, Outage

SHOWN = 60
"""Clients that a line of the table has one by one; the JSON document has all."""

NBSP = "\N{NO-BREAK SPACE}"
"""Between a client's number and its time, which are not to be torn apart where the line breaks."""


@dataclass(frozen=True, slots=True)
class Disruption:
    """What went wrong in one run, on purpose or not."""

    measure_at: float = 0.0
    """When the measured time began: what is told counts from there. Seconds of the monotonic clock, as all times here."""
    deaths: Sequence[Death] = ()
    revived: Mapping[str, float] = field(default_factory=dict)
    """When killed processes ran again."""
    names: Mapping[int, str] = field(default_factory=dict)
    """Of comm servers, by alias; those of a cluster that was not started here have none."""
    outages: Sequence[Outage] = ()
    """The longest first."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Names of coordinators, by host and port."""
    cutoffs: Sequence[Cutoff] = ()
    """The longest first."""
    kept: int | None = None
    """How many clients were at another coordinator whenever one was killed; None where none was."""
    silence_s: float | None = None
    """The longest time without a packet at any client that had no outage."""
    max_outage_s: float | None = None
    """An outage over this makes the run fail, and so does a client that is not back at its end."""

    @property
    def clients(self) -> int:
        """How many had an outage."""
        return len({outage.client for outage in self.outages})

    @property
    def affected_clients(self) -> int:
        """How many of them because their server was killed."""
        return len({outage.client for outage in self.outages if outage.death is not None})

    @property
    def not_back(self) -> int:
        """How many were still out at the end of the run."""
        return sum(outage.until == inf for outage in self.outages)

    @property
    def problems(self) -> list[str]:
        """Why the run is no success; empty when it is one."""
        bound = self.max_outage_s
        if bound is None:
            return []
        found = []
        if long := [outage for outage in self.outages if bound < outage.seconds < inf]:
            found.append(f"{_clients(len(long))} out for longer than {bound:g} s, {long[0].seconds:.2f} s at most")
        if self.not_back:
            found.append(f"{_clients(self.not_back)} not back at the end of the run")
        return found

    def document(self, affected: Affected) -> dict[str, Any]:
        """The entries of the JSON document."""
        return {
            "kills": [self._kill(death) for death in self.deaths],
            "outages": {
                **_figures(self.outages),
                "bound_s": self.max_outage_s,
                "each": [self._each(outage) for outage in self.outages],
            },
            "affected": {
                "clients": self.affected_clients,
                "expected": affected.expected,
                "delivered": affected.delivered,
                "missed": affected.missed,
            },
            "signalling": {
                **_figures(self.cutoffs),
                "kept": self.kept,
                "each": [self._each_cutoff(cutoff) for cutoff in self.cutoffs],
            },
            "longest_silence_s": None if self.silence_s is None else round(self.silence_s, 3),
        }

    def _kill(self, death: Death) -> dict[str, Any]:
        return {
            "process": death.process,
            "at_s": round(death.at - self.measure_at, 3),
            "back_at_s": _or_null(self.revived.get(death.process, inf) - self.measure_at),
            "clients": self._clients_of(death),
        }

    def _clients_of(self, death: Death) -> int | None:
        """Who was served by the comm server, or had its socket to the coordinator; None: it has no clients."""
        if death.server is None and not death.host:
            return None
        concerned: list[Outage | Cutoff] = [*self.outages, *self.cutoffs]
        return sum(each.death == death for each in concerned)

    def _each(self, outage: Outage) -> dict[str, Any]:
        return {
            "client": outage.client,
            "server": self._name(outage.server),
            "killed": outage.death.process if outage.death is not None else None,
            "since_s": round(outage.since - self.measure_at, 3),
            "noticed_s": _or_null(outage.noticed - outage.since),
            "subscribed_s": _or_null(outage.subscribed - outage.since),
            "seconds": _or_null(outage.seconds),
            "now_at": self._name(outage.now_at) if outage.now_at else None,
        }

    def _each_cutoff(self, cutoff: Cutoff) -> dict[str, Any]:
        return {
            "client": cutoff.client,
            "coordinator": cutoff.death.process,
            "seconds": _or_null(cutoff.seconds),
            "now_at": self.hosts.get(cutoff.now_at, cutoff.now_at) or None,
        }

    def _name(self, alias: int) -> str:
        return self.names.get(alias, str(alias))

    def rows(self, affected: Affected) -> Iterator[tuple[str, str]]:
        """The lines of the table; none where nothing was killed and nobody was out."""
        for death in self.deaths:
            back, clients = self.revived.get(death.process), self._clients_of(death)
            what = f"{death.process} after {death.at - self.measure_at:.1f} s"
            what += f", with {_clients(clients)}" if clients is not None else ""
            yield "killed", what + (f"; back after {back - self.measure_at:.1f} s" if back is not None else "")
        if self.outages:
            yield "outages", _summary(self.outages)
            yield "outage of each", _list((self._name(outage.server), outage) for outage in self.outages)
        elif self.deaths:
            yield "outages", "none"
        yield from self._rows_of_signalling()
        if self.deaths and self.silence_s is not None:
            yield "longest silence", f"{self.silence_s:.2f} s without a packet, at clients without an outage"
        if self.affected_clients:
            yield (
                "from and to these",
                f"{affected.delivered:,} of {affected.expected:,} delivered while both were served; "
                f"{affected.missed:,} missed while one was out",
            )

    def _rows_of_signalling(self) -> Iterator[tuple[str, str]]:
        if self.kept is None:
            return
        others = f"; {_clients(self.kept)} had another coordinator" if self.kept else ""
        yield "without signalling", (_summary(self.cutoffs) if self.cutoffs else "nobody") + others
        if self.cutoffs:
            yield "signalling of each", _list((cutoff.death.process, cutoff) for cutoff in self.cutoffs)


class _Timed(Protocol):
    """What both outages and cutoffs have."""

    @property
    def client(self) -> int: ...

    @property
    def seconds(self) -> float: ...


def _figures(times: Sequence[_Timed]) -> dict[str, float | None]:
    ended = [each.seconds for each in times if each.seconds < inf]
    return {
        "clients": len({each.client for each in times}),
        "p50_s": round(median(ended), 3) if ended else None,
        "max_s": round(max(ended), 3) if ended else None,
        "not_back": len(times) - len(ended),
    }


def _summary(times: Sequence[_Timed]) -> str:
    ended = [each.seconds for each in times if each.seconds < inf]
    text = _clients(len({each.client for each in times}))
    text += f", p50 {median(ended):.2f} s, max {max(ended):.2f} s" if ended else ""
    missing = len(times) - len(ended)
    return text + (f", {missing:,} not back at the end" if missing else "")


def _list(times: Iterable[tuple[str, _Timed]]) -> str:
    """Each client's time, the longest first, by what it was at."""
    groups: dict[str, list[str]] = {}
    everyone = list(times)
    for place, each in everyone[:SHOWN]:
        length = f"{each.seconds:.2f} s" if each.seconds < inf else "not back"
        groups.setdefault(place, []).append(f"#{each.client} {length}".replace(" ", NBSP))
    text = "; ".join(f"at {place}: {', '.join(found)}" for place, found in sorted(groups.items()))
    more = len(everyone) - SHOWN
    return text + (f"; and {more:,} shorter ones (all of them: --json)" if more > 0 else "")


def _clients(count: int) -> str:
    return f"{count:,} client{'s' * (count != 1)}"


def _or_null(seconds: float) -> float | None:
    return round(seconds, 3) if seconds < inf else None
