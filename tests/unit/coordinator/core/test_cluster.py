"""The rule of who may have which alias, as a table."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator.core.cluster import Claim, Holder, ServerState, may_have
from protocol.tokens import TokenRole

CLIENT, SERVER, HUB = TokenRole.CLIENT, TokenRole.COMMUNICATION_SERVER, TokenRole.COMMUNICATION_SERVER_HUB
CLAIM = Claim(1, 7, CLIENT, "alice")
HOLDER = Holder("node", 2, CLIENT, "alice")


@pytest.mark.parametrize("holder", [None, HOLDER, dataclasses.replace(HOLDER, subject="bob")])
def test_a_proof_takes_it_from_anyone(holder: Holder | None) -> None:
    assert may_have(dataclasses.replace(CLAIM, proven=True), holder)


def test_a_servers_alias_does_not_become_a_clients() -> None:
    assert not may_have(dataclasses.replace(CLAIM, proven=True), dataclasses.replace(HOLDER, role=SERVER))
    assert not may_have(dataclasses.replace(CLAIM, proven=True, role=SERVER), HOLDER)
    assert may_have(dataclasses.replace(CLAIM, proven=True, role=HUB), dataclasses.replace(HOLDER, role=SERVER))


@pytest.mark.parametrize("takes_free", [True, False])
def test_a_free_one(takes_free: bool) -> None:
    assert may_have(dataclasses.replace(CLAIM, takes_free=takes_free), None) is takes_free
    assert may_have(dataclasses.replace(CLAIM, takes_own=True), None) is False


@pytest.mark.parametrize(
    ("holder", "granted"),
    [
        (HOLDER, True),
        (dataclasses.replace(HOLDER, subject="bob"), False),
        (dataclasses.replace(HOLDER, role=SERVER), False),
        (dataclasses.replace(HOLDER, subject=""), False),
    ],
)
def test_ones_own(holder: Holder, granted: bool) -> None:
    assert may_have(dataclasses.replace(CLAIM, takes_own=True), holder) is granted
    assert may_have(dataclasses.replace(CLAIM, takes_free=True), holder) is False


def test_nobody_is_not_the_same_as_nobody() -> None:
    assert not may_have(dataclasses.replace(CLAIM, subject="", takes_own=True), dataclasses.replace(HOLDER, subject=""))


@pytest.mark.parametrize(("clients", "limit", "full"), [(5, 0, False), (4, 5, False), (5, 5, True), (6, 5, True), (0, 0, False)])
def test_a_server_is_full_at_its_limit(clients: int, limit: int, full: bool) -> None:
    assert ServerState(1, SERVER, True, clients, limit).is_full is full
