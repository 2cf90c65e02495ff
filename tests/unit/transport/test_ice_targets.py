"""Which of the ICE servers are asked, and in which order."""

from __future__ import annotations

import pytest

from protocol.errors import ConfigError
from protocol.ice import IceServer
from transport.ice_targets import MAX_STUN, MAX_TURN, ice_targets


def asked(*servers: IceServer) -> list[str]:
    return [str(target) for target in ice_targets(servers)]


def test_each_url_with_its_credentials() -> None:
    targets = ice_targets(
        [IceServer(["turn:a:1", "turns:a"], "me", "hush"), IceServer("stun:b"), IceServer("turn:c", "you", "x")]
    )
    assert [(str(t), t.username, t.credential) for t in targets] == [
        ("stun:b", "", ""),
        ("turn:a:1", "me", "hush"),
        ("turns:a", "me", "hush"),
        ("turn:c", "you", "x"),
    ]
    assert "hush" not in repr(targets)


def test_kinds_that_are_not_spoken_are_passed_over() -> None:
    kinds = ["stuns:a", "turns:a?transport=udp", "turn:a?transport=tcp", "turns:a?transport=tcp", "turn:a", "stun:a"]
    assert asked(IceServer(kinds)) == ["stun:a", "turn:a?transport=tcp", "turns:a?transport=tcp", "turn:a"]


def test_only_the_first_few_are_asked() -> None:
    many = [IceServer([f"stun:s{n}", f"turn:t{n}"]) for n in range(10)]
    assert asked(*many) == [f"stun:s{n}" for n in range(MAX_STUN)] + [f"turn:t{n}" for n in range(MAX_TURN)]


def test_one_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match="ice_servers: 'nonsense' is no URL"):
        ice_targets([IceServer(["stun:a", "nonsense"])])
