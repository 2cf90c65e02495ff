"""Reports of whole comm servers: they say what /metrics says, and an old coordinator is spared them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from commserver.app import CommServer
from commserver.io.metrics import VERSION
from protocol import packets, signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from tests.integration.commserver.conftest import NewClient, Start, alias_of, token
from tests.support.exchange import PATIENCE_S, Exchange
from tests.support.poll import until

INTERVAL_S = 0.1


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commserver.app.REPORT_INTERVAL_S", INTERVAL_S)


@pytest.fixture
def arrived(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Any]]:
    """Every report that came to the exchange, with its sender."""
    reports: list[tuple[int, Any]] = []
    relay = Exchange._relay

    async def watched(self: Exchange, sender: int, frame: bytes) -> None:
        message = signalling.decode_signal(frame)
        if isinstance(message, pb.ServerReportMessage):
            reports.append((sender, signalling.check_report(message)))
        await relay(self, sender, frame)

    monkeypatch.setattr(Exchange, "_relay", watched)
    return reports


async def metrics(server: CommServer) -> dict[str, dict[tuple[str, ...], float]]:
    """The samples of its page, by name and the values of their labels."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{server.port}/metrics") as response:
        text = await response.text()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.values()))] = sample.value
    return found


def directed(values: Mapping[tuple[str, ...], float], direction: str) -> float:
    return sum(value for labels, value in values.items() if direction in labels)


def said_by_metrics(page: dict[str, dict[tuple[str, ...], float]]) -> dict[str, Any]:
    packets_total, bytes_total = page["rtcbroker_packets_total"], page["rtcbroker_bytes_total"]
    return {
        "clients": page["rtcbroker_peers"]["active", "client"],
        "topics": page["rtcbroker_topics"][()],
        "subscriptions": page["rtcbroker_subscriptions"][()],
        "packets_in": directed(packets_total, "in"),
        "packets_out": directed(packets_total, "out"),
        "bytes_in": directed(bytes_total, "in"),
        "bytes_out": directed(bytes_total, "out"),
        "records_relayed": page["rtcbroker_records_relayed_total"][()],
        "deliveries": page["rtcbroker_deliveries_total"][()],
        "drops": {labels[0]: value for labels, value in page.get("rtcbroker_dropped_packets_total", {}).items()},
    }


def said_by_report(report: Any) -> dict[str, Any]:
    said = {name: getattr(report, name) for name in ("clients", "topics", "subscriptions", "records_relayed", "deliveries")}
    said |= {name: getattr(report, name) for name in ("packets_in", "packets_out", "bytes_in", "bytes_out")}
    return said | {"drops": {drop.reason: drop.count for drop in report.drops}}


def of(server: CommServer, arrived: list[tuple[int, Any]]) -> list[Any]:
    """The reports of one server."""
    return [report for who, report in arrived if who == alias_of(server)]


async def next_report(server: CommServer, arrived: list[tuple[int, Any]]) -> Any:
    before = len(of(server, arrived))
    await until(lambda: len(of(server, arrived)) > before, PATIENCE_S, "a report")
    return of(server, arrived)[before]


async def agreed(server: CommServer, arrived: list[tuple[int, Any]]) -> dict[str, Any]:
    """What the page and the next report both say, once traffic has come to rest."""

    async def ask() -> dict[str, Any]:
        while True:
            page = said_by_metrics(await metrics(server))
            if said_by_report(await next_report(server, arrived)) == page:
                return page

    return await asyncio.wait_for(ask(), PATIENCE_S)


