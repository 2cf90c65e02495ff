"""Answers count until they have left, and have to leave in time."""

from __future__ import annotations

from service.leaving import LEAVING_BYTES, LEAVING_S, Leaving


class Held:
    """Answers of ten bytes, by name."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.leaving = Leaving()

    def begin(self, name: str, left: int = 0, now: float = 0.0) -> None:
        self.names.append(name)
        self.leaving.begin(lambda: self.names.remove(name), left, now)


def test_each_counts_until_its_last_byte_has_left() -> None:
    held = Held()
    held.begin("a")
    assert held.leaving.is_in_time(50, 1), "it is not handed over, so more may come"
    assert held.names == ["a"]
    held.leaving.handed_over(100)
    held.begin("b")
    held.leaving.handed_over(200)
    assert held.leaving.is_in_time(99, 2)
    assert held.names == ["a", "b"]
    assert held.leaving.is_in_time(100, 3)
    assert held.names == ["b"]
    assert held.leaving.is_in_time(200, 4)
    assert not held.leaving
    assert held.names == []


def test_one_of_which_nothing_leaves_has_so_much_time() -> None:
    held = Held()
    held.begin("a", now=100)
    held.leaving.handed_over(1_000)
    assert held.leaving.is_in_time(0, 100 + LEAVING_S - 0.1)
    assert not held.leaving.is_in_time(0, 100 + LEAVING_S)


def test_the_next_one_gives_it_no_more_time() -> None:
    held = Held()
    held.begin("a")
    held.leaving.handed_over(1_000)
    held.begin("b", now=LEAVING_S - 1)
    assert not held.leaving.is_in_time(0, LEAVING_S)


def test_one_that_leaves_byte_by_byte_has_no_more() -> None:
    held = Held()
    held.begin("a")
    held.leaving.handed_over(10 * LEAVING_BYTES)
    assert all(held.leaving.is_in_time(int(now), now) for now in range(int(LEAVING_S)))
    assert not held.leaving.is_in_time(LEAVING_BYTES - 1, LEAVING_S)


def test_one_that_leaves_slowly_has_the_time_it_takes() -> None:
    held = Held()
    held.begin("a")
    held.leaving.handed_over(10 * LEAVING_BYTES)
    for step in range(1, 10):
        assert held.leaving.is_in_time(step * LEAVING_BYTES, step * (LEAVING_S - 1))
    assert held.leaving.is_in_time(10 * LEAVING_BYTES, 10 * (LEAVING_S - 1))
    assert held.names == []


def test_many_small_ones_of_which_one_is_always_on_its_way() -> None:
    held = Held()
    for number in range(1, 100):
        held.begin(str(number), left=number - 1, now=number * LEAVING_S / 2)
        held.leaving.handed_over(number)
        assert held.leaving.is_in_time(number - 1, number * LEAVING_S / 2)


def test_time_begins_with_what_waits() -> None:
    held = Held()
    held.begin("a")
    held.leaving.handed_over(10)
    assert held.leaving.is_in_time(10, 1)
    held.begin("b", left=10, now=1_000)
    held.leaving.handed_over(20)
    assert held.leaving.is_in_time(10, 1_001)


def test_all_is_given_back_where_nothing_more_will_leave() -> None:
    held = Held()
    for name in ("a", "b"):
        held.begin(name)
    held.leaving.clear()
    held.leaving.handed_over(10)
    held.leaving.clear()
    assert held.names == []
