"""Silence: pinged after an interval, given up after the timeout."""

from __future__ import annotations

from coordinator.core.heartbeat import LATE_S, Due, Heartbeats


def due(heartbeats: Heartbeats, now: float) -> list[tuple[int, Due]]:
    return list(heartbeats.due(now))


def test_who_is_silent_is_pinged_and_then_given_up() -> None:
    hearts = Heartbeats(10, 5)
    assert hearts.next_deadline() is None
    hearts.add(1, 0)
    assert hearts.next_deadline() == 10
    assert due(hearts, 9.9) == []
    assert due(hearts, 10) == [(1, Due.PING)]
    assert hearts.next_deadline() == 15
    assert due(hearts, 14.9) == []
    assert due(hearts, 15) == [(1, Due.DEAD)]
    assert due(hearts, 100) == []
    assert hearts.next_deadline() is None


def test_an_answer_saves_it_until_the_next_silence() -> None:
    hearts = Heartbeats(10, 5)
    hearts.add(1, 0)
    assert due(hearts, 10) == [(1, Due.PING)]
    hearts.heard(1, 11)
    assert due(hearts, 15) == []
    assert hearts.next_deadline() == 21
    assert due(hearts, 21) == [(1, Due.PING)]
    assert due(hearts, 26) == [(1, Due.DEAD)]


def test_who_talks_is_not_pinged() -> None:
    hearts = Heartbeats(10, 5)
    hearts.add(1, 0)
    for now in range(1, 100):
        hearts.heard(1, now)
        assert due(hearts, now) == []


def test_each_has_its_own_silence() -> None:
    hearts = Heartbeats(10, 5)
    hearts.add(1, 0)
    hearts.add(2, 3)
    assert due(hearts, 10) == [(1, Due.PING)]
    assert due(hearts, 13) == [(2, Due.PING)]
    hearts.heard(2, 13.5)
    assert due(hearts, 15) == [(1, Due.DEAD)]
    assert due(hearts, 18) == []


def test_who_has_left_is_passed_over() -> None:
    hearts = Heartbeats(10, 5)
    hearts.add(1, 0)
    hearts.remove(1)
    hearts.remove(1)
    hearts.heard(1, 5)
    assert due(hearts, 10) == []
    assert hearts.next_deadline() is None


def test_a_process_that_stood_still_gives_its_peers_another_chance() -> None:
    hearts = Heartbeats(10, 5)
    hearts.add(1, 0)
    assert due(hearts, 10) == [(1, Due.PING)]
    assert due(hearts, 60) == []
    assert hearts.next_deadline() == 60 + LATE_S
    hearts.heard(1, 60)
    assert due(hearts, 60 + LATE_S) == []
    assert due(hearts, 70) == [(1, Due.PING)]
    assert due(hearts, 75) == [(1, Due.DEAD)]


def test_the_heap_does_not_grow_with_what_is_said() -> None:
    hearts = Heartbeats(10, 5)
    hearts.add(1, 0)
    for now in range(1_000):
        hearts.heard(1, now)
        due(hearts, now)
    assert len(hearts._heap) == 1
