"""What a packet says about itself."""

from __future__ import annotations

from simulation.core.payload import HEADER, MIN_BODY_BYTES, MIN_POSITION_BODY_BYTES, POSITION, body_tail, topic_mark


def test_a_body_has_the_size_asked_for() -> None:
    header = HEADER.pack(1, 2, 3, topic_mark("t"), 4.5)
    for size in (MIN_BODY_BYTES, 26, 64, 1000):
        assert len(header + body_tail(size)) == size
    for size in (MIN_POSITION_BODY_BYTES, 64, 1000):
        assert len(header + body_tail(size, (1.5, -2.0))) == size


def test_what_was_said_can_be_read() -> None:
    body = HEADER.pack(1, 2, 3, topic_mark("t"), 4.5) + body_tail(64, (1.5, -2.0))
    assert HEADER.unpack_from(body) == (1, 2, 3, topic_mark("t"), 4.5)
    assert POSITION.unpack_from(body, HEADER.size) == (1.5, -2.0)


def test_topics_have_different_marks() -> None:
    assert len({topic_mark(f"cell/{x}/{y}") for x in range(30) for y in range(30)}) == 900
