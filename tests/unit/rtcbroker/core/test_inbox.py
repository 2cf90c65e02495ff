"""The receive queue: bounded, the oldest gives way, and what is lost is counted."""

from __future__ import annotations

import pytest

from rtcbroker.core.inbox import Inbox
from rtcbroker.core.packet import Packet
from rtcbroker.core.stats import ClientStats, Drop


def packet(number: int) -> Packet:
    return Packet("t", 1, b"%d" % number)


def make(size: int) -> tuple[Inbox, ClientStats, list[str]]:
    stats, woken = ClientStats(), list[str]()
    return Inbox(size, stats, lambda: woken.append("woken")), stats, woken


def test_packets_come_out_in_order() -> None:
    inbox, _, _ = make(3)
    inbox.put(packet(1))
    inbox.put(packet(2))
    assert [inbox.get(), inbox.get(), inbox.get()] == [packet(1), packet(2), None]


def test_the_oldest_gives_way_and_is_counted() -> None:
    inbox, stats, _ = make(2)
    for number in range(5):
        inbox.put(packet(number))
    assert len(inbox) == 2
    assert inbox.dropped == stats.dropped[Drop.QUEUE] == 3
    assert [inbox.get(), inbox.get()] == [packet(3), packet(4)]


def test_its_reader_is_woken_only_when_it_was_empty() -> None:
    inbox, _, woken = make(1)
    inbox.put(packet(1))
    inbox.put(packet(2))
    assert woken == ["woken"]
    inbox.get()
    inbox.put(packet(3))
    assert woken == ["woken"] * 2


def test_cleared_it_has_nothing() -> None:
    inbox, _, _ = make(2)
    inbox.put(packet(1))
    inbox.clear()
    assert inbox.get() is None


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one packet, not 0"):
        make(0)
