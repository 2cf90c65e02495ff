"""Frames wait in order, up to a mark."""

from __future__ import annotations

from coordinator.p2p.core.outbox import FRAME_OVERHEAD_BYTES, Outbox


def test_frames_come_out_in_order_and_as_they_are() -> None:
    outbox = Outbox(10, 1_000)
    assert outbox.push("text")
    assert outbox.push(b"bytes")
    assert len(outbox) == 2
    assert [outbox.pop(), outbox.pop(), outbox.pop()] == ["text", b"bytes", None]


def test_a_frame_too_many_is_not_queued() -> None:
    outbox = Outbox(2, 1_000)
    assert outbox.push("a")
    assert outbox.push("b")
    assert not outbox.push("c")
    outbox.pop()
    assert outbox.push("c")
    assert [outbox.pop(), outbox.pop()] == ["b", "c"]


def test_a_frame_that_passes_the_mark_is_not_queued() -> None:
    outbox = Outbox(10, 2 * (FRAME_OVERHEAD_BYTES + 10))
    assert outbox.push(b"x" * 10)
    assert outbox.push(b"x" * 10)
    assert not outbox.push(b"")
    outbox.pop()
    assert outbox.push(b"x" * 10), "what has left makes room"


def test_a_single_frame_always_fits() -> None:
    assert Outbox(1, 10).push("x" * 100)


def test_cleared() -> None:
    outbox = Outbox(1, 10)
    outbox.push("x")
    outbox.clear()
    assert outbox.pop() is None
    assert outbox.push("y")
