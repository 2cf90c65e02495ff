"""The ICE-lite core: whose a datagram is, where peers are reached, and what strangers can do about it (nothing)."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from aioice import stun

from transport.ice_lite import MAX_PATHS, QUIET_S, Drop, IceLite, IcePeer, Path, Reply
from transport.stun_binding import MAX_BYTES

A: Path = (0, ("192.0.2.1", 4001))
B: Path = (0, ("192.0.2.2", 4002))
V6: Path = (1, ("2001:db8::1", 4001, 0, 0))
DTLS = bytes([22, 254, 253]) + bytes(40)
PWD = "p" * 24
THEIR_PWD = "t" * 24
SECRET = b"s" * 16


def request(ufrag: str = "peer", pwd: str = PWD, theirs: str = "them", **attributes: Any) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{ufrag}:{theirs}"
    message.attributes["PRIORITY"] = 5
    for name, value in attributes.items():
        message.attributes[name.replace("_", "-")] = value
    message.add_message_integrity(pwd.encode())
    return bytes(message)


def nominating(**kwargs: Any) -> bytes:
    return request(USE_CANDIDATE=None, ICE_CONTROLLING=7, **kwargs)


def ice_with(*ufrags: str, silence: float = 30.0) -> tuple[IceLite, list[IcePeer]]:
    ice = IceLite(silence, SECRET)
    return ice, [ice.add(ufrag, PWD, 0.0) for ufrag in ufrags]


def link_up(ice: IceLite, peer: IcePeer, path: Path = A, now: float = 0.0) -> None:
    """The peer has its link, by this path."""
    ice.answered(peer, "them", THEIR_PWD)
    ice.datagram(nominating(ufrag=peer.ufrag), path, now)
    ice.begins(peer)
    ice.established(peer, now)
    assert peer.route is not None
    assert peer.route.proven


def answer(challenge: bytes, pwd: str = THEIR_PWD) -> bytes:
    """What the peer says to a challenge."""
    request = stun.parse_message(challenge)
    message = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
    message.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.100", 7000)
    message.add_message_integrity(pwd.encode())
    return bytes(message)


def challenges(ice: IceLite) -> list[tuple[bytes, Path]]:
    """Those that are to be sent now."""
    found, ice.challenges = ice.challenges, []
    return found


def only(ice: IceLite, reason: str, count: int = 1) -> bool:
    return ice.dropped[reason] == count == ice.dropped.total()


def test_a_valid_request_is_answered_with_the_address_it_came_from() -> None:
    ice, [peer] = ice_with("peer")
    data = request()
    reply = ice.datagram(data, A, 1.0)
    assert isinstance(reply, Reply)
    assert reply.peer is peer
    message = stun.parse_message(reply.data)
    assert message.message_class == stun.Class.RESPONSE
    assert message.transaction_id == data[8:20]
    assert message.attributes["XOR-MAPPED-ADDRESS"] == A[1]
    assert message.check_message_integrity(PWD.encode())
    assert "FINGERPRINT" in message.attributes
    assert ice.requests == 1


def test_ipv6_addresses_are_answered_too() -> None:
    ice, [peer] = ice_with("peer")
    reply = ice.datagram(request(), V6, 1.0)
    assert isinstance(reply, Reply)
    assert stun.parse_message(reply.data).attributes["XOR-MAPPED-ADDRESS"] == ("2001:db8::1", 4001)
    assert peer.selected == V6


def test_before_nomination_the_first_bound_address_is_used() -> None:
    ice, [peer] = ice_with("peer")
    ice.datagram(request(), A, 1.0)
    ice.datagram(request(), B, 1.1)
    assert peer.selected == A
    assert set(peer.routes) == {A, B}


def test_nomination_selects() -> None:
    ice, [peer] = ice_with("peer")
    ice.datagram(request(), A, 1.0)
    ice.datagram(nominating(), B, 1.1)
    assert peer.selected == B
    assert ice.moved == 1


def test_dtls_goes_to_the_peer_whose_address_is_bound() -> None:
    ice, [one, two] = ice_with("one", "two")
    ice.datagram(request("one"), A, 1.0)
    ice.datagram(request("two"), B, 1.0)
    assert ice.datagram(DTLS, A, 2.0) is one
    assert ice.datagram(DTLS, B, 2.0) is two
    assert one.routes[A].heard == two.routes[B].heard == 2.0
    assert one.heard == two.heard == 1.0, "whether it was theirs is for DTLS to say"


def test_the_same_address_on_another_socket_is_another_path() -> None:
    ice, _ = ice_with("one")
    ice.datagram(request("one"), A, 1.0)
    assert ice.datagram(DTLS, (1, A[1]), 2.0) is None
    assert only(ice, Drop.DTLS_UNKNOWN_ADDRESS)


def snapshot(ice: IceLite) -> list[Any]:
    return [(p.ufrag, p.heard, p.selected, list(p.routes)) for p in ice._peers.values()] + [dict(ice._routes), ice.requests]


GOOD = nominating()
STRANGE = {
    "empty": (b"", Drop.NOT_OURS),
    "RTP": (b"\x80" + bytes(40), Drop.NOT_OURS),
    "TURN channel": (b"\x40" + bytes(40), Drop.NOT_OURS),
    "ZRTP": (b"\x10" + bytes(40), Drop.NOT_OURS),
    "text": (b"hello", Drop.NOT_OURS),
    "DTLS of a stranger": (DTLS, Drop.DTLS_UNKNOWN_ADDRESS),
    "cut in the header": (GOOD[:12], Drop.STUN_MALFORMED),
    "cut in the attributes": (GOOD[:-8], Drop.STUN_MALFORMED),
    "too long": (GOOD + bytes(MAX_BYTES), Drop.STUN_MALFORMED),
    "no magic cookie": (GOOD[:4] + bytes(4) + GOOD[8:], Drop.STUN_MALFORMED),
    "length not a multiple of 4": (GOOD[:2] + struct.pack("!H", len(GOOD) - 18) + GOOD[4:] + b"xx", Drop.STUN_MALFORMED),
    "wrong fingerprint": (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), Drop.STUN_MALFORMED),
    "user name that is not UTF-8": (
        b"\0\1\0\x0c" + struct.pack("!I", stun.COOKIE) + bytes(12) + b"\0\x06\0\x07\xff\xfe:them\0",
        Drop.STUN_UNKNOWN_PEER,
    ),
    "attribute of the wrong length": (
        b"\0\1\0\x08" + struct.pack("!I", stun.COOKIE) + bytes(12) + b"\0\x06\0\x40" + bytes(4),
        Drop.STUN_MALFORMED,
    ),
    "response": (bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)), Drop.STUN_NOT_REQUEST),
    "indication": (bytes(stun.Message(stun.Method.BINDING, stun.Class.INDICATION)), Drop.STUN_NOT_REQUEST),
    "other method": (bytes(stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST)), Drop.STUN_NOT_REQUEST),
    "unknown user": (nominating(ufrag="nobody"), Drop.STUN_UNKNOWN_PEER),
    "no user": (bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST)), Drop.STUN_UNKNOWN_PEER),
    "wrong password": (nominating(pwd="q" * 24), Drop.STUN_BAD_INTEGRITY),
    "no integrity": (
        bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes={"USERNAME": "peer:them"})),
        Drop.STUN_BAD_INTEGRITY,
    ),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strangers_get_no_answer_and_change_nothing(name: str) -> None:
    ice, _ = ice_with("peer")
    ice.datagram(request(), A, 1.0)
    before = snapshot(ice)
    data, reason = STRANGE[name]
    assert ice.datagram(data, B, 5.0) is None
    assert only(ice, reason)
    assert snapshot(ice) == before


def test_a_changed_bit_anywhere_in_the_signed_part_has_no_effect() -> None:
    ice, _ = ice_with("peer")
    before = snapshot(ice)
    data = nominating()
    for position in range(len(data) - 8):  # FINGERPRINT follows what is signed
        changed = bytearray(data)
        changed[position] ^= 1
        assert ice.datagram(bytes(changed), A, 1.0) is None, position
    assert snapshot(ice) == before


def test_the_peers_half_of_the_user_name_counts_once_it_is_known() -> None:
    ice, [peer] = ice_with("peer")
    assert ice.datagram(request(theirs="anyone"), A, 1.0) is not None
    ice.answered(peer, "them", THEIR_PWD)
    assert ice.datagram(request(theirs="anyone"), A, 2.0) is None
    assert only(ice, Drop.STUN_UNKNOWN_PEER)
    assert ice.datagram(request(theirs="them"), A, 3.0) is not None


def test_a_controlled_peer_is_told_of_the_role_conflict_and_not_bound() -> None:
    ice, [peer] = ice_with("peer")
    reply = ice.datagram(request(ICE_CONTROLLED=2**63), A, 1.0)
    assert isinstance(reply, Reply)
    message = stun.parse_message(reply.data)
    assert message.error_code == 487
    assert message.check_message_integrity(PWD.encode())
    assert not peer.routes
    assert peer.selected is None


def test_a_peer_that_renominates_is_followed_at_once() -> None:
    ice, [peer] = ice_with("peer")
    ice.datagram(nominating(), A, 1.0)
    ice.datagram(DTLS, A, 1.01)
    ice.datagram(nominating(), B, 1.02)
    assert peer.selected == B
    assert ice.moved == 1


def test_a_peer_that_never_renominates_is_followed_when_its_old_path_is_quiet() -> None:
    ice, [peer] = ice_with("peer")
    ice.datagram(nominating(), A, 1.0)
    ice.datagram(request(), B, 2.0)
    ice.datagram(DTLS, B, 1.0 + QUIET_S)
    assert peer.selected == A, "not yet quiet"
    ice.datagram(DTLS, B, 1.1 + QUIET_S)
    assert peer.selected == B


def test_two_live_paths_do_not_alternate() -> None:
    ice, [peer] = ice_with("peer")
    ice.datagram(nominating(), A, 0.0)
    ice.datagram(request(), B, 0.0)
    for tenth in range(100):
        ice.datagram(DTLS, A if tenth % 2 else B, tenth / 10)
    assert peer.selected == A
    assert ice.moved == 0


def test_dtls_from_an_unbound_address_never_moves_a_peer() -> None:
    ice, [peer] = ice_with("peer")
    ice.datagram(nominating(), A, 0.0)
    assert ice.datagram(DTLS, B, 100.0) is None
    assert peer.selected == A


def test_bound_addresses_are_few_and_the_selected_one_stays() -> None:
    ice, [peer] = ice_with("peer")
    ice.datagram(nominating(), A, 0.0)
    paths: list[Path] = [(0, ("192.0.2.9", port)) for port in range(1, 50)]
    for number, path in enumerate(paths):
        ice.datagram(request(), path, 1.0 + number)
    assert len(peer.routes) == MAX_PATHS
    assert len(ice._routes) == MAX_PATHS
    assert A in peer.routes
    assert peer.selected == A
    assert paths[-1] in peer.routes
    assert ice.datagram(DTLS, paths[0], 60.0) is None, "given up"


def test_an_address_passes_to_the_peer_that_proves_itself_there() -> None:
    ice, [one, two] = ice_with("one", "two")
    link_up(ice, one, A)
    assert isinstance(ice.datagram(nominating(ufrag="two"), A, 2.0), Reply)
    assert challenges(ice) == [], "there is nothing to sign one with, before its answer"
    ice.answered(two, "them", THEIR_PWD)
    assert isinstance(ice.datagram(nominating(ufrag="two"), A, 2.1), Reply)
    assert ice.datagram(DTLS, A, 2.2) is one, "a forged source address takes nothing from anybody"
    assert (one.selected, two.selected) == (A, None)
    [(data, path)] = challenges(ice)
    assert path == A
    assert ice.datagram(answer(data), A, 2.3) == Reply(two, b"")
    assert ice.datagram(DTLS, A, 2.4) is two
    assert (one.selected, two.selected) == (None, A)
    assert not one.routes


def test_removed_peers_are_strangers() -> None:
    ice, [one, two] = ice_with("one", "two")
    ice.datagram(request("one"), A, 1.0)
    ice.datagram(request("two"), B, 1.0)
    ice.remove(one)
    ice.remove(one)
    assert len(ice) == 1
    assert ice.datagram(DTLS, A, 2.0) is None
    assert ice.datagram(request("one"), A, 2.0) is None
    assert ice.datagram(DTLS, B, 2.0) is two


def test_a_fragment_in_use_is_refused() -> None:
    ice, _ = ice_with("peer")
    with pytest.raises(KeyError):
        ice.add("peer", PWD, 0.0)


def test_silence_is_reported_once_at_its_deadline() -> None:
    ice, [peer] = ice_with("peer", silence=10.0)
    assert ice.next_deadline() == 10.0
    assert ice.expired(9.9) == []
    assert ice.expired(10.0) == [peer]
    assert ice.expired(100.0) == []
    assert ice.next_deadline() is None


def test_a_valid_request_puts_the_deadline_off() -> None:
    ice, [peer] = ice_with("peer", silence=10.0)
    ice.datagram(request(), A, 1.0)
    ice.datagram(request(), A, 6.0)
    assert ice.expired(15.9) == []
    assert ice.next_deadline() == 16.0
    assert ice.expired(16.0) == [peer]


def test_garbage_does_not_put_the_deadline_off() -> None:
    ice, [peer] = ice_with("peer", silence=10.0)
    ice.datagram(request(), A, 1.0)
    ice.datagram(nominating(pwd="q" * 24), A, 10.0)
    ice.datagram(b"\x80", A, 10.0)
    ice.datagram(DTLS, A, 10.0)
    assert ice.expired(11.0) == [peer]


def test_short_lives_leave_nothing_behind() -> None:
    ice, _ = ice_with("stays")
    for number in range(10_000):
        peer = ice.add(f"p{number}", PWD, 0.0)
        ice.datagram(request(f"p{number}"), A, 0.0)
        ice.remove(peer)
    assert len(ice) == len(ice._numbered) == 1
    assert not ice._routes
    assert len(ice._deadlines) <= 100
