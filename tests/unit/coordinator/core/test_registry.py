"""Peers, aliases and proofs."""

from __future__ import annotations

import random

import pytest

from coordinator.core.admission import Admission, AliasWish
from coordinator.core.config import CoordinatorConfig
from coordinator.core.registry import MAX_CLIENT_CONTACTS, Peer, Registry
from protocol.limits import MAX_ALIAS
from protocol.tokens import TokenRole

CLIENT, SERVER, HUB = TokenRole.CLIENT, TokenRole.COMMUNICATION_SERVER, TokenRole.COMMUNICATION_SERVER_HUB


def registry(**options: object) -> Registry:
    return Registry(CoordinatorConfig(resume_key=b"key", **options))  # type: ignore[arg-type]


def add(peers: Registry, key: int = 1, role: TokenRole = CLIENT, subject: str = "alice") -> Peer:
    return peers.add(key, Admission(role, subject), 0.0)


class Repeating(random.Random):
    """Draws the same numbers, one after the other."""

    def __init__(self, *draws: int) -> None:
        super().__init__()
        self._draws = list(draws)

    def randrange(self, *_: object) -> int:
        return self._draws.pop(0)


def test_a_new_alias_is_random_and_not_zero() -> None:
    peers = registry()
    peer = add(peers)
    assert peers.claim_new(peer, Repeating(0)).alias == 1
    assert peers.claim_new(peer, Repeating(MAX_ALIAS - 1)).alias == MAX_ALIAS
    claim = peers.claim_new(peer, random.Random(1))
    assert (claim.takes_free, claim.takes_own, claim.proven) == (True, False, False)
    assert 0 < claim.alias <= MAX_ALIAS


def test_a_new_alias_is_none_that_is_taken_here() -> None:
    peers = registry()
    peers.place(add(peers), 8)
    assert peers.claim_new(add(peers, 2), Repeating(7, 7, 4)).alias == 5


def test_a_proof_is_for_one_alias_role_and_subject() -> None:
    peers = registry()
    alice = add(peers, 1)
    proof = peers.proof(alice, 7)
    assert peers.claim_wish(alice, AliasWish(7, proof)).proven
    assert peers.claim_wish(add(peers, 2), AliasWish(7, proof)).proven
    assert not peers.claim_wish(alice, AliasWish(8, proof)).proven
    assert not peers.claim_wish(add(peers, 3, SERVER), AliasWish(7, proof)).proven
    assert not peers.claim_wish(add(peers, 4, CLIENT, "bob"), AliasWish(7, proof)).proven
    assert not peers.claim_wish(alice, AliasWish(7, proof[:-1])).proven
    assert not peers.claim_wish(alice, AliasWish(7, "")).proven
    assert not peers.claim_wish(alice, AliasWish(7, "\udcff")).proven
    assert not registry_with(b"another key").claim_wish(alice, AliasWish(7, proof)).proven


def registry_with(key: bytes) -> Registry:
    return Registry(CoordinatorConfig(resume_key=key))


@pytest.mark.parametrize(
    ("role", "subject", "auth", "free", "own"),
    [
        (CLIENT, "alice", True, False, True),
        (SERVER, "server", True, True, True),
        (HUB, "server", True, True, True),
        (CLIENT, "", False, True, False),
        (SERVER, "", False, True, False),
    ],
)
def test_what_is_granted_without_a_proof(role: TokenRole, subject: str, auth: bool, free: bool, own: bool) -> None:
    peers = registry(auth_required=auth)
    claim = peers.claim_wish(add(peers, 1, role, subject), AliasWish(7))
    assert (claim.alias, claim.takes_free, claim.takes_own) == (7, free, own)


def test_peers_are_found_and_forgotten() -> None:
    peers = registry()
    peer = add(peers)
    assert peers.by_key(1) is peer
    assert list(peers) == [peer]
    peers.place(peer, 7)
    assert peers.by_alias(7) is peer
    peers.remove(peer)
    peers.remove(peer)
    assert (peers.by_key(1), peers.by_alias(7), list(peers), peers.counts[CLIENT]) == (None, None, [], 0)


def test_a_newcomer_takes_alias_and_contacts_over() -> None:
    peers = registry()
    old, new = add(peers, 1), add(peers, 2)
    peers.place(old, 7)
    old.meet(99)
    peers.place(new, 7)
    assert peers.by_alias(7) is new
    assert list(new.contacts) == [99]
    peers.remove(old)
    assert peers.by_alias(7) is new


def test_there_is_room_for_so_many_of_each() -> None:
    peers = registry(max_clients=1, max_servers=2)
    assert peers.has_room(CLIENT)
    client = add(peers, 1)
    assert not peers.has_room(CLIENT)
    assert peers.has_room(SERVER)
    add(peers, 2, SERVER)
    add(peers, 3, HUB)
    assert not peers.has_room(SERVER)
    assert not peers.has_room(HUB)
    peers.remove(client)
    assert peers.has_room(CLIENT)


def test_contacts_are_bounded_and_the_oldest_goes() -> None:
    peer = add(registry())
    for alias in range(1, MAX_CLIENT_CONTACTS + 10):
        peer.meet(alias)
    assert len(peer.contacts) == MAX_CLIENT_CONTACTS
    assert 9 not in peer.contacts
    assert 10 in peer.contacts


def test_meeting_again_keeps_the_count_and_meeting_anew_does_not() -> None:
    peer = add(registry())
    peer.meet(7)
    peer.contacts[7] = 5
    peer.meet(7)
    assert peer.contacts[7] == 5
    peer.meet(7, anew=True)
    assert peer.contacts[7] == 0


def test_a_peer_is_named_in_logs_by_role_and_alias() -> None:
    peers = registry()
    hub = add(peers, 3, HUB)
    assert str(hub) == "hub on socket 3"
    peers.place(hub, 2748)
    assert str(hub) == "hub 2748"
