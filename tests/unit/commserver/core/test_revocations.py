"""Tokens refused until a time: by subject, by id, lifted, forgotten, bounded."""

from __future__ import annotations

import math

import pytest

from commserver.core.revocations import Revocations, is_meant
from protocol.pb import broker_pb2 as pb
from protocol.tokens import Claims, TokenRole

ALICE = Claims("alice", TokenRole.CLIENT, math.inf, token_id="1")
BOB = Claims("bob", TokenRole.CLIENT, math.inf)
NOBODY = Claims("", TokenRole.CLIENT, math.inf)


@pytest.mark.parametrize("message", [pb.RevokeMessage(subject="alice", until=10.0), pb.RevokeMessage(jti="1", until=10.0)])
def test_it_holds_until_its_time(message: pb.RevokeMessage) -> None:
    revocations = Revocations()
    revocations.apply(message, 0.0)
    assert revocations.refuses(ALICE, 9.9)
    assert not revocations.refuses(ALICE, 10.0)
    assert not revocations.refuses(BOB, 5.0)
    assert not revocations.refuses(NOBODY, 5.0)


def test_it_may_be_lifted() -> None:
    revocations = Revocations()
    revocations.apply(pb.RevokeMessage(subject="alice", until=10.0), 0.0)
    revocations.apply(pb.RevokeMessage(subject="alice", lifted=True), 1.0)
    assert not revocations.refuses(ALICE, 5.0)
    assert len(revocations) == 0


def test_a_disconnection_refuses_nothing() -> None:
    revocations = Revocations()
    revocations.apply(pb.RevokeMessage(subject="alice"), 0.0)
    revocations.apply(pb.RevokeMessage(alias=7), 0.0)
    assert len(revocations) == 0


def test_there_are_only_so_many_and_the_first_to_end_makes_place() -> None:
    revocations = Revocations(most=2)
    for name, until in (("over", 1.0), ("alice", 10.0), ("short", 5.0), ("bob", 20.0)):
        revocations.apply(pb.RevokeMessage(subject=name, until=until), 0.0 if name == "over" else 2.0)
    assert len(revocations) == 2
    assert revocations.refuses(ALICE, 3.0)
    assert revocations.refuses(BOB, 3.0)


def test_who_is_meant() -> None:
    assert is_meant(pb.RevokeMessage(subject="alice"), 7, ALICE)
    assert is_meant(pb.RevokeMessage(jti="1", until=9.0), 7, ALICE)
    assert is_meant(pb.RevokeMessage(alias=7), 7, NOBODY)
    assert not is_meant(pb.RevokeMessage(alias=8), 7, ALICE)
    assert not is_meant(pb.RevokeMessage(subject="bob"), 7, ALICE)
    assert not is_meant(pb.RevokeMessage(subject="bob"), 0, NOBODY), "what is empty matches nobody"
    assert not is_meant(pb.RevokeMessage(subject="alice", lifted=True), 7, ALICE)
