"""One server's numbers: rates from totals, over the server's own time."""

from __future__ import annotations

from typing import Any

from coordinator.core.figures import HISTORY_POINTS, MAX_MEASURE, NO_TRAFFIC, Figures
from protocol.pb import broker_pb2 as pb
from tests.support.reports import UINT64, a_report

NOW = 1_800_000_000.0


def after(*reports: pb.ServerReportMessage) -> Figures:
    figures = Figures()
    for number, report in enumerate(reports):
        figures.take(report, NOW + number)
    return figures


def drop(**counts: int) -> list[pb.ReasonCount]:
    return [pb.ReasonCount(reason=reason, count=count) for reason, count in counts.items()]


TOTALS: dict[str, Any] = {
    "packets_in": 10,
    "packets_out": 100,
    "bytes_in": 1_000,
    "bytes_out": 10_000,
    "records_relayed": 20,
    "deliveries": 30,
}


def test_a_first_report_says_nothing_of_a_second() -> None:
    figures = after(a_report(**TOTALS, links={7: 50}, drops=drop(stale=3)))
    assert figures.rates == NO_TRAFFIC
    assert figures.links(fresh=True) == [{"alias": "7", "bytes_in": 0, "bytes_out": 0}]
    assert figures.drops(fresh=True) == [{"reason": "stale", "count": 3, "rate": 0}]


def test_rates_are_per_second_of_the_servers_time() -> None:
    """Half the time lies between these two at the coordinator, which says nothing."""
    doubled = {name: 2 * count for name, count in TOTALS.items()}
    figures = after(a_report(10.0, **TOTALS, links={7: 50}), a_report(12.0, **doubled, links={7: 60, 8: 5}))
    assert figures.rates == {
        "packets_in": 5,
        "packets_out": 50,
        "bytes_in": 500,
        "bytes_out": 5_000,
        "records": 10,
        "deliveries": 15,
    }
    assert figures.links(fresh=True) == [
        {"alias": "7", "bytes_in": 5, "bytes_out": 10},
        {"alias": "8", "bytes_in": 0, "bytes_out": 0},
    ]
    assert [link["bytes_in"] for link in figures.links(fresh=False)] == [0, 0]
    assert figures.linked() == {7, 8}


def test_a_link_that_was_made_anew_began_at_nothing() -> None:
    figures = after(a_report(10.0, links={7: 50}), a_report(12.0, links={7: 20}))
    assert figures.links(fresh=True) == [{"alias": "7", "bytes_in": 10, "bytes_out": 20}]


def test_drops_by_reason_the_most_frequent_first() -> None:
    figures = after(a_report(10.0, drops=drop(stale=5)), a_report(12.0, drops=drop(stale=6, full=8)))
    assert figures.drops(fresh=True) == [
        {"reason": "full", "count": 8, "rate": 4},
        {"reason": "stale", "count": 6, "rate": 0.5},
    ]
    assert [drop["rate"] for drop in figures.drops(fresh=False)] == [0, 0]
    assert figures.history()[-1]["drops"] == 4.5


def test_a_server_that_began_anew_has_no_rates_at_first() -> None:
    for again in (a_report(1.0, **TOTALS), a_report(11.0, **TOTALS | {"deliveries": 3})):
        figures = after(a_report(10.0, **TOTALS, drops=drop(stale=9)), again)
        assert figures.rates == NO_TRAFFIC
        figures.take(a_report(again.uptime + 1, **TOTALS | {"packets_in": 17}), NOW)
        assert figures.rates["packets_in"] == 7


def test_latency_is_there_when_something_was_relayed() -> None:
    figures = after(a_report(latency_p50=0.0015, latency_p99=0.02))
    assert figures.latency() == {"p50": 1.5, "p99": 20}
    figures.take(a_report(11.0), NOW)
    assert figures.latency() is None
    assert [(point["p50_ms"], point["p99_ms"]) for point in figures.history()] == [(1.5, 20), (None, None)]


def test_a_point_a_report_for_two_minutes() -> None:
    figures = after(*(a_report(float(second), clients=second, packets_out=second * second, cpu=0.25) for second in range(200)))
    history = figures.history()
    assert len(history) == HISTORY_POINTS
    assert history[-1] == {
        "time": NOW + 199,
        "clients": 199,
        "packets_in": 0,
        "packets_out": 397,
        "bytes_in": 0,
        "bytes_out": 0,
        "drops": 0,
        "p50_ms": None,
        "p99_ms": None,
        "cpu": 0.25,
    }
    assert [point["time"] for point in history] == [NOW + second for second in range(80, 200)]


def test_no_number_gets_out_of_hand() -> None:
    figures = after(
        a_report(10.0), a_report(10.0, bytes_in=UINT64, links={7: 0}, latency_p50=1e308, latency_p99=1e308, cpu=1e308)
    )
    assert figures.rates["bytes_in"] == MAX_MEASURE
    assert figures.latency() == {"p50": MAX_MEASURE, "p99": MAX_MEASURE}
    assert figures.history()[-1]["cpu"] == MAX_MEASURE


def test_nothing_is_known_before_the_first_report() -> None:
    figures = Figures()
    assert (figures.drops(fresh=True), figures.links(fresh=True), figures.history()) == ([], [], [])
    assert (figures.latency(), figures.linked()) == (None, frozenset())
