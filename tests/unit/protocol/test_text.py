"""Text from strangers: what UTF-8 can hold, and cutting without halving a character."""

from __future__ import annotations

import pytest

from protocol.text import cut, is_request_id, is_unicode


@pytest.mark.parametrize("text", ["", "a", "ü", "\0", "\U0001f600", "\uffff"])
def test_text_is_unicode(text: str) -> None:
    assert is_unicode(text)


@pytest.mark.parametrize("text", [chr(0xD800), chr(0xDFFF), "a\udc80b", "\ude00\ud83d"])
def test_half_a_pair_is_not(text: str) -> None:
    assert not is_unicode(text)


def test_the_name_of_a_request_is_plain() -> None:
    assert is_request_id("0f8fad5b-d9cb.469f_A165")
    assert not any(map(is_request_id, ["", "a b", "a\n", "ä", "x" * 65]))


@pytest.mark.parametrize(
    ("text", "max_bytes", "left"),
    [
        ("abc", 3, "abc"),
        ("abc", 2, "ab"),
        ("abc", 0, ""),
        ("aü", 2, "a"),
        ("aü", 3, "aü"),
        ("\U0001f600x", 3, ""),
        ("a\ud800b", 9, "a?b"),
    ],
)
def test_cuts_between_characters(text: str, max_bytes: int, left: str) -> None:
    assert cut(text, max_bytes) == left
