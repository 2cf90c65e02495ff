"""Named deadlines on one heap."""

from __future__ import annotations

from commserver.core.deadlines import Deadlines


def test_the_earliest_is_next_and_due_keys_come_in_order() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for key, when in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        deadlines.set(key, when)
    assert deadlines.next() == 1.0
    assert deadlines.pop_due(2.0) == ["a", "b"]
    assert deadlines.next() == 3.0
    assert deadlines.pop_due(2.9) == []


def test_setting_again_moves_and_cancelling_forgets() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 1.0)
    deadlines.set("a", 5.0)
    assert deadlines.pop_due(4.0) == []
    assert deadlines.next() == 5.0
    deadlines.cancel("a")
    deadlines.cancel("never there")
    assert deadlines.next() is None
    assert "a" not in deadlines


def test_set_once_keeps_what_is_there() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set_once("a", 5.0)
    deadlines.set_once("a", 1.0)
    assert deadlines.next() == 5.0
    assert len(deadlines) == 1


def test_equal_times_keep_the_order_they_were_set_in() -> None:
    deadlines: Deadlines[object] = Deadlines()
    keys = [object() for _ in range(5)]  # cannot be compared with each other
    for key in keys:
        deadlines.set(key, 1.0)
    assert deadlines.pop_due(1.0) == keys


def test_a_key_that_is_moved_for_ever_does_not_grow_the_heap() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for n in range(10_000):
        deadlines.set("idle", 1_000.0 + n)
    assert len(deadlines._heap) < 100
    assert deadlines.pop_due(1e9) == ["idle"]
