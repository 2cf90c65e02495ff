"""The dashboard's measures of a server, which are of a second, agree with what its metrics grew by over the same seconds."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from protocol.tokens import TokenRole
from rtcbroker import Client
from tests.support.browser import Visitor
from tests.support.cluster import Server, cluster
from tests.support.dashboard_page import open_dashboard
from tests.support.poll import until
from tests.support.talk import clients, collect

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

SPEAKERS = 6
HZ = 20
SPAN_S = 6.0
REPORT_S = 1.0

HISTOGRAM = "rtcbroker_relay_latency_seconds"


RATES = {
    "packets_in": "rtcbroker_packets_totalin",
    "packets_out": "rtcbroker_packets_totalout",
    "bytes_in": "rtcbroker_bytes_totalin",
    "bytes_out": "rtcbroker_bytes_totalout",
    "records": "rtcbroker_records_relayed_total",
    "deliveries": "rtcbroker_deliveries_total",
}
"""Where a rate stands in the feed, and which counter's it is."""


@dataclass(frozen=True)
class Look:
    """What the metrics of a server said at a time."""

    time: float
    counts: dict[str, float]
    latency: list[float]
    """Observations up to each bound of the histogram's."""
    bounds: list[float]

    @classmethod
    async def at(cls, server: Server) -> Look:
        """Now."""
        _, text = await server.page("/metrics")
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        counts: defaultdict[str, float] = defaultdict(float)
        for sample in samples:
            counts[sample.name + sample.labels.get("direction", "")] += sample.value
        buckets = sorted((float(s.labels["le"]), s.value) for s in samples if s.name == f"{HISTOGRAM}_bucket")
        return cls(time.time(), counts, [count for _, count in buckets], [bound for bound, _ in buckets])

    def rate(self, before: Look, name: str) -> float:
        """By how much a counter grew a second."""
        return (self.counts[name] - before.counts[name]) / (self.time - before.time)

    def latency_ms(self, before: Look, share: float) -> float:
        """Below which so many of the observations since then lie: as Prometheus has it (histogram_quantile)."""
        grown = [after - then for after, then in zip(self.latency, before.latency, strict=True)]
        rank = share * grown[-1]
        index = next(number for number, count in enumerate(grown) if count >= rank)
        lower, below = (self.bounds[index - 1], grown[index - 1]) if index else (0.0, 0.0)
        return 1000 * (lower + (self.bounds[index] - lower) * (rank - below) / (grown[index] - below))


async def test_its_measures_agree_with_the_metrics_of_the_servers(visitor: Visitor) -> None:
    """While packets flow evenly: rates, processor time, memory and latency of a server, over the same seconds."""
    async with cluster(1) as made, visitor.until_then():
        board = await open_dashboard(visitor, made, made.token("operator", role=TokenRole.ADMIN))
        await board.live()
        (server,) = made.servers
        async with clients(made, SPEAKERS) as people, people[0].subscribe("measures") as reader, talking(people, "measures"):
            await collect(reader, SPEAKERS * HZ)
            await asyncio.sleep(2 * REPORT_S)  # the reports to come are of even seconds
            before = await Look.at(server)
            await asyncio.sleep(SPAN_S)
            after = await Look.at(server)
            # The last second of it is in the report after.
            await until(lambda: board.state["time"] > after.time + REPORT_S, 10, "it is told of the last second")
        frames = {
            frame["time"]: frame["servers"][0]
            for frame in board.frames
            if frame["type"] == "state" and before.time + REPORT_S / 2 < frame["time"] < after.time + REPORT_S
        }
        told = list(frames.values())
        assert len(told) >= SPAN_S - 1

        def mean(find: Callable[[dict[str, Any]], float]) -> float:
            return statistics.fmean(find(shown) for shown in told)

        assert mean(lambda shown: shown["rates"]["records"]) > SPEAKERS * HZ / 2, "they speak"
        for name, metric in RATES.items():
            assert mean(lambda shown: shown["rates"][name]) == pytest.approx(after.rate(before, metric), rel=0.15), name  # noqa: B023
        cpu = after.rate(before, "rtcbroker_process_cpu_seconds_total")
        assert mean(lambda shown: shown["cpu"]) == pytest.approx(cpu, rel=0.3, abs=0.03)
        assert told[-1]["memory_bytes"] == pytest.approx(after.counts["rtcbroker_process_resident_bytes"], rel=0.05)
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            each = [shown["latency_ms"][name] for shown in told]
            # Of the whole it lies between those of its seconds.
            assert min(each) / 1.25 <= after.latency_ms(before, share) <= 1.25 * max(each), name


@contextlib.asynccontextmanager
async def talking(people: list[Client], topic: str) -> AsyncIterator[None]:
    """Inside, each of them publishes HZ times a second."""

    async def speak(client: Client) -> None:
        while True:
            client.publish_nowait(topic, bytes(60), reliable=False)
            await asyncio.sleep(1 / HZ)

    speakers = [asyncio.create_task(speak(client)) for client in people]
    try:
        yield
    finally:
        for speaker in speakers:
            speaker.cancel()
        await asyncio.gather(*speakers, return_exceptions=True)
