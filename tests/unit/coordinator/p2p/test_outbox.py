"""Frames wait in order, up to a mark."""

from __future__ import annotations

from coordinator.core.store import MESSAGE_OVERHEAD_BYTES, Store
from coordinator.p2p.core.outbox import Frame, Outbox


def test_frames_come_out_in_order_and_as_they_are() -> None:
    outbox = Outbox(10, 1_000)
    assert outbox.push("text")
    assert outbox.push(b"bytes")
    assert len(outbox) == 2
    assert [outbox.pop(), outbox.pop(), outbox.pop()] == [Frame(b"text", True), Frame(b"bytes", False), None]


def test_a_frame_too_many_is_not_queued() -> None:
    outbox = Outbox(2, 1_000)
    assert outbox.push("a")
    assert outbox.push("b")
    assert not outbox.push("c")
    outbox.pop()
    assert outbox.push("c")
    assert [outbox.pop(), outbox.pop()] == [Frame(b"b", True), Frame(b"c", True)]


def test_a_frame_that_passes_the_mark_is_not_queued_and_one_on_its_way_still_counts() -> None:
    outbox = Outbox(10, 2 * (MESSAGE_OVERHEAD_BYTES + 10))
    assert outbox.push(b"x" * 10)
    assert outbox.push(b"x" * 10)
    assert not outbox.push(b"")
    outbox.pop()
    assert not outbox.push(b""), "it may wait in the network's buffers for long"
    outbox.settle()
    assert outbox.push(b"x" * 10), "what has left makes room"


def test_bytes_count_and_not_characters() -> None:
    assert not Outbox(10, MESSAGE_OVERHEAD_BYTES + 10).push("\U0001f600" * 3)
    assert Outbox(10, MESSAGE_OVERHEAD_BYTES + 12).push("\U0001f600" * 3)


def test_outboxes_of_one_address_share_a_bound() -> None:
    address = Store(2 * (MESSAGE_OVERHEAD_BYTES + 10))
    one, two = Outbox(10, 1_000, address), Outbox(10, 1_000, address)
    assert one.push(b"x" * 10)
    assert two.push(b"x" * 10)
    assert not one.push(b"")
    two.pop()
    two.settle()
    assert one.push(b"")


def test_cleared() -> None:
    whole = Store(1_000)
    outbox = Outbox(3, 1_000, whole)
    outbox.push("on its way")
    outbox.push("x")
    outbox.pop()
    outbox.clear()
    assert outbox.size == MESSAGE_OVERHEAD_BYTES + len("on its way") == whole.bytes
    assert outbox.pop() is None
    assert outbox.size == whole.bytes == 0
