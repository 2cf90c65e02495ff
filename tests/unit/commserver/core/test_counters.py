"""Counting, bounded."""

from __future__ import annotations

from commserver.core.counters import MAX_COUNTED_TOPICS, OTHER_TOPICS, Counters, Histogram


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
