"""Reports: totals, what happened since the last one, and bounds."""

from __future__ import annotations

import random

import pytest

from commserver.core.config import BrokerConfig
from commserver.core.counters import LATENCY_BOUNDS_S, MAX_BUSY_TOPICS, Traffic
from commserver.core.events import ReportDue
from commserver.core.report import Reporter, quantile
from commserver.core.session import Session, SessionLimits, new_session
from commserver.core.state import State
from protocol import signalling
from protocol.limits import MAX_ALIAS, MAX_REPORT_DROPS, MAX_REPORT_EVENTS, MAX_REPORT_LINKS, MAX_REPORT_TOPICS, MAX_SIGNAL_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole, anonymous


@pytest.fixture
def state() -> State:
    config = BrokerConfig()
    return State(config, lambda _: anonymous(TokenRole.CLIENT), str, random.Random(0))


def peer(state: State, role: TokenRole | None = TokenRole.CLIENT, alias: int = 0) -> Session:
    """A peer that is active in its role, or still negotiating."""
    link = state.peers.new_link()
    limits = SessionLimits(state.config.reliable, state.config.unreliable)
    session = new_session(link, alias or link, dialed=False, limits=limits, now=0.0)
    if role is not None:
        session.activate(anonymous(role), [pb.BATCH])
    state.peers.add(session)
    return session


def server(state: State, alias: int, traffic: Traffic) -> Session:
    session = peer(state, TokenRole.COMMUNICATION_SERVER, alias)
    state.counters.links[session.link] = traffic
    return session


def report_of(reporter: Reporter, uptime: float = 1.0, version: str = "1.2.3") -> pb.ServerReportMessage:
    message = signalling.decode_signal(reporter.report(ReportDue(version, uptime, cpu=0.25, memory=1_000)))
    assert isinstance(message, pb.ServerReportMessage)
    return signalling.check_report(message)


def test_a_server_that_did_nothing(state: State) -> None:
    assert report_of(Reporter(state)) == pb.ServerReportMessage(
        type=pb.SERVER_REPORT, version="1.2.3", uptime=1.0, cpu=0.25, memory=1_000
    )


def test_totals_are_those_of_the_core(state: State) -> None:
    client, _, _ = peer(state), peer(state), peer(state, None)
    server(state, 77, Traffic(1, 2, 3, 4))
    state.subscribe(client, {"a", "b"}, set())
    state.counters.channels = (Traffic(1, 10, 2, 20), Traffic(3, 30, 4, 40))
    state.counters.records_relayed, state.counters.deliveries = 5, 6
    state.counters.drop("stale", "a", 7)
    state.counters.drop("queue full", "a", 8)
    reporter = Reporter(state)
    for uptime in (1.0, 2.0):
        report = report_of(reporter, uptime)
        assert (report.clients, report.topics, report.subscriptions) == (2, 2, 2)
        assert (report.packets_in, report.bytes_in, report.packets_out, report.bytes_out) == (4, 40, 6, 60)
        assert (report.records_relayed, report.deliveries) == (5, 6)
        assert {drop.reason: drop.count for drop in report.drops} == {"stale": 7, "queue full": 8}
        assert list(report.links) == [pb.LinkTraffic(alias=77, packets_in=1, bytes_in=2, packets_out=3, bytes_out=4)]


def test_latency_is_that_of_the_interval(state: State) -> None:
    histogram = state.counters.relay_latency
    histogram.observe(0.9, times=1_000)  # before anybody looked
    reporter = Reporter(state)
    assert not report_of(reporter, 1.0).HasField("latency_p50")
    histogram.observe(0.003, times=98)
    histogram.observe(0.2, times=2)
    report = report_of(reporter, 2.0)
    assert 0.0025 < report.latency_p50 < 0.005
    assert 0.1 < report.latency_p99 < 0.25
    assert not report_of(reporter, 3.0).HasField("latency_p99")


