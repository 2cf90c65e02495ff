"""The outbox keeps order and its bounds."""

from __future__ import annotations

from coordinator.core.outbox import FRAME_OVERHEAD_BYTES, Outbox


def test_first_in_first_out() -> None:
    outbox = Outbox(10, 10_000)
    assert outbox.pop() is None
    for frame in (b"a", b"b", b"c"):
        assert outbox.push(frame)
    assert (len(outbox), outbox.size) == (3, 3 + 3 * FRAME_OVERHEAD_BYTES)
    assert [outbox.pop() for _ in range(4)] == [b"a", b"b", b"c", None]
    assert (len(outbox), outbox.size) == (0, 0)


def test_no_more_frames_than_its_mark() -> None:
    outbox = Outbox(2, 10_000)
    assert outbox.push(b"a")
    assert outbox.push(b"b")
    assert not outbox.push(b"c")
    assert [outbox.pop(), outbox.push(b"c"), outbox.pop(), outbox.pop()] == [b"a", True, b"b", b"c"]


def test_no_more_bytes_than_its_mark() -> None:
    outbox = Outbox(1_000, 10 * FRAME_OVERHEAD_BYTES)
    assert not outbox.push(b"x" * 9 * FRAME_OVERHEAD_BYTES + b"x")
    assert outbox.push(b"x" * 8 * FRAME_OVERHEAD_BYTES)
    assert outbox.push(b"")
    assert not outbox.push(b"")
    assert outbox.size == 10 * FRAME_OVERHEAD_BYTES


def test_clear_drops_everything() -> None:
    outbox = Outbox(2, 1_000)
    outbox.push(b"a")
    outbox.clear()
    assert (len(outbox), outbox.size, outbox.pop()) == (0, 0, None)
