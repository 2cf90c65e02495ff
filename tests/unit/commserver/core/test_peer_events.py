"""Who came and went: what counts as an event, and that they are bounded."""

from __future__ import annotations

import pytest

from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW
from commserver.core.peer_events import PeerEvents
from commserver.core.session import Session, SessionLimits, SessionState, new_session
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole, anonymous

JOINED, LEFT, REFUSED = pb.PeerEvent.JOINED, pb.PeerEvent.LEFT, pb.PeerEvent.REFUSED


def peer(alias: int = 7, *, dialed: bool = False) -> Session:
    return new_session(1, alias, dialed=dialed, limits=SessionLimits(RELIABLE_FLOW, UNRELIABLE_FLOW), now=0.0)


def test_a_life() -> None:
    events = PeerEvents()
    session = peer()
    session.activate(anonymous(TokenRole.CLIENT), [])
    events.joined(session)
    events.ended(session, None)
    session.activate(anonymous(TokenRole.COMMUNICATION_SERVER_HUB), [])
    events.ended(session, Code.SERVER_STOPPING)
    assert events.take() == (
        [
            pb.PeerEvent(kind=JOINED, alias=7, role=pb.CLIENT),
            pb.PeerEvent(kind=LEFT, alias=7, role=pb.CLIENT),
            pb.PeerEvent(kind=LEFT, alias=7, code=Code.SERVER_STOPPING, role=pb.COMMUNICATION_SERVER_HUB),
        ],
        0,
    )
    assert events.take() == ([], 0)


@pytest.mark.parametrize("state", [SessionState.NEGOTIATING, SessionState.AUTHENTICATING])
@pytest.mark.parametrize("dialed", [False, True])
@pytest.mark.parametrize("code", [None, Code.REPLACED, Code.AUTH_FAILED, Code.TIMEOUT])
def test_who_never_was_active(state: SessionState, dialed: bool, code: Code | None) -> None:
    events = PeerEvents()
    session = peer(dialed=dialed)
    session.state = state
    events.ended(session, code)
    ours_in_vain = dialed and state is SessionState.NEGOTIATING
    expected = [] if code in (None, Code.REPLACED) or ours_in_vain else [pb.PeerEvent(kind=REFUSED, alias=7, code=code)]
    assert events.take() == (expected, 0)


def test_events_are_bounded_and_the_rest_is_counted() -> None:
    events = PeerEvents(most=2)
    for alias in range(5):
        events.refused(alias, Code.SERVER_FULL, pb.CLIENT)
    kept, lost = events.take()
    assert [event.alias for event in kept] == [0, 1]
    assert lost == 3
    assert events.take() == ([], 0)
