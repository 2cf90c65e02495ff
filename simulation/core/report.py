"""The result of a run: figures, the JSON document, the table, and the verdict.

==========================  ==================================================================================================
``clients``                 clients that took part, one after the other or together
``servers``                 comm servers; null where the cluster was not started by the simulation
``seconds``                 the measured time
``sent``                    packets that clients published in it
``expected``                deliveries that should have followed: see :mod:`simulation.core.ledger`. Without those from and to clients
                            whose comm server was killed by ``--kill``: these are in ``affected``
``delivered``               how many of the expected came
``loss``                    share of the expected that did not come, 0..1
``received``                deliveries that came, also those sent while a subscription was on its way
``rate_per_s``              ``received`` per second
``latency_ms``              from publishing to the receiver's callback
``latency_distribution_ms`` the same in full: latency by percent of deliveries that it does not exceed
``connect_ms``              from opening the coordinator's socket to the open link, accepted by the comm server
``server_cpu_s``            processor time of the comm server processes alone, in the measured time
``cpu_us_per_delivery``     ``server_cpu_s`` per ``received``
``server_rss_mb``           resident memory of the comm servers together, at its greatest
``max_loss``                the greatest loss with which the run is a success: ``--max-loss``, and what ``--impair`` may take
``impairment``              what ``--impair`` said, or null
==========================  ==================================================================================================

What was killed, and who was out for how long: :mod:`simulation.core.disruption`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulation.core.disruption import Disruption
from simulation.core.latency import Histogram, Timeline
from simulation.core.ledger import Tally
from simulation.core.presence import Span, peak

DISTRIBUTION = (1, 5, *range(10, 100, 10), 95, 98, 99, 99.5, 99.9, 100)
"""Percents of deliveries at which a curve can be drawn: close where a tail begins."""


@dataclass(slots=True)
class Counts:
    """What the bots of one worker, or of all, did. All but `tally` is known while the run goes on."""

    joins: int = 0
    failed: int = 0
    """Clients that never got in."""
    leaves: int = 0
    sent: int = 0
    received: int = 0
    rejected: int = 0
    """Packets the client library would not take: no link, or its buffer was full."""
    cell_changes: int = 0
    reconnects: int = 0
    foreign: int = 0
    """Packets that no bot of this run sent."""
    tally: Tally = field(default_factory=Tally)

    def add(self, other: Counts) -> None:
        """Add another worker's."""
        for name in ("joins", "failed", "leaves", "sent", "received", "rejected", "cell_changes", "reconnects", "foreign"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.tally.add(other.tally)


@dataclass(slots=True)
class ServerCost:
    """What the comm servers used in the measured time."""

    servers: int
    cpu_s: float
    rss_bytes: int


@dataclass(slots=True)
class Report:
    """Everything that is said of one run."""

    scenario: str
    seconds: float
    counts: Counts
    latency: Timeline
    connect: Histogram
    presence: Sequence[Span]
    """From when to when each client was connected."""
    cost: ServerCost | None
    max_loss: float
    """The greatest loss (0..1) with which the run still is a success."""
    impairment: str = ""
    """What the network did to the clients' packets on purpose, each way."""
    disruption: Disruption = field(default_factory=Disruption)
    """What was killed, and who was out."""
    generator_lag_s: float = 0.0
    """How late the most delayed packet was published: bots that cannot keep up measure themselves."""

    @property
    def peak_clients(self) -> int:
        """Clients connected at the same time, at most."""
        return peak(self.presence)

    @property
    def loss(self) -> float:
        """Share of the expected deliveries that did not come."""
        tally = self.counts.tally
        return (tally.expected - tally.delivered) / tally.expected if tally.expected else 0.0

    @property
    def problems(self) -> list[str]:
        """Why the run is no success; empty when it is one."""
        counts, tally = self.counts, self.counts.tally
        found = []
        if counts.failed:
            found.append(f"{counts.failed} of {counts.failed + counts.joins} clients could not connect")
        if self.loss > self.max_loss:
            missing = tally.expected - tally.delivered
            found.append(f"loss {_percent(self.loss)} is over {_percent(self.max_loss)} ({missing:,} deliveries are missing)")
        if tally.duplicates:
            found.append(f"{tally.duplicates:,} duplicates")
        if tally.misroutes:
            found.append(f"{tally.misroutes:,} misroutes")
        if not tally.expected + tally.affected.expected:
            found.append("no delivery was expected: nothing was measured")
        return found + self.disruption.problems

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        counts, tally, cost = self.counts, self.counts.tally, self.cost
        latency = self.latency.total()
        return {
            "scenario": self.scenario,
            "clients": counts.joins,
            "servers": cost.servers if cost else None,
            "seconds": round(self.seconds, 3),
            "sent": counts.sent,
            "expected": tally.expected,
            "delivered": tally.delivered,
            "loss": round(self.loss, 9),
            "duplicates": tally.duplicates,
            "misroutes": tally.misroutes,
            "received": counts.received,
            "rate_per_s": round(counts.received / self.seconds, 1),
            "latency_ms": {name: _ms(value) for name, value in _spread(latency, (50, 90, 99)).items()}
            | {"max": _highest(latency)},
            "latency_distribution_ms": {f"{percent:g}": _ms(latency.percentile(percent)) for percent in DISTRIBUTION},
            "connect_ms": {name: _ms(value) for name, value in _spread(self.connect, (50, 99)).items()},
            "server_cpu_s": round(cost.cpu_s, 3) if cost else None,
            "cpu_us_per_delivery": round(cost.cpu_s * 1e6 / counts.received, 3) if cost and counts.received else None,
            "server_rss_mb": round(cost.rss_bytes / 1e6, 1) if cost else None,
            "peak_clients": self.peak_clients,
            "joins": counts.joins,
            "leaves": counts.leaves,
            "failed": counts.failed,
            "reconnects": counts.reconnects,
            "cell_changes": counts.cell_changes,
            "rejected": counts.rejected,
            "foreign": counts.foreign,
            "generator_lag_ms": _ms(self.generator_lag_s),
            "max_loss": self.max_loss,
            "impairment": self.impairment or None,
            **self.disruption.document(tally.affected),
            "problems": self.problems,
        }

    def rows(self) -> Iterator[tuple[str, str]]:
        """The report as a table: what, and how much."""
        counts, tally, cost = self.counts, self.counts.tally, self.cost
        latency = self.latency.total()
        yield "clients", f"{counts.joins:,}" + (f", {counts.failed:,} could not connect" if counts.failed else "")
        if counts.leaves:
            yield "coming and going", f"{counts.joins:,} joins, {counts.leaves:,} leaves, at most {self.peak_clients:,} at once"
        if counts.cell_changes:
            yield "cell changes", f"{counts.cell_changes:,}"
        if counts.reconnects:
            yield "reconnects", f"{counts.reconnects:,}"
        yield "measured", f"{self.seconds:.1f} s" + (f" on {cost.servers} comm server{'s' * (cost.servers != 1)}" if cost else "")
        if self.impairment:
            yield "network", f"{self.impairment}, each way"
        yield "sent", f"{counts.sent:,}" + (f", {counts.rejected:,} not taken by the client" if counts.rejected else "")
        others = " between the other clients" if self.disruption.affected_clients else ""
        yield "delivered", f"{tally.delivered:,} of {tally.expected:,} expected{others}"
        yield "loss", _percent(self.loss)
        yield "duplicates, misroutes", f"{tally.duplicates:,}, {tally.misroutes:,}"
        yield "rate", f"{counts.received / self.seconds:,.0f} deliveries/s"
        yield "latency", _table_spread(latency, (50, 90, 99))
        yield "connecting", _table_spread(self.connect, (50, 99))
        yield from self.disruption.rows(tally.affected)
        if cost:
            each = f", {cost.cpu_s * 1e6 / counts.received:.2f} µs a delivery" if counts.received else ""
            yield "comm server CPU", f"{cost.cpu_s:.2f} s ({_percent(cost.cpu_s / self.seconds)} of a core){each}"
            yield "comm server memory", f"{cost.rss_bytes / 1e6:.0f} MB"
        if self.generator_lag_s > 0.05:
            yield (
                "beware",
                f"bots published up to {self.generator_lag_s * 1000:.0f} ms late: latencies are theirs, too (more --workers?)",
            )


def _spread(histogram: Histogram, percents: tuple[int, ...]) -> dict[str, float | None]:
    return {f"p{percent}": histogram.percentile(percent) for percent in percents}


def _highest(histogram: Histogram) -> float | None:
    return _ms(histogram.percentile(100))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _table_spread(histogram: Histogram, percents: tuple[int, ...]) -> str:
    values = {**_spread(histogram, percents), "max": histogram.percentile(100)}
    return ", ".join(f"{name} {value * 1000:.1f} ms" for name, value in values.items() if value is not None) or "-"


def _percent(share: float) -> str:
    return f"{share:.4%}" if 0 < share < 0.0001 else f"{share:.2%}"
