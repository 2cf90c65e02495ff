"""Heads of frames as RFC 6455 section 5.2 draws them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.frame_heads import LONGEST_HEAD, SHORTEST_HEAD, FrameHead, head_bytes, read_head

EXAMPLES = [
    # section 5.7: "Hello" unmasked, masked and in two pieces, a ping and a pong, 256 bytes, 64 KiB
    ("81 05", FrameHead(5, is_last=True, is_control=False)),
    ("81 85 37 fa 21 3d", FrameHead(5, is_last=True, is_control=False)),
    ("01 03", FrameHead(3, is_last=False, is_control=False)),
    ("80 02", FrameHead(2, is_last=True, is_control=False)),
    ("89 05", FrameHead(5, is_last=True, is_control=True)),
    ("8a 85 37 fa 21 3d", FrameHead(5, is_last=True, is_control=True)),
    ("82 7e 01 00", FrameHead(256, is_last=True, is_control=False)),
    ("82 7f 00 00 00 00 00 01 00 00", FrameHead(65536, is_last=True, is_control=False)),
    ("88 80 37 fa 21 3d", FrameHead(0, is_last=True, is_control=True)),
]


@pytest.mark.parametrize(("text", "expected"), EXAMPLES)
def test_heads_are_read(text: str, expected: FrameHead) -> None:
    head = bytes.fromhex(text)
    assert head_bytes(head) == len(head)
    assert read_head(head) == expected


@given(st.binary(max_size=5), st.binary(min_size=LONGEST_HEAD, max_size=LONGEST_HEAD))
def test_how_long_a_head_is_can_be_told_from_two_bytes(before: bytes, data: bytes) -> None:
    size = head_bytes(data)
    assert SHORTEST_HEAD <= size <= LONGEST_HEAD
    for there in range(LONGEST_HEAD + 1):
        told = head_bytes(before + data[:there], len(before))
        assert told == (size if there >= SHORTEST_HEAD else SHORTEST_HEAD)