def test_the_busiest_topics_of_the_interval(state: State) -> None:
    client, other, linked = peer(state), peer(state), server(state, 99, Traffic())
    state.subscribe(client, {"a", "b"}, set())
    state.subscribe(other, {"a"}, set())
    state.subscribe(linked, {"a", "b", "c"}, set())
    reporter = Reporter(state)
    report_of(reporter, 10.0)
    for topic, records in (("b", 4), ("a", 1), ("gone", 2), ("c", 2)):
        state.counters.topics[topic].records += records
    state.counters.topics["a"].from_subscribers = 1
    assert list(report_of(reporter, 12.0).busiest) == [
        pb.TopicTraffic(topic="b", subscribers=1, records_per_second=2.0, deliveries_per_second=2.0),
        pb.TopicTraffic(topic="c", records_per_second=1.0),
        pb.TopicTraffic(topic="gone", records_per_second=1.0),
        pb.TopicTraffic(topic="a", subscribers=2, records_per_second=0.5, deliveries_per_second=0.5),
    ]
    assert not report_of(reporter, 13.0).busiest


def test_an_interval_without_time_has_no_rates(state: State) -> None:
    reporter = Reporter(state)
    report_of(reporter, 1.0)
    state.counters.topics["a"].records += 1
    assert not report_of(reporter, 1.0).busiest


def test_what_is_skipped_is_in_no_report(state: State) -> None:
    reporter = Reporter(state)
    state.counters.topics["a"].records += 1
    state.counters.relay_latency.observe(0.1)
    state.counters.records_relayed += 1
    state.peer_events.joined(peer(state))
    reporter.skip(ReportDue("", 1.0, 0.0, 0))
    state.counters.topics["b"].records += 3
    report = report_of(reporter, 2.0)
    assert [(entry.topic, entry.records_per_second) for entry in report.busiest] == [("b", 3.0)]
    assert not report.HasField("latency_p50")
    assert not report.events
    assert report.records_relayed == 1


def test_the_worst_second_fits_a_frame(state: State) -> None:
    for number in range(MAX_REPORT_LINKS + 50):
        server(state, MAX_ALIAS - number, Traffic(*[2**60 + number] * 4))
    for number in range(2 * MAX_BUSY_TOPICS):
        state.counters.topics[f"{number}/" + "ä" * 200].records += number
    for number in range(2 * MAX_REPORT_DROPS):
        state.counters.drop(f"{number} " + "ü" * 100, "t", 2**60 + number)
    for number in range(2 * MAX_REPORT_EVENTS):
        state.peer_events.refused(MAX_ALIAS - number, 4210, pb.COMMUNICATION_SERVER_HUB)
    frame = Reporter(state).report(ReportDue("v" * 100, 1e9, 1e9, 2**62))
    assert len(frame) <= MAX_SIGNAL_BYTES
    report = signalling.decode_signal(frame)
    assert isinstance(report, pb.ServerReportMessage)
    assert len(report.links) == MAX_REPORT_LINKS
    assert report.links[0].alias == MAX_ALIAS - (MAX_REPORT_LINKS + 50 - 1), "the busiest"
    assert len(report.busiest) == MAX_REPORT_TOPICS
    assert report.busiest[0].topic.startswith(f"{MAX_BUSY_TOPICS - 1}/"), "the first so many are counted by name"
    assert len(report.drops) == MAX_REPORT_DROPS
    assert (len(report.events), report.events_lost) == (MAX_REPORT_EVENTS, MAX_REPORT_EVENTS)


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([4, 0, 0, 0], 0.5, 0.5),
        ([4, 0, 0, 0], 1.0, 1.0),
        ([0, 4, 0, 0], 0.0, 1.0),
        ([0, 4, 0, 0], 0.25, 1.25),
        ([2, 2, 0, 0], 0.5, 1.0),
        ([2, 0, 2, 0], 0.75, 3.0),
        ([0, 0, 0, 1], 0.5, 4.0),
        ([1, 0, 0, 99], 0.5, 4.0),
    ],
)
def test_quantiles_are_straight_lines_within_buckets(counts: list[int], share: float, expected: float) -> None:
    assert quantile([1.0, 2.0, 4.0], counts, share) == expected


def test_a_quantile_is_in_the_bucket_of_the_value(state: State) -> None:
    rng = random.Random(1)
    values = sorted(rng.uniform(0, 1) ** 4 for _ in range(1_000))
    for value in values:
        state.counters.relay_latency.observe(value)
    for share in (0.5, 0.99):
        exact = values[round(share * 1_000) - 1]
        lower = max((bound for bound in LATENCY_BOUNDS_S if bound < exact), default=0.0)
        upper = min(bound for bound in LATENCY_BOUNDS_S if bound >= exact)
        assert lower <= quantile(LATENCY_BOUNDS_S, state.counters.relay_latency.counts, share) <= upper