async def test_reports_say_what_the_metrics_say(start: Start, client: NewClient, arrived: list[tuple[int, Any]]) -> None:
    one, other = await start(), await start()
    await until(lambda: one.broker.peers.servers() and other.broker.peers.servers(), PATIENCE_S, "the servers are linked")
    alice, bob, far = client(), client(), client()
    for who, server in ((alice, one), (bob, one), (far, other)):
        await who.join(alias_of(server), token("somebody"))
        await who.subscribe("t")
    await until(lambda: one.broker.subscription_count == 3, PATIENCE_S, "the other server's interest")
    for n in range(50):
        alice.send(packets.topic("t", b"x" * n), reliable=bool(n % 2))
    one.broker.counters.drop("queue full", "t", 3)
    await until(lambda: len(bob.bodies) == len(far.bodies) == 50, PATIENCE_S, "the packets")
    for server, expected in (
        (one, {"clients": 2, "topics": 1, "subscriptions": 3, "records_relayed": 50, "deliveries": 100}),
        (other, {"clients": 1, "topics": 1, "subscriptions": 2, "records_relayed": 50, "deliveries": 50}),
    ):
        assert (await agreed(server, arrived)).items() >= expected.items()
    assert said_by_report(arrived[-1][1])["bytes_in"] > 50 * 25


async def test_an_interval_is_told_in_one_report(start: Start, client: NewClient, arrived: list[tuple[int, Any]]) -> None:
    one, other = await start(), await start()
    alice, bob, mallory = client(), client(), client()
    await alice.join(alias_of(one), token("alice"))
    await bob.join(alias_of(other), token("bob"))
    await bob.subscribe("t")
    await until(lambda: one.broker.topic_count, PATIENCE_S, "interest")
    for _ in range(100):
        alice.send(packets.topic("t", b"hello"))
    await until(lambda: len(bob.bodies) == 100, PATIENCE_S, "the packets")
    await mallory.connect(alias_of(one))
    await until(lambda: mallory.is_open, PATIENCE_S, "the channels open")
    mallory.send(packets.auth(pb.CLIENT, "no token"))
    await alice.close()
    ends = {(pb.PeerEvent.LEFT, alice.alias, 0), (pb.PeerEvent.REFUSED, mallory.alias, int(Code.AUTH_FAILED))}

    def events() -> list[tuple[int, int, int]]:
        return [(event.kind, event.alias, event.code) for report in of(one, arrived) for event in report.events]

    await until(lambda: ends <= set(events()), PATIENCE_S, "leave and refusal")
    joins = [(pb.PeerEvent.JOINED, who, 0) for who in (alias_of(other), alice.alias)]
    assert sorted(events()) == sorted([*joins, *ends]), "each once"
    reports = of(one, arrived)
    records = sum(
        entry.records_per_second * (after.uptime - before.uptime)
        for before, after in itertools.pairwise(reports)
        for entry in after.busiest
    )
    assert records == pytest.approx(100)
    assert any(report.HasField("latency_p99") for report in reports)
    assert all(0 <= report.latency_p50 <= report.latency_p99 <= 1.0 for report in reports)
    last = reports[-1]
    assert (last.version, [link.alias for link in last.links]) == (VERSION, [alias_of(other)])
    assert last.memory > 1e6
    assert any(report.cpu > 0 for report in reports)


async def test_an_old_coordinator_gets_none(start: Start, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commserver.app.LOAD_INTERVAL_S", INTERVAL_S)
    exchange.speaks_part_2 = False
    server = await start()
    await until(lambda: len(exchange.of(pb.ServerStatusMessage)) > 3, PATIENCE_S, "time enough for a report")
    assert exchange.of(pb.ServerReportMessage) == []
    exchange.speaks_part_2 = True
    await exchange.stop()
    await exchange.start()
    await until(lambda: exchange.of(pb.ServerReportMessage), PATIENCE_S, "the first report")
    await exchange.stop()
    await until(lambda: not server.coordinator.welcomed, PATIENCE_S, "the loss is seen")
    reporter = server.broker._standing._reporter
    dropped, uptime = server.coordinator.dropped, reporter._until
    await until(lambda: reporter._until > uptime + 5 * INTERVAL_S, PATIENCE_S, "intervals go on")
    assert server.coordinator.dropped - dropped <= 3, "some statuses; reports are not even tried"
