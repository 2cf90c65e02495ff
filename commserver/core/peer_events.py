"""Who came, went and was refused lately: a bounded list that a report takes with it."""

from __future__ import annotations

from commserver.core.session import Session, SessionState
from protocol.codes import Code
from protocol.limits import MAX_REPORT_EVENTS
from protocol.pb import broker_pb2 as pb


class PeerEvents:
    """Keeps the first of an interval, which tell how a rush began, and counts the rest."""

    def __init__(self, most: int = MAX_REPORT_EVENTS) -> None:
        self._most = most
        self._events: list[pb.PeerEvent] = []
        self._lost = 0

    def joined(self, session: Session) -> None:
        """It has become active."""
        self._add(pb.PeerEvent.JOINED, session.alias, 0, session.wire_role)

    def ended(self, session: Session, code: int | None) -> None:
        """It is over, its state still the last one it had; `code` is what was said at the end, by us or by the peer."""
        if session.is_active:
            self._add(pb.PeerEvent.LEFT, session.alias, code or 0, session.wire_role)
        elif code and code != Code.REPLACED and not (session.dialed and session.state is SessionState.NEGOTIATING):
            # A peer that begins afresh, or a server that we dial in vain and shall dial again, was not refused.
            self.refused(session.alias, code, session.wire_role)

    def refused(self, alias: int, code: int, role: pb.Role) -> None:
        """It was not taken, and told why."""
        self._add(pb.PeerEvent.REFUSED, alias, code, role)

    def take(self) -> tuple[list[pb.PeerEvent], int]:
        """What has happened since the last time, in order, and how many events there was no room for."""
        taken = self._events, self._lost
        self._events, self._lost = [], 0
        return taken

    def _add(self, kind: pb.PeerEvent.Kind, alias: int, code: int, role: pb.Role) -> None:
        if len(self._events) < self._most:
            self._events.append(pb.PeerEvent(kind=kind, alias=alias, code=code, role=role))
        else:
            self._lost += 1
