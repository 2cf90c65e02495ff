"""A server that is to end: nobody new, everyone here told to move, one after the other, and then out.

Clients that understand MOVE are told so spread evenly over the drain's seconds, so that neither the coordinator nor the other servers
get all of them at once; they stay until they are subscribed elsewhere, and lose nothing. The others can only be sent away: they get CLOSE
when those seconds are over. Whoever is still here MOVE_GRACE_S later is closed, also where there was no other server to go to. Links
to other servers stay until the last client is gone. A hub tells its servers to move, too, all of them at once, and stays until none needs it.
"""

from __future__ import annotations

from collections.abc import Callable

from commserver.core.delivery import Delivery
from commserver.core.session import Kind, Session
from commserver.core.standing import Standing
from commserver.core.state import INFO, State
from protocol import packets
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb

MOVE_GRACE_S = 5.0
"""For a client that was told last: a join takes a tenth of a second, unless everybody has the same idea."""
LAST_WORDS_S = 0.25
"""For what a draining server's last client sent to reach the other servers."""


class LameDuck:
    """The drain of one server. It may be told again to hurry, never to take more time."""

    def __init__(
        self, state: State, delivery: Delivery, standing: Standing, close: Callable[[Session, Code, float], None]
    ) -> None:
        self._state = state
        self._delivery = delivery
        self._standing = standing
        self._close = close
        self._ends_at = 0.0
        self._told: set[int] = set()
        """Links that were told MOVE."""

    @property
    def ends_at(self) -> float:
        """When the last peer is gone, whatever it does; 0 while not draining."""
        return self._ends_at

    def begin(self, seconds: float, now: float) -> None:
        """Move everyone within `seconds`, or sooner if that was asked for before."""
        state = self._state
        ends_at = now + seconds + MOVE_GRACE_S
        if state.draining and ends_at >= self._ends_at:
            return
        first, state.draining, self._ends_at = not state.draining, True, ends_at
        state.log(INFO, "draining: %d peers are told to move within %.1f s", len(state.peers), seconds)
        self._standing.send_status()
        state.deadlines.set(("last call", 0), now + seconds)
        for session in list(state.peers):
            if session.is_active:
                state.deadlines.set(("linger", session.link), ends_at)
            elif first and not session.dialed and not session.admitted_as_server:
                self._close(session, Code.SERVER_STOPPING, now)  # it is not here yet, and better off elsewhere
        self._spread(seconds, now)
        if first and state.config.is_hub:
            self._ask_servers(now)
        self.let_servers_go(now)

    def _spread(self, seconds: float, now: float) -> None:
        waiting = [session for session in self._state.peers if _moves(session) and session.link not in self._told]
        for number, session in enumerate(waiting):
            self._state.deadlines.set(("move", session.link), now + seconds * number / len(waiting))

    def due(self, session: Session, now: float) -> None:
        """It is this client's turn."""
        self._told.add(session.link)
        self._delivery.control(session, packets.move(Code.SERVER_DRAINING, self._left(now)))

    def _left(self, now: float) -> float:
        return max(0.0, self._ends_at - now)

    def _ask_servers(self, now: float) -> None:
        """As a hub, and who reach each other by it: a coordinator that has just begun may not know of them all."""
        servers = self._state.peers.servers()
        plain = [server.alias for server in servers if server.kind is Kind.SERVER]
        move = packets.move(Code.SERVER_DRAINING, self._left(now), servers=plain)
        for server in servers:
            if server.can(pb.UPLINKS):
                self._delivery.control(server, move)

    def last_call(self, now: float) -> None:
        """Those who do not understand MOVE are sent away; where they understand CLOSE, they may look for another server first."""
        for session in list(self._state.peers):
            if not session.is_client or _moves(session):
                continue
            if session.can(pb.ERRORS):
                self._delivery.control(session, packets.close(Code.SERVER_STOPPING))
            else:
                self._close(session, Code.SERVER_STOPPING, now)

    def active(self, session: Session) -> None:
        """A link to another server came about after all, or a client's AUTH was on its way."""
        if self._state.draining:
            self._state.deadlines.set(("linger", session.link), self._ends_at)
            if _moves(session):
                self._state.deadlines.set(("move", session.link), self._state.now)
            elif session.is_server and self._state.config.is_hub:
                self._ask_servers(self._state.now)
            self.let_servers_go(self._state.now)

    def ended(self, session: Session, now: float) -> None:
        """A session is over."""
        self._told.discard(session.link)
        if self._state.draining and session.kind is Kind.SERVER and self._state.config.is_hub and self._state.needs_servers:
            self._ask_servers(now)  # they need not wait for a link with that one
        if not session.is_server or self._state.config.is_hub:
            self.let_servers_go(now)

    def let_servers_go(self, now: float) -> None:
        """A server that drains needs the others while it has clients, or is a hub by which others reach each other, and no longer."""
        if self._state.needs_servers:
            return
        for session in list(self._state.peers):
            if session.is_active:
                self._state.deadlines.set(("linger", session.link), min(self._ends_at, now + LAST_WORDS_S))
            else:
                self._close(session, Code.SERVER_STOPPING, now)


def _moves(session: Session) -> bool:
    return session.is_client and session.is_active and session.can(pb.MOVES)
