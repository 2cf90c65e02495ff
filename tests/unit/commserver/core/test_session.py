"""What one peer is."""

from __future__ import annotations

import math

import pytest

from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW, Policy
from commserver.core.session import Kind, Session, SessionLimits, SessionState, new_session
from protocol.pb import broker_pb2 as pb
from protocol.tokens import Claims, TokenRole, anonymous


def session() -> Session:
    return new_session(1, 7, dialed=False, limits=SessionLimits(RELIABLE_FLOW, UNRELIABLE_FLOW), now=0.0)


def test_a_new_session_may_nothing() -> None:
    new = session()
    assert (new.state, new.kind) == (SessionState.NEGOTIATING, Kind.UNKNOWN)
    assert not any([new.is_active, new.is_client, new.is_server, new.can(pb.ERRORS)])
    assert new.wire_role == pb.UNKNOWN_ROLE


def test_channels_are_indexed_by_the_reliable_flag() -> None:
    unreliable, reliable = session().channels
    assert unreliable._limits.policy is Policy.DROP_OLDEST
    assert reliable._limits.policy is Policy.BUFFERED


@pytest.mark.parametrize(
    ("role", "kind", "wire"),
    [
        (TokenRole.CLIENT, Kind.CLIENT, pb.CLIENT),
        (TokenRole.COMMUNICATION_SERVER, Kind.SERVER, pb.COMMUNICATION_SERVER),
        (TokenRole.COMMUNICATION_SERVER_HUB, Kind.HUB, pb.COMMUNICATION_SERVER_HUB),
    ],
)
def test_the_role_of_the_claims_is_what_it_becomes(role: TokenRole, kind: Kind, wire: pb.Role) -> None:
    new = session()
    new.activate(anonymous(role), [pb.BATCH])
    assert (new.kind, new.wire_role, new.is_active, new.speaks_batch) == (kind, wire, True, True)
    assert new.is_server is role.is_server
    assert new.is_client is not role.is_server


def test_the_identity_is_the_verified_subject() -> None:
    new = session()
    new.activate(Claims("Zoë", TokenRole.CLIENT, math.inf), [])
    identity = new.sender_identity()
    assert (identity.alias, identity.identity, identity.role) == (7, "Zoë".encode(), pb.CLIENT)


def test_two_links_of_one_alias_are_two_sessions() -> None:
    assert session() != session()
    assert len({session(), session()}) == 2
