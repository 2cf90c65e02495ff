"""Percentiles are right within a bucket, in bounded memory."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.core.latency import Histogram, Timeline

LATENCIES = st.lists(st.floats(2e-6, 50), min_size=1, max_size=200)


def filled(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def test_nothing_has_no_percentile() -> None:
    assert Histogram().percentile(50) is None


@given(LATENCIES, st.floats(0.1, 100))
def test_a_percentile_is_right_within_one_percent(values: list[float], percent: float) -> None:
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    assert filled(values).percentile(percent) == pytest.approx(exact, rel=0.011)


@given(LATENCIES)
def test_the_highest_is_exact(values: list[float]) -> None:
    assert filled(values).percentile(100) == max(values)


@given(LATENCIES, LATENCIES)
def test_merging_is_counting_both(one: list[float], other: list[float]) -> None:
    merged = filled(one)
    merged.merge(filled(other))
    assert merged == filled(one + other)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1e-9, 100.0, 1e6])
def test_values_outside_stay_in_the_outermost_buckets(seconds: float) -> None:
    histogram = filled([seconds])
    assert histogram.count == 1
    assert len(list(histogram.filled())) == 1


def test_the_filled_buckets_are_told_in_order() -> None:
    (low, twice), (high, once) = filled([0.001, 0.001, 0.1]).filled()
    assert (twice, once) == (2, 1)
    assert low == pytest.approx(0.001, rel=0.011)
    assert high == pytest.approx(0.1, rel=0.011)


def test_a_timeline_has_a_histogram_for_each_slice() -> None:
    timeline = Timeline(slice_s=0.5)
    for at, seconds in ((0.1, 0.01), (0.4, 0.02), (1.7, 0.03)):
        timeline.add(at, seconds)
    assert [(at, histogram.count) for at, histogram in timeline.points()] == [(0.25, 2), (1.75, 1)]
    assert timeline.total().count == 3


def test_a_long_timeline_gets_coarser_and_loses_nothing() -> None:
    timeline = Timeline(slice_s=0.5, max_slices=4)
    for number in range(100):
        timeline.add(number * 0.5, 0.01)
    assert len(timeline.slices) <= 4
    assert timeline.total().count == 100
    assert timeline.slice_s == 16.0


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(1e-5, 1)), max_size=60), st.integers(0, 60))
def test_timelines_merge_whatever_their_slices(values: list[tuple[float, float]], split: int) -> None:
    one, other, whole = Timeline(max_slices=8), Timeline(max_slices=8), Timeline(max_slices=8)
    for number, (at, seconds) in enumerate(values):
        (one if number < split else other).add(at, seconds)
        whole.add(at, seconds)
    one.merge(other)
    assert one.total() == whole.total()
    assert len(one.slices) <= 8
