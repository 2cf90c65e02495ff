"""What the metrics page of a comm server says, as far as a table shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class ServerSample:
    """One look at one server. Counters since its start."""

    at: float
    """Seconds of the monotonic clock."""
    alias: int | None
    """By which clients know it; None where the page does not say."""
    clients: int
    topics: int
    packets_in: float
    """Data channel messages received, however many records each holds."""
    packets_out: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class ServerRates:
    """The time between two looks, per second."""

    packets_in: float
    packets_out: float
    cpu: float
    """Share of one core."""


def parse_page(text: str, now: float) -> ServerSample:
    """Read a page in the text format of Prometheus, seen at `now`. Raises ValueError when it is none."""
    values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    alias = None
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values[sample.name, frozenset(sample.labels.items())] = sample.value
            if "alias" in sample.labels and sample.labels["alias"].isdecimal():
                alias = int(sample.labels["alias"])
    return ServerSample(
        at=now,
        alias=alias,
        clients=int(_sum(values, "rtcbroker_peers", {"role": "client", "state": "active"})),
        topics=int(_sum(values, "rtcbroker_topics", {})),
        packets_in=_sum(values, "rtcbroker_packets_total", {"direction": "in"}),
        packets_out=_sum(values, "rtcbroker_packets_total", {"direction": "out"}),
        cpu_s=_sum(values, "rtcbroker_process_cpu_seconds_total", {}),
    )


def _sum(values: Mapping[tuple[str, frozenset[tuple[str, str]]], float], name: str, labels: Mapping[str, str]) -> float:
    wanted = labels.items()
    return sum(value for (found, has), value in values.items() if found == name and wanted <= dict(has).items())


def rates(before: ServerSample | None, now: ServerSample) -> ServerRates:
    """What happened per second between two looks; zeros where there was only one, or the server was started again in between."""
    if before is None or now.at <= before.at or now.packets_in < before.packets_in:
        return ServerRates(0, 0, 0)
    span = now.at - before.at
    return ServerRates(
        (now.packets_in - before.packets_in) / span,
        (now.packets_out - before.packets_out) / span,
        (now.cpu_s - before.cpu_s) / span,
    )
