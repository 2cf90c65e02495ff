"""The words of --announce, and what they come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ConfigError
from transport.announce import AUTO, LOCAL, MAX_ANNOUNCED, Found, Word, candidates, endpoints, read_word, read_words


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("203.0.113.7", Word("203.0.113.7", "203.0.113.7")),
        (" 203.0.113.7:7000 ", Word("203.0.113.7:7000", "203.0.113.7", 7000)),
        ("2001:DB8::7", Word("2001:DB8::7", "2001:db8::7")),
        ("[2001:db8::7]", Word("[2001:db8::7]", "2001:db8::7")),
        ("[2001:db8::7]:7000", Word("[2001:db8::7]:7000", "2001:db8::7", 7000)),
        ("Edge-1.Example.org", Word("Edge-1.Example.org", "edge-1.example.org")),
        ("edge.example.org:65535", Word("edge.example.org:65535", "edge.example.org", 65_535)),
        ("localhost", Word("localhost", "localhost")),
        ("AUTO", Word(AUTO)),
        ("local", Word(LOCAL)),
    ],
)
def test_reads(text: str, word: Word) -> None:
    assert read_word(text) == word


@pytest.mark.parametrize(
    "text",
    ["", "no where", "203.0.113", "203.0.113.700", "203.0.113.7:", "203.0.113.7:0", "203.0.113.7:70000", "2001:db8::7:70000:1:2:3:4:5",
     "[203.0.113.7]:7000", "[edge.example.org]:7000", "[2001:db8::7", "-a.example", "a..b", "a:b:c", "auto:7000:", "x" * 300, "http://edge"],
)  # fmt: skip
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="announce: "):
        read_word(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        word = read_word(text)
    except ConfigError:
        return
    assert word.text in (AUTO, LOCAL) or word.host
    assert word.port is None or 0 < word.port < 65_536


def test_no_word_means_local_and_each_counts_once() -> None:
    assert read_words([]) == (Word(LOCAL),)
    assert read_words(["auto", "AUTO", "203.0.113.7", "203.0.113.7"]) == (Word(AUTO), Word("203.0.113.7", "203.0.113.7"))
    with pytest.raises(ConfigError, match=f"at most {MAX_ANNOUNCED}"):
        read_words(f"203.0.113.{number}" for number in range(MAX_ANNOUNCED + 1))


LOCALS = ("192.0.2.7", "2001:db8::7")


def test_public_and_private_in_the_order_given() -> None:
    words = read_words(["203.0.113.7", "local", "[2001:db8::9]:443"])
    assert endpoints(words, 7000, Found(LOCALS)) == [
        ("203.0.113.7", 7000),
        ("192.0.2.7", 7000),
        ("2001:db8::7", 7000),
        ("2001:db8::9", 443),
    ]


def test_auto_is_what_stun_servers_see() -> None:
    words = read_words(["auto", "local"])
    assert endpoints(words, 7000, Found(LOCALS)) == [("192.0.2.7", 7000), ("2001:db8::7", 7000)]
    seen = Found(LOCALS, public=[("203.0.113.7", 7000), ("2001:db8::7", 7000)])
    assert endpoints(words, 7000, seen) == [("203.0.113.7", 7000), ("2001:db8::7", 7000), ("192.0.2.7", 7000)]


def test_behind_a_nat_that_changes_ports_both_are_told() -> None:
    told = endpoints(read_words(["auto"]), 7000, Found(LOCALS, public=[("203.0.113.7", 41_000)]))
    assert told == [("203.0.113.7", 7000), ("203.0.113.7", 41_000)]


@pytest.mark.parametrize("words", [["auto"], ["edge.example.org"]])
def test_the_machines_own_are_better_than_none(words: list[str]) -> None:
    assert endpoints(read_words(words), 7000, Found(LOCALS)) == [("192.0.2.7", 7000), ("2001:db8::7", 7000)]


def test_a_name_is_all_its_addresses() -> None:
    found = Found(LOCALS, names={"edge.example.org": ("203.0.113.7", "2001:db8::7")})
    told = endpoints(read_words(["edge.example.org:443"]), 7000, found)
    assert told == [("203.0.113.7", 443), ("2001:db8::7", 443)]


def test_candidates_are_ranked_and_share_a_foundation_by_address() -> None:
    made = candidates([("203.0.113.7", 7000), ("203.0.113.7", 41_000), ("2001:db8::7", 7000)])
    assert [c.type for c in made] == ["host"] * 3
    assert [c.foundation for c in made] == ["1", "1", "2"]
    assert [c.priority for c in made] == sorted({c.priority for c in made}, reverse=True)
    assert made[0].priority == 2_130_706_431


def test_ports_count_up_with_the_processes() -> None:
    assert [
        read_word(text).counted_up(2) for text in ("203.0.113.7:7000", "[2001:db8::7]:7000", "edge:7000", "203.0.113.7", "auto")
    ] == [
        "203.0.113.7:7002",
        "[2001:db8::7]:7002",
        "edge:7002",
        "203.0.113.7",
        "auto",
    ]
