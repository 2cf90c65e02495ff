"""The busiest topics of several servers together."""

from __future__ import annotations

from coordinator.core.busiest import MAX_TOPICS, busiest
from protocol.pb import broker_pb2 as pb
from tests.support.reports import a_report


def topic(name: str, subscribers: int, rate: float, deliveries: float | None = None) -> pb.TopicTraffic:
    """As a server reports it, whose own clients have no part in publishing."""
    out = subscribers * rate if deliveries is None else deliveries
    return pb.TopicTraffic(topic=name, subscribers=subscribers, records_per_second=rate, deliveries_per_second=out)


def test_of_one_server() -> None:
    assert busiest({1: a_report(busiest=[topic("a", 3, 10, 25), topic("b", 10, 5)])}) == [
        {"topic": "b", "subscribers": 10, "records_per_s": 5, "deliveries_per_s": 50},
        {"topic": "a", "subscribers": 3, "records_per_s": 10, "deliveries_per_s": 25},
    ]


def test_servers_that_see_the_same_records_are_not_added_up() -> None:
    reports = {1: a_report(links={2: 0}, busiest=[topic("a", 3, 10)]), 2: a_report(links={1: 0}, busiest=[topic("a", 1, 9)])}
    assert busiest(reports) == [{"topic": "a", "subscribers": 4, "records_per_s": 10, "deliveries_per_s": 39}]


def test_publishers_on_servers_without_subscribers_of_their_own() -> None:
    """The subscriber's server counts everything; that of a publisher names the topic, and nobody there is given it."""
    reports = {
        1: a_report(links={2: 0, 3: 0}, busiest=[topic("a", 1, 20)]),
        2: a_report(links={1: 0, 3: 0}, busiest=[topic("a", 0, 10)]),
        3: a_report(links={1: 0, 2: 0}, busiest=[topic("a", 0, 10)]),
    }
    assert busiest(reports) == [{"topic": "a", "subscribers": 1, "records_per_s": 20, "deliveries_per_s": 20}]


def test_twenty_are_enough() -> None:
    reports = {alias: a_report(busiest=[topic(f"{alias}/{n}", alias, n) for n in range(10)]) for alias in range(1, 6)}
    found = busiest(reports)
    assert len(found) == MAX_TOPICS
    assert found[0]["topic"] == "5/9"
    assert [entry["deliveries_per_s"] for entry in found] == sorted((entry["deliveries_per_s"] for entry in found), reverse=True)


def test_of_nobody() -> None:
    assert busiest({}) == []
