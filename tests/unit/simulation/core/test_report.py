"""What is said of a run, and when it is a success."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulation.core.disruption import Disruption
from simulation.core.latency import Histogram, Timeline
from simulation.core.ledger import Affected, Tally
from simulation.core.outages import Death, Outage
from simulation.core.report import Counts, Report, ServerCost

ISSUE_FIELDS = {
    "clients",
    "servers",
    "seconds",
    "sent",
    "expected",
    "delivered",
    "loss",
    "rate_per_s",
    "latency_ms",
    "connect_ms",
    "server_cpu_s",
    "cpu_us_per_delivery",
    "server_rss_mb",
}


def report(**changes: Any) -> Report:
    timeline, connect = Timeline(), Histogram()
    for number in range(100):
        timeline.add(number / 10, 0.001 * (number + 1))
    connect.add(0.05)
    counts = Counts(joins=3, sent=500, received=1010, tally=Tally(expected=1000, delivered=1000))
    found = Report(
        scenario="dense",
        seconds=10.0,
        counts=counts,
        latency=timeline,
        connect=connect,
        presence=[(0, 5), (1, 6), (5.5, 9)],
        cost=ServerCost(servers=2, cpu_s=1.01, rss_bytes=80_000_000),
        max_loss=0.001,
    )
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def test_the_document_has_the_fields_that_were_promised() -> None:
    document = report().document()
    assert document.keys() >= ISSUE_FIELDS
    assert document["latency_ms"].keys() == {"p50", "p90", "p99", "max"}
    assert document["connect_ms"].keys() == {"p50", "p99"}
    assert json.loads(json.dumps(document)) == document


def test_the_figures() -> None:
    document = report().document()
    expected = {
        "clients": 3,
        "servers": 2,
        "seconds": 10.0,
        "sent": 500,
        "expected": 1000,
        "delivered": 1000,
        "loss": 0.0,
        "rate_per_s": 101.0,
        "server_cpu_s": 1.01,
        "cpu_us_per_delivery": 1000.0,
        "server_rss_mb": 80.0,
        "peak_clients": 2,
        "problems": [],
    }
    assert {name: document[name] for name in expected} == expected
    assert document["latency_ms"]["max"] == 100.0
    assert document["latency_ms"]["p50"] == pytest.approx(50, rel=0.011)
    assert document["connect_ms"]["p99"] == 50.0


def test_of_a_cluster_that_was_not_started_here_the_cost_is_unknown() -> None:
    document = report(cost=None).document()
    assert [document[name] for name in ("servers", "server_cpu_s", "cpu_us_per_delivery", "server_rss_mb")] == [None] * 4
    assert not any("CPU" in name for name, _ in report(cost=None).rows())


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        (Counts(tally=Tally(10_000, 9_989)), "loss 0.11% is over 0.10% (11 deliveries are missing)"),
        (Counts(tally=Tally(10, 10, duplicates=1)), "1 duplicates"),
        (Counts(tally=Tally(10, 10, misroutes=2)), "2 misroutes"),
        (Counts(joins=3, failed=1, tally=Tally(10, 10)), "1 of 4 clients could not connect"),
        (Counts(), "no delivery was expected: nothing was measured"),
    ],
)
def test_what_makes_a_run_fail(counts: Counts, problem: str) -> None:
    assert report(counts=counts).problems == [problem]
    assert report(counts=counts).document()["problems"] == [problem]


def test_a_little_loss_is_allowed() -> None:
    assert report(counts=Counts(tally=Tally(10_000, 9_990))).problems == []


def test_a_tiny_loss_is_not_shown_as_none() -> None:
    rows = dict(report(counts=Counts(tally=Tally(1_000_000, 999_999))).rows())
    assert rows["loss"] == "0.0001%"


def test_the_table_says_what_a_replay_is_about() -> None:
    rows = dict(report(counts=Counts(joins=3, leaves=2, cell_changes=40, reconnects=1, received=5)).rows())
    assert rows["coming and going"] == "3 joins, 2 leaves, at most 2 at once"
    assert rows["cell changes"] == "40"
    assert rows["reconnects"] == "1"


def test_the_table_warns_of_bots_that_could_not_keep_up() -> None:
    assert "beware" not in dict(report().rows())
    assert "80 ms late" in dict(report(generator_lag_s=0.08).rows())["beware"]


def test_a_run_without_any_delivery_has_a_table_and_a_document() -> None:
    empty = report(counts=Counts(), latency=Timeline(), connect=Histogram())
    assert dict(empty.rows())["latency"] == "-"
    assert empty.document()["latency_ms"] == {"p50": None, "p90": None, "p99": None, "max": None}
    assert empty.document()["cpu_us_per_delivery"] is None


def test_counts_add_up() -> None:
    total = Counts(1, 2, 3, 4, 5, 6, 7, 8, 9, Tally(1, 1, 1, 1))
    total.add(Counts(10, 20, 30, 40, 50, 60, 70, 80, 90, Tally(1, 1, 1, 1)))
    assert total == Counts(11, 22, 33, 44, 55, 66, 77, 88, 99, Tally(2, 2, 2, 2))


def test_what_was_killed_and_who_was_out_is_part_of_it() -> None:
    outage = Outage(client=1, server=7, since=10.0, until=14.0, death=Death("server/1", 10.0, 7))
    disruption = Disruption(deaths=[Death("server/1", 10.0, 7)], outages=[outage], max_outage_s=3.0)
    counts = Counts(tally=Tally(10, 10, affected=Affected(8, 8, 3)))
    found = report(disruption=disruption, counts=counts)
    assert found.problems == ["1 client out for longer than 3 s, 4.00 s at most"]
    assert found.document()["affected"] == {"clients": 1, "expected": 8, "delivered": 8, "missed": 3}
    assert dict(found.rows())["delivered"] == "10 of 10 expected between the other clients"
    assert "outages" in dict(found.rows())
    assert report().document()["outages"]["each"] == report().document()["kills"] == []


def test_where_everybody_was_affected_something_was_measured_still() -> None:
    assert report(counts=Counts(tally=Tally(affected=Affected(expected=1)))).problems == []
