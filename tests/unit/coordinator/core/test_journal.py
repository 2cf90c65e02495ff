"""The log: bounded, numbered, and asked for from a number on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.journal import MAX_LINES, Journal


def test_a_line() -> None:
    journal = Journal()
    journal.add("joined", "client 5 joined server 7", 1_800_000_000.12345, server=7, alias=5)
    journal.add("refused", "refused", 1_800_000_001.0)
    assert journal.since(0) == [
        {"id": 1, "time": 1_800_000_000.123, "kind": "joined", "text": "client 5 joined server 7", "server": "7", "alias": "5"},
        {"id": 2, "time": 1_800_000_001.0, "kind": "refused", "text": "refused"},
    ]


def test_it_is_bounded() -> None:
    journal = Journal()
    for number in range(2 * MAX_LINES):
        journal.add("state", str(number), 0.0)
    assert [line["text"] for line in journal.since(0)] == [str(number) for number in range(MAX_LINES, 2 * MAX_LINES)]


@given(st.integers(0, 30), st.integers(-5, 40), st.integers(1, 10))
def test_what_is_new_since_a_number(count: int, since: int, size: int) -> None:
    journal = Journal(size)
    for _ in range(count):
        journal.add("state", "", 0.0)
    kept = range(max(0, count - size) + 1, count + 1)
    assert [line["id"] for line in journal.since(since)] == [number for number in kept if number > since]
    assert journal.newest == count
