"""One channel's queue under each policy."""

from __future__ import annotations

import pytest

from commserver.core.flow import Channel, FlowLimits, Overflow, Policy, Queued

HIGH, LOW, ROOM = 100, 10, 30


def channel(policy: Policy, *, paused: bool = True) -> Channel:
    made = Channel(FlowLimits(policy, queue_bytes=ROOM, high_bytes=HIGH, low_bytes=LOW))
    if paused:
        assert not made.buffered(HIGH)
    return made


def item(name: str, size: int = 10, topic: str = "t") -> Queued:
    return Queued(name.encode().ljust(size, b"."), topic, 1 if topic else 0)


def names(items: list[Queued]) -> list[str]:
    return [one.data.decode().rstrip(".") for one in items]


def waiting(made: Channel) -> list[str]:
    return names(list(made.drain()))


def test_it_pauses_at_the_high_mark_and_opens_at_the_low_one() -> None:
    made = channel(Policy.BUFFERED, paused=False)
    steps = [(made.buffered(amount), made.paused) for amount in (HIGH - 1, HIGH, LOW + 1, LOW)]
    assert steps == [(False, False), (False, True), (False, True), (True, True)]
    assert (waiting(made), made.paused) == ([], False)


def test_what_waited_goes_out_in_order_up_to_the_high_mark() -> None:
    made = Channel(FlowLimits(Policy.UNBOUNDED, queue_bytes=ROOM, high_bytes=HIGH, low_bytes=LOW))
    made.buffered(HIGH)
    for n in range(25):
        made.push(item(str(n)))
    first = [str(n) for n in range(10)]
    assert (waiting(made), made.paused, made.queued_bytes) == (first, True, 150), "more waits: nothing may overtake it"
    made.push(item("25"))
    rest = [str(n) for n in range(10, 26)]
    assert (waiting(made) + waiting(made), made.paused, made.queued_bytes) == (rest, False, 0)


def test_discard_drops_the_new() -> None:
    made = channel(Policy.DISCARD)
    assert [names(made.push(item(n))) for n in "abcd"] == [[], [], [], ["d"]]
    assert waiting(made) == ["a", "b", "c"]


def test_drop_oldest_makes_room() -> None:
    made = channel(Policy.DROP_OLDEST)
    assert [names(made.push(item(n))) for n in "abcd"] == [[], [], [], ["a"]]
    assert names(made.push(item("e", 15))) == ["b", "c"]
    assert waiting(made) == ["d", "e"]


def test_drop_oldest_does_not_empty_the_queue_for_what_never_fits() -> None:
    made = channel(Policy.DROP_OLDEST)
    for name in "ab":
        made.push(item(name))
    assert names(made.push(item("huge", ROOM + 1))) == ["huge"]
    assert waiting(made) == ["a", "b"]


@pytest.mark.parametrize("policy", [Policy.DROP_OLDEST, Policy.LATEST, Policy.DISCARD])
def test_messages_about_no_topic_are_not_dropped_for_others(policy: Policy) -> None:
    made = channel(policy)
    for name, topic in (("ready", ""), ("a", "t"), ("b", "t")):
        assert made.push(item(name, topic=topic)) == []
    assert names(made.push(item("subscribed", 20, topic=""))) == ["a", "b"]
    assert names(made.push(item("c"))) == ["c"]
    assert waiting(made) == ["ready", "subscribed"]


def test_buffered_overflows() -> None:
    made = channel(Policy.BUFFERED)
    for name in "abc":
        assert made.push(item(name)) == []
    with pytest.raises(Overflow):
        made.push(item("d", 1))
    assert waiting(made) == ["a", "b", "c"]


def test_latest_keeps_only_the_newest_of_each_key() -> None:
    made = channel(Policy.LATEST)
    made.push(item("a1"), key="a")
    made.push(item("b1"), key="b")
    assert names(made.push(item("a2"), key="a")) == ["a1"]
    made.push(item("batch"))
    assert names(made.push(item("c1"), key="c")) == ["b1"]
    assert waiting(made) == ["a2", "batch", "c1"]


def test_clear_gives_back_what_waited() -> None:
    made = channel(Policy.BUFFERED)
    made.push(item("a"))
    assert names(made.clear()) == ["a"]
    assert made.queued_bytes == 0
    assert made.clear() == []
