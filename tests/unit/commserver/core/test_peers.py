"""Sessions by link and alias, and their counts."""

from __future__ import annotations

from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW
from commserver.core.peers import Peers
from commserver.core.session import Session, SessionLimits, SessionState, new_session
from protocol.tokens import TokenRole, anonymous

LIMITS = SessionLimits(RELIABLE_FLOW, UNRELIABLE_FLOW)


def add(peers: Peers, alias: int, *, dialed: bool = False, admitted_as_server: bool = False) -> Session:
    session = new_session(peers.new_link(), alias, dialed=dialed, limits=LIMITS, now=0.0)
    session.admitted_as_server = admitted_as_server
    peers.add(session)
    return session


def activate(peers: Peers, session: Session, role: TokenRole) -> None:
    session.activate(anonymous(role), ())
    peers.sort_in(session)


def test_found_by_link_and_by_alias() -> None:
    peers = Peers()
    old, new, other = add(peers, 7), add(peers, 7), add(peers, 8)
    assert peers.get(new.link) is new
    assert peers.of_alias(7) == [old, new]
    assert peers.negotiating(7, dialed=False) is new
    activate(peers, old, TokenRole.CLIENT)
    assert peers.active(7) is old
    peers.remove(old)
    peers.remove(old)
    assert peers.of_alias(7) == [new]
    assert peers.get(old.link) is None
    assert peers.active(7) is None
    peers.remove(new)
    assert peers.of_alias(7) == []
    assert peers.negotiating(7, dialed=False) is None
    assert list(peers) == [other]
    assert len(peers) == 1


def test_both_directions_may_negotiate_at_once() -> None:
    peers = Peers()
    dialed, accepted = add(peers, 7, dialed=True), add(peers, 7)
    assert peers.negotiating(7, dialed=True) is dialed
    assert peers.negotiating(7, dialed=False) is accepted


def test_link_numbers_are_never_used_again() -> None:
    peers = Peers()
    first = add(peers, 7)
    peers.remove(first)
    assert add(peers, 7).link != first.link


def test_who_may_turn_out_a_client_counts_as_one() -> None:
    peers = Peers()
    unknown, dialed, admitted = add(peers, 1), add(peers, 2, dialed=True), add(peers, 3, admitted_as_server=True)
    assert (peers.client_count, peers.server_count) == (1, 2)
    assert peers.servers() == []
    activate(peers, unknown, TokenRole.COMMUNICATION_SERVER)
    activate(peers, admitted, TokenRole.CLIENT)
    assert (peers.client_count, peers.server_count) == (1, 2)
    assert peers.servers() == [unknown]
    activate(peers, dialed, TokenRole.COMMUNICATION_SERVER_HUB)
    assert peers.servers() == [unknown, dialed]
    for session in (unknown, dialed, admitted):
        session.state = SessionState.CLOSED
        peers.remove(session)
    assert (peers.client_count, peers.server_count, peers.servers(), len(peers)) == (0, 0, [], 0)
