"""The ICE-lite core once a link is up: a peer is followed to an address that answers a challenge, and to no other."""

from __future__ import annotations

import pytest

from tests.unit.transport.test_ice_lite import (
    DTLS,
    PWD,
    A,
    B,
    answer,
    challenges,
    ice_with,
    link_up,
    nominating,
    only,
    request,
    snapshot,
)
from transport import stun_binding as stun
from transport.ice_lite import CHALLENGE_S, QUIET_S, Drop, IceLite, IcePeer, Path, Reply
from transport.paths import AMPLIFICATION

C: Path = (0, ("192.0.2.3", 4003))


def linked(silence: float = 30.0) -> tuple[IceLite, IcePeer]:
    ice, [peer] = ice_with("peer", silence=silence)
    link_up(ice, peer)
    assert challenges(ice) == []
    return ice, peer


def test_a_new_address_has_to_prove_itself_and_until_then_nothing_is_kept_of_it() -> None:
    ice, peer = linked()
    before = [peer.selected, peer.heard, list(peer.routes), ice.paths]
    for number in range(1_000):
        path: Path = (0, ("192.0.2.66", 1_000 + number))
        reply = ice.datagram(nominating(), path, 5.0)
        assert isinstance(reply, Reply)
        assert stun.read(reply.data).mapped == path[1]
        [(_, to)] = challenges(ice)
        assert to == path
        assert ice.datagram(DTLS, path, 5.0) is None
    assert [peer.selected, peer.heard, list(peer.routes), ice.paths] == before
    assert ice.moved == 0
    assert only(ice, Drop.DTLS_UNKNOWN_ADDRESS, 1_000)


def test_the_peer_is_followed_once_it_has_answered_the_challenge() -> None:
    ice, peer = linked()
    ice.datagram(nominating(), B, 5.0)
    [(data, _)] = challenges(ice)
    message = stun.read(data)
    assert message.username == b"them:peer"
    assert stun.is_signed(data, message, peer.remote_key)
    assert message.is_controlled
    assert ice.datagram(answer(data), B, 5.1) == Reply(peer, b"")
    assert peer.selected == B
    assert peer.route is not None
    assert peer.route.proven
    assert (peer.heard, ice.moved) == (5.1, 1)
    assert ice.datagram(DTLS, B, 5.2) is peer
    assert ice.datagram(DTLS, A, 5.2) is peer, "what is late by the old way is still welcome"


def test_an_answer_is_worth_nothing_without_the_password_from_elsewhere_or_later() -> None:
    ice, peer = linked()
    ice.datagram(nominating(), B, 5.0)
    [(data, _)] = challenges(ice)
    before = snapshot(ice)
    assert ice.datagram(answer(data, PWD), B, 5.1) is None
    assert only(ice, Drop.STUN_BAD_INTEGRITY)
    assert ice.datagram(answer(data), C, 5.1) is None
    assert ice.dropped[Drop.STUN_NOT_REQUEST] == 1
    assert snapshot(ice) == before
    good = answer(data)
    ice.datagram(good, B, 5.2)
    ice.datagram(nominating(), A, 6.0)
    [(back, _)] = challenges(ice)
    ice.datagram(answer(back), A, 6.1)
    assert peer.selected == A
    assert ice.datagram(good, B, 6.2) is None, "a recording of the former answer"
    assert peer.selected == A


def test_a_request_that_is_replayed_from_the_old_address_does_not_bring_the_peer_back() -> None:
    ice, peer = linked()
    ice.datagram(nominating(), B, 5.0)
    ice.datagram(answer(challenges(ice)[0][0]), B, 5.1)
    recorded = nominating()
    ice.datagram(recorded, A, 9.0)
    assert peer.selected == B
    assert len(challenges(ice)) == 1, "it has to prove itself again"


def test_a_check_without_nomination_moves_nobody_while_the_old_path_is_in_use() -> None:
    ice, peer = linked()
    ice.datagram(request(), B, QUIET_S / 2)
    ice.datagram(answer(challenges(ice)[0][0]), B, QUIET_S / 2)
    assert peer.selected == A
    assert set(peer.routes) == {A, B}


def test_a_peer_that_never_nominates_is_followed_when_its_old_path_is_quiet() -> None:
    ice, peer = linked()
    ice.datagram(request(), B, 1.0)
    ice.datagram(answer(challenges(ice)[0][0]), B, 1.0)
    ice.datagram(DTLS, B, QUIET_S)
    assert challenges(ice) == [], "not yet quiet"
    for step in range(4):
        ice.datagram(DTLS, B, QUIET_S + 0.1 + step * CHALLENGE_S / 2)
    found = challenges(ice)
    assert len(found) == 2, "not one for each datagram"
    assert peer.selected == A
    ice.datagram(answer(found[0][0]), B, QUIET_S + 1)
    assert peer.selected == B


def test_a_handshake_that_went_by_two_paths_proves_neither() -> None:
    ice, [peer] = ice_with("peer")
    ice.answered(peer, "them", "t" * 24)
    ice.datagram(nominating(), A, 0.0)
    ice.begins(peer)
    ice.datagram(nominating(), B, 0.1)
    assert peer.selected == B, "during set-up the peer's word is enough"
    [(data, path)] = challenges(ice)
    assert path == B
    ice.established(peer, 0.3)
    assert peer.route is not None
    assert not peer.route.proven
    assert [path for _, path in challenges(ice)] == [B]
    ice.datagram(answer(data), B, 0.4)
    assert peer.route.proven


@pytest.mark.parametrize("established", [False, True])
def test_an_address_that_takes_over_another_peers_costs_that_peer_its_path_alone(established: bool) -> None:
    ice, [one, two] = ice_with("one", "two")
    link_up(ice, one, A)
    ice.answered(two, "them", "t" * 24)
    if established:
        link_up(ice, two, B)
    ice.datagram(nominating(ufrag="two"), A, 1.0)
    ice.datagram(answer(challenges(ice)[0][0]), A, 1.1)
    assert (one.selected, two.selected) == (None, A)
    ice.datagram(nominating(ufrag="one"), C, 2.0)
    ice.datagram(answer(challenges(ice)[0][0]), C, 2.1)
    assert one.selected == C


def test_during_set_up_no_address_gets_more_than_a_multiple_of_what_came() -> None:
    ice, [peer] = ice_with("peer")
    ice.answered(peer, "them", "t" * 24)
    ice.datagram(nominating(), A, 0.0)
    ice.begins(peer)
    route = peer.route
    assert route is not None
    came = route.bytes_in
    sent = route.bytes_out
    while ice.takes(route, 40) and sent < 10_000:
        sent += 40
    assert sent <= AMPLIFICATION * came
    assert only(ice, Drop.AMPLIFICATION)
    ice.datagram(DTLS + bytes(400), A, 0.1)
    assert ice.takes(route, 40), "more came"
    ice.established(peer, 0.2)
    assert all(ice.takes(route, 1_200) for _ in range(100)), "it is proven"


def test_no_more_datagrams_either() -> None:
    ice, [peer] = ice_with("peer")
    ice.datagram(request(), A, 0.0)
    route = peer.route
    assert route is not None
    assert [ice.takes(route, 1) for _ in range(4)] == [True, True, False, False], "with the answer, three"
