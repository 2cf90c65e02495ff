"""Pings: first after one time, then after another, for ever; nobody's who left."""

from __future__ import annotations

from coordinator.p2p.core.nextrtc_pings import Pings


def test_first_then_every_period() -> None:
    pings = Pings(1.0, 3.0)
    assert pings.next_deadline() is None
    pings.add(7, 10.0)
    assert pings.next_deadline() == 11
    assert list(pings.due(10.999)) == []
    assert list(pings.due(11.0)) == [7]
    assert pings.next_deadline() == 14
    assert list(pings.due(13.9)) == []
    assert list(pings.due(14.25)) == [7]
    assert pings.next_deadline() == 17, "it keeps its beat though it was asked late"


def test_everybody_keeps_its_own_beat() -> None:
    pings = Pings(1.0, 3.0)
    for key in range(3):
        pings.add(key, 10.0 + key / 8)
    assert list(pings.due(11.5)) == [0, 1, 2], "all at once, as nobody asked earlier"
    assert [list(pings.due(at)) for at in (14.0, 14.125, 14.25)] == [[0], [1], [2]]


def test_what_was_missed_is_not_made_up_for() -> None:
    pings = Pings(1.0, 3.0)
    pings.add(1, 0.0)
    assert list(pings.due(100.0)) == [1]
    assert list(pings.due(100.0)) == []
    assert pings.next_deadline() == 103


def test_who_left_is_not_due() -> None:
    pings = Pings(1.0, 3.0)
    pings.add(1, 0.0)
    pings.add(2, 0.5)
    pings.remove(1)
    assert pings.next_deadline() == 1.5
    assert list(pings.due(1.5)) == [2]
    pings.remove(2)
    pings.remove(2)
    assert pings.next_deadline() is None
    assert list(pings.due(100.0)) == []


def test_those_that_left_do_not_pile_up() -> None:
    pings = Pings(1.0, 3.0)
    pings.add(0, 0.0)
    for key in range(1, 5_000):
        pings.add(key, key / 1_000)
        pings.remove(key)
        list(pings.due(key / 1_000))
    assert len(pings) < 1_100, "those of the last second"
    list(pings.due(7.0))
    assert len(pings) == 1


def test_removed_while_it_is_due() -> None:
    pings = Pings(1.0, 3.0)
    pings.add(1, 0.0)
    pings.add(2, 0.0)
    due = pings.due(1.0)
    assert next(due) == 1
    pings.remove(2)
    assert list(due) == []
