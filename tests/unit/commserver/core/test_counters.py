"""Counting, bounded."""

from __future__ import annotations

from commserver.core.counters import MAX_COUNTED_TOPICS, OTHER_TOPICS, Counters, Histogram, Tallies, Tally, Traffic


def test_histogram_counts_in_buckets_with_inclusive_bounds() -> None:
    histogram = Histogram([1.0, 2.0])
    for value in (0.5, 1.0, 1.5, 5.0):
        histogram.observe(value)
    histogram.observe(2.0, times=3)
    assert histogram.counts == [2, 4, 1]
    assert histogram.sum == 14.0


def test_drops_are_counted_by_reason_and_topic() -> None:
    counters = Counters()
    counters.drop("queue full", "a", 2)
    counters.drop("queue full", "b")
    counters.drop("rate limit", "a")
    assert counters.dropped == {"queue full": 3, "rate limit": 1}
    assert counters.dropped_by_topic == {("a", "queue full"): 2, ("b", "queue full"): 1, ("a", "rate limit"): 1}


def test_strangers_cannot_grow_the_counters() -> None:
    counters = Counters()
    for n in range(10 * MAX_COUNTED_TOPICS):
        counters.drop("queue full", f"topic/{n}")
    assert len(counters.dropped_by_topic) == MAX_COUNTED_TOPICS + 1
    assert counters.dropped_by_topic[OTHER_TOPICS, "queue full"] == 9 * MAX_COUNTED_TOPICS
    assert counters.dropped["queue full"] == 10 * MAX_COUNTED_TOPICS


def test_links_to_servers_are_counted_one_by_one() -> None:
    counters = Counters()
    counters.links = {3: Traffic(), 5: Traffic()}
    counters.sent([1, 3, 2, 5], 10, False)
    counters.sent((3,), 100, True)
    counters.sent((1,), 1_000, True)
    counters.received(5, 7, True)
    counters.received(1, 9, False)
    assert counters.links == {3: Traffic(0, 0, 2, 110), 5: Traffic(1, 7, 1, 10)}
    assert counters.channels == (Traffic(1, 9, 4, 40), Traffic(1, 7, 2, 1_100))


def test_records_are_tallied_by_topic_up_to_a_bound() -> None:
    tallies = Tallies(most=2)
    for topic, records in (("a", 1), ("b", 2), ("c", 3), ("a", 4), ("d", 5)):
        tallies[topic].records += records
    assert tallies == {"a": Tally(5), "b": Tally(2)}
    assert tallies.rest == Tally(8)
