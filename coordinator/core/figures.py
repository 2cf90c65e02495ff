"""One server in numbers: its last report, what has changed since the one before, and the last two minutes second by second.

Reports carry totals, so a rate is the difference of two over the time that passed at the server itself: a report that was lost or late
changes no rate. A total that went back says that the server, or the link, began anew.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from coordinator.core.feed import Drop, Latency, LinkNow, Point, Traffic
from protocol.pb import broker_pb2 as pb

HISTORY_POINTS = 120
"""Two minutes at a report a second."""

MIN_SPAN_S = 0.1
"""Two reports closer together say nothing about a second; and no rate gets out of hand."""

MAX_MEASURE = 1e12
"""Above any measure that can be true. What adding or multiplying larger ones leads to, infinity, JSON has no word for."""

NO_TRAFFIC = Traffic(packets_in=0, packets_out=0, bytes_in=0, bytes_out=0, records=0, deliveries=0)


class _Row(NamedTuple):
    """A :class:`Point`, in a third of the memory."""

    time: float
    clients: int
    rates: Traffic
    drops: float
    latency: Latency | None
    cpu: float


@dataclass(slots=True)
class Figures:
    """What one server has reported."""

    report: pb.ServerReportMessage | None = None
    reported_at: float = 0.0
    rates: Traffic = field(default_factory=lambda: NO_TRAFFIC)
    _drop_rates: dict[str, float] = field(default_factory=dict)
    _links: list[LinkNow] = field(default_factory=list)
    _rows: deque[_Row] = field(default_factory=lambda: deque(maxlen=HISTORY_POINTS))

    def take(self, report: pb.ServerReportMessage, now: float) -> None:
        """A report that :func:`protocol.signalling.check_report` has looked at."""
        before = self.report if self.report is not None and not _began_anew(self.report, report) else None
        span = max(report.uptime - before.uptime, MIN_SPAN_S) if before is not None else 1.0
        self.rates = _rates(totals(before), totals(report), span) if before is not None else NO_TRAFFIC
        self._drop_rates = _drop_rates(before, report, span)
        self._links = _link_rates(before, report, span)
        self.report, self.reported_at = report, now
        drops = round(sum(self._drop_rates.values()), 3)
        self._rows.append(_Row(round(now, 3), report.clients, self.rates, drops, self.latency(), measure(report.cpu)))

    def drops(self, *, fresh: bool) -> list[Drop]:
        """By reason, the most frequent first; `fresh`: the rates still hold."""
        if self.report is None:
            return []
        drops = [
            Drop(reason=drop.reason, count=drop.count, rate=self._drop_rates[drop.reason] if fresh else 0.0)
            for drop in self.report.drops
        ]
        return sorted(drops, key=lambda drop: (-drop["count"], drop["reason"]))

    def latency(self) -> Latency | None:
        """Of the last report; None when nothing was relayed."""
        report = self.report
        if report is None or not report.HasField("latency_p50") or not report.HasField("latency_p99"):
            return None
        return Latency(p50=measure(report.latency_p50 * 1000), p99=measure(report.latency_p99 * 1000))

    def links(self, *, fresh: bool) -> list[LinkNow]:
        """To other servers; `fresh`: the rates still hold."""
        return self._links if fresh else [LinkNow(alias=link["alias"], bytes_in=0, bytes_out=0) for link in self._links]

    def linked(self) -> frozenset[int]:
        """The aliases of these servers."""
        return frozenset(link.alias for link in self.report.links) if self.report is not None else frozenset()

    def history(self) -> list[Point]:
        """The last minutes, the oldest first."""
        return [
            Point(
                time=row.time,
                clients=row.clients,
                packets_in=row.rates["packets_in"],
                packets_out=row.rates["packets_out"],
                bytes_in=row.rates["bytes_in"],
                bytes_out=row.rates["bytes_out"],
                drops=row.drops,
                p50_ms=row.latency["p50"] if row.latency else None,
                p99_ms=row.latency["p99"] if row.latency else None,
                cpu=row.cpu,
            )
            for row in self._rows
        ]


def totals(report: pb.ServerReportMessage) -> Traffic:
    """The totals of a report."""
    return Traffic(
        packets_in=report.packets_in,
        packets_out=report.packets_out,
        bytes_in=report.bytes_in,
        bytes_out=report.bytes_out,
        records=report.records_relayed,
        deliveries=report.deliveries,
    )


def measure(value: float) -> float:
    """A measure as it is shown: no more digits than it is true to, and always a number JSON can write."""
    return round(min(value, MAX_MEASURE), 3)


def _began_anew(before: pb.ServerReportMessage, report: pb.ServerReportMessage) -> bool:
    return (
        report.uptime < before.uptime
        or report.packets_in < before.packets_in
        or report.packets_out < before.packets_out
        or report.bytes_in < before.bytes_in
        or report.bytes_out < before.bytes_out
        or report.records_relayed < before.records_relayed
        or report.deliveries < before.deliveries
    )


def _rates(old: Traffic, new: Traffic, span: float) -> Traffic:
    return Traffic(
        packets_in=_rate(old["packets_in"], new["packets_in"], span),
        packets_out=_rate(old["packets_out"], new["packets_out"], span),
        bytes_in=_rate(old["bytes_in"], new["bytes_in"], span),
        bytes_out=_rate(old["bytes_out"], new["bytes_out"], span),
        records=_rate(old["records"], new["records"], span),
        deliveries=_rate(old["deliveries"], new["deliveries"], span),
    )


def _drop_rates(before: pb.ServerReportMessage | None, report: pb.ServerReportMessage, span: float) -> dict[str, float]:
    """A reason is first named with the first record it drops, so one that was not there before was 0."""
    if before is None:
        return {drop.reason: 0.0 for drop in report.drops}
    counts = {drop.reason: drop.count for drop in before.drops}
    return {drop.reason: _rate(counts.get(drop.reason, 0), drop.count, span) for drop in report.drops}


def _link_rates(before: pb.ServerReportMessage | None, report: pb.ServerReportMessage, span: float) -> list[LinkNow]:
    """A link that is new, to the server or to us, has no rate before its second report."""
    known = {link.alias: link for link in before.links} if before is not None else {}
    links: list[LinkNow] = []
    for link in report.links:
        old = known.get(link.alias, link)
        links.append(
            LinkNow(
                alias=str(link.alias),
                bytes_in=_rate(old.bytes_in, link.bytes_in, span),
                bytes_out=_rate(old.bytes_out, link.bytes_out, span),
            )
        )
    return links


def _rate(old: float, new: float, span: float) -> float:
    """Per second; a total that went back began at 0 in the meantime."""
    return measure((new - old if new >= old else new) / span)
