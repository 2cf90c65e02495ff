"""Several URLs of the same thing."""

from __future__ import annotations

import random

import pytest

from service.urls import Turns, host_of, split_urls


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("ws://a:9090", ["ws://a:9090"]),
        (" ws://a:9090,wss://b , http://c/x?y=1,2 ", ["ws://a:9090", "wss://b", "http://c/x?y=1,2"]),
        ("ws://[::1]:9090,WS://b", ["ws://[::1]:9090", "WS://b"]),
        ("ws://a,", ["ws://a"]),
        (" ,ws://a:1,, ws://b , ", ["ws://a:1", "ws://b"]),
        ("", [""]),
    ],
)
def test_commas_before_a_scheme_part_urls(text: str, urls: list[str]) -> None:
    assert split_urls(text) == urls


def test_of_a_url_the_host_may_be_told() -> None:
    assert host_of("wss://me:secret@a.example:9090/x?key=hush") == "a.example:9090"
    assert host_of("ws://[::1]:9090/connect") == "[::1]:9090"


def test_each_has_its_turn_and_any_may_be_first() -> None:
    firsts = set()
    for seed in range(20):
        turns = Turns("abc", random.Random(seed))
        taken = [turns.next() for _ in range(6)]
        assert taken[:3] == taken[3:]
        assert set(taken) == set("abc")
        firsts.add(taken[0])
    assert firsts == set("abc")
    assert len(Turns("abc", random.Random(1))) == 3
    with pytest.raises(ValueError, match="nothing"):
        Turns([], random.Random(1))
