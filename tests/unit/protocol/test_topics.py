"""Topics and patterns: the grammar at its edges, and what each kind of pattern matches."""

from __future__ import annotations

import pytest

from protocol.codes import Code
from protocol.errors import TopicError
from protocol.limits import MAX_TOPIC_BYTES
from protocol.topics import EVERYTHING, NOTHING, PatternSet, check_topic

WHITE_SPACE = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000"
CONTROLS = "\0\x01\x08\x0e\x1b\x7f\x80\x9f"
INVISIBLE = "\u200b\ufeff"


@pytest.mark.parametrize(
    "topic",
    [
        "a",
        "room/1",
        "/",
        "/room",
        "room/",
        "a//b",
        "Grüße/世界/\U0001f600",
        "a*",
        "***",
        "a/b*/c",
        "x" * MAX_TOPIC_BYTES,
        "ü" * (MAX_TOPIC_BYTES // 2),
        "!#$%&'()+,-.:;<=>?@[]^_`{|}~\"\\",
    ],
)
def test_a_topic(topic: str) -> None:
    assert check_topic(topic) is topic


@pytest.mark.parametrize("character", [*WHITE_SPACE, *CONTROLS, *INVISIBLE, chr(0xD800), chr(0xDFFF)])
@pytest.mark.parametrize("around", ["{}", "a{}b", "room/{}", "{}/room"])
def test_no_white_space_controls_or_half_pairs(character: str, around: str) -> None:
    topic = around.format(character)
    with pytest.raises(TopicError) as caught:
        check_topic(topic)
    assert caught.value.code is Code.BAD_TOPIC
    assert f"at position {topic.index(character)}" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("topic", "why"),
    [
        ("", "is empty"),
        ("x" * (MAX_TOPIC_BYTES + 1), "has 257 bytes, at most 256 are allowed"),
        ("ü" * (MAX_TOPIC_BYTES // 2) + "x", "has 257 bytes"),
        ("*", "stands only at the end of a pattern"),
        ("**", "stands only at the end of a pattern"),
        ("room/*", "stands only at the end of a pattern"),
        ("*/room", "stands only at the end of a pattern"),
        ("a/**/b", "stands only at the end of a pattern"),
    ],
)
def test_no_topic(topic: str, why: str) -> None:
    with pytest.raises(TopicError, match=why):
        check_topic(topic)


def test_topics_are_compared_as_they_are() -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    assert check_topic(composed) != check_topic(decomposed)
    assert decomposed not in PatternSet([composed])
    assert "Room" not in PatternSet(["room"])


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        ("room/1", ["room/1"], ["room", "room/", "room/1/", "room/11", "/room/1"]),
        ("room/*", ["room/1", "room/x*"], ["room", "room/", "room/1/2", "room/1/", "room//", "room//1", "rooms/1", "/room/1"]),
        ("room/**", ["room/1", "room/1/2", "room/1/", "room//1", "room//"], ["room", "room/", "rooms/1", "x/room/1"]),
        ("*", ["a", "room"], ["a/b", "/a", "a/", "/"]),
        ("**", ["a", "/", "/a", "a/b/c", "a//b"], []),
        ("/*", ["/a"], ["a", "/", "/a/b", "//", "//a"]),
        ("/**", ["/a", "/a/b", "//", "//a"], ["a", "/", "a/b"]),
        ("a//*", ["a//b"], ["a/b", "a//", "a///b", "a///"]),
        ("a//**", ["a//b", "a///", "a//b/c"], ["a/b", "a//", "a/"]),
        ("a/b/*", ["a/b/c"], ["a/c/b", "a/b", "a/b/c/d"]),
        ("a/", ["a/"], ["a", "a//"]),
        ("/", ["/"], ["a", "//"]),
        ("a*", ["a*"], ["ab", "a"]),
        ("***", ["***"], ["a"]),
    ],
)
def test_a_pattern(pattern: str, matches: list[str], others: list[str]) -> None:
    patterns = PatternSet([pattern])
    assert [topic for topic in matches if topic not in patterns] == []
    assert [topic for topic in others if topic in patterns] == []


@pytest.mark.parametrize(
    "pattern", ["", " ", "a b", "a b/*", "\n/**", "*/*", "**/*", "*/**", "a/*/b", "*/a", "x" * 257, "x" * 257 + "/*"]
)
def test_no_pattern(pattern: str) -> None:
    with pytest.raises(TopicError):
        PatternSet(["fine", pattern])


def test_a_set_matches_what_any_of_its_patterns_does() -> None:
    patterns = PatternSet(["a", "b/*", "c/**", "c/d"])
    assert all(topic in patterns for topic in ("a", "b/x", "c/x", "c/x/y", "c/d"))
    assert not any(topic in patterns for topic in ("b", "b/x/y", "c", "d"))


def test_everything_and_nothing() -> None:
    assert "a/b" in EVERYTHING
    assert "a/b" not in NOTHING
    assert list(NOTHING) == []


def test_only_texts_are_topics() -> None:
    assert b"a" not in EVERYTHING
    assert None not in EVERYTHING


def test_a_single_text_is_no_list_of_patterns() -> None:
    with pytest.raises(TypeError, match="patterns are a list"):
        PatternSet("**")


def test_sets_are_equal_when_their_patterns_are() -> None:
    one, other = PatternSet(["a", "b/*"]), PatternSet(iter(["b/*", "a", "a"]))
    assert one == other
    assert hash(one) == hash(other)
    assert one != PatternSet(["a"])
    assert one != {"a", "b/*"}
    assert list(one) == ["a", "b/*"]
    assert repr(one) == "PatternSet(['a', 'b/*'])"
