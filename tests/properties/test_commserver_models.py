"""The parts of the comm server's core against naive models of a few lines each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commserver.core.counters import Histogram
from commserver.core.deadlines import Deadlines
from commserver.core.flow import Channel, FlowLimits, Overflow, Policy, Queued
from commserver.core.subscriptions import SubscriptionIndex
from service.bucket import TokenBucket

TOPICS = st.sampled_from("abcdef")
TOPIC_SETS = st.sets(TOPICS)
PEERS = st.sampled_from(range(4))


@given(st.lists(st.tuples(st.sampled_from(["replace", "change", "remove"]), PEERS, TOPIC_SETS, TOPIC_SETS)))
def test_subscriptions_are_a_dict_of_sets(steps: list[tuple[str, int, set[str], set[str]]]) -> None:
    index: SubscriptionIndex[int] = SubscriptionIndex()
    model: dict[int, set[str]] = {peer: set() for peer in range(4)}
    for what, peer, some, others in steps:
        before = model[peer]
        if what == "replace":
            assert index.replace(peer, some) == (some - before, before - some)
            model[peer] = some
        elif what == "change":
            index.change(peer, some, others)
            model[peer] = before - others | some
        else:
            assert index.remove(peer) == before
            model[peer] = set()
        for topic in "abcdef":
            assert index.subscribers(topic) == {p for p, topics in model.items() if topic in topics}
        assert {p: set(index.topics(p)) for p in model} == model
        assert set(index.all_topics()) == set().union(*model.values())
        assert index.topic_count == len(set().union(*model.values()))
        assert index.subscription_count == sum(map(len, model.values()))


TIMES = st.integers(0, 20).map(float)


@given(st.lists(st.tuples(st.sampled_from(["set", "once", "cancel", "pop"]), st.sampled_from("abc"), TIMES), max_size=200))
def test_deadlines_are_a_sorted_list(steps: list[tuple[str, str, float]]) -> None:
    deadlines: Deadlines[str] = Deadlines()
    model: list[tuple[float, int, str]] = []
    for number, (what, key, when) in enumerate(steps):
        if what == "pop":
            due = sorted(entry for entry in model if entry[0] <= when)
            assert deadlines.pop_due(when) == [entry[2] for entry in due]
            model = [entry for entry in model if entry[0] > when]
        elif what == "cancel" or what == "set" or all(entry[2] != key for entry in model):
            model = [entry for entry in model if entry[2] != key]
            if what == "cancel":
                deadlines.cancel(key)
            else:
                model.append((when, number, key))
                deadlines.set(key, when) if what == "set" else deadlines.set_once(key, when)
        else:
            deadlines.set_once(key, when)
        assert deadlines.next() == min((entry[0] for entry in model), default=None)
        assert len(deadlines) == len(model)
        assert all((k in deadlines) is any(entry[2] == k for entry in model) for k in "abc")


class NaiveChannel:
    """A list, searched from the front; written for every policy in the plainest way."""

    def __init__(self, limits: FlowLimits) -> None:
        self.limits, self.items, self.paused = limits, list[tuple[object, Queued]](), False

    @property
    def size(self) -> int:
        return sum(len(item.data) for _, item in self.items)

    def push(self, item: Queued, key: object) -> list[Queued] | None:
        policy, room, out = self.limits.policy, self.limits.queue_bytes, []
        if policy is Policy.LATEST and key is not None:
            out = [old for k, old in self.items if k == key]
            self.items = [(k, old) for k, old in self.items if k != key]
        if policy is not Policy.UNBOUNDED and self.size + len(item.data) > room:
            if policy is Policy.BUFFERED:
                return None
            droppable = [entry for entry in self.items if entry[1].topic]
            needed = self.size + len(item.data) - room
            if (policy is Policy.DISCARD and item.topic) or sum(len(i.data) for _, i in droppable) < needed:
                return [*out, item]
            while self.size + len(item.data) > room:
                entry = droppable.pop(0)
                self.items = [other for other in self.items if other is not entry]
                out.append(entry[1])
        self.items.append((key, item))
        return out


MESSAGES = st.tuples(st.integers(0, 40), st.sampled_from(["", "t", "u"]), st.sampled_from([None, "k1", "k2", "k3"]))
FLOW_STEPS = st.lists(st.one_of(MESSAGES, st.integers(0, 120)), max_size=60)


@pytest.mark.parametrize("policy", Policy)
@given(steps=FLOW_STEPS)
def test_flow_control_does_what_its_policy_says_and_never_passes_a_bound(policy: Policy, steps: list[object]) -> None:
    limits = FlowLimits(policy, queue_bytes=60, high_bytes=50, low_bytes=10)
    channel, model = Channel(limits), NaiveChannel(limits)
    for step in steps:
        if isinstance(step, int):
            model.paused = model.paused or step >= limits.high_bytes
            assert channel.buffered(step) is (model.paused and step <= limits.low_bytes)
            if model.paused and step <= limits.low_bytes:
                out = list(channel.drain())
                assert sum(len(item.data) for item in out[:-1]) < limits.high_bytes
                assert out == [item for _, item in model.items[: len(out)]]
                model.items = model.items[len(out) :]
                model.paused = bool(model.items)
        elif isinstance(step, tuple) and channel.paused:
            size, topic, key = step
            item = Queued(b"x" * size, topic, 1)
            expected = model.push(item, key if topic else None)
            try:
                assert channel.push(item, key if topic else None) == expected
            except Overflow:
                assert expected is None
        assert channel.paused is model.paused
        assert channel.queued_bytes == model.size
        assert policy is Policy.UNBOUNDED or channel.queued_bytes <= limits.queue_bytes
    assert channel.clear() == [item for _, item in model.items]


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 5)), max_size=50), st.integers(1, 10), st.integers(1, 10))
def test_no_more_passes_a_bucket_than_its_burst_and_rate(steps: list[tuple[float, int]], rate: int, burst: int) -> None:
    bucket, now, taken = TokenBucket(rate, burst, 0.0), 0.0, 0
    for wait, amount in steps:
        now += wait
        if bucket.take(now, amount):
            taken += amount
        assert taken <= burst + rate * now + 1e-6


@given(st.lists(st.floats(0, 10), max_size=50), st.lists(st.floats(0, 10), min_size=1, max_size=5, unique=True).map(sorted))
def test_a_histogram_counts_what_is_at_most_each_bound(values: list[float], bounds: list[float]) -> None:
    histogram = Histogram(bounds)
    for value in values:
        histogram.observe(value)
    for position, bound in enumerate(bounds):
        assert sum(histogram.counts[: position + 1]) == sum(1 for value in values if value <= bound)
    assert sum(histogram.counts) == len(values)
    assert histogram.sum == pytest.approx(sum(values))
