"""AUTH: who a peer proves to be, for how long, and what follows from it."""

from __future__ import annotations

import math

from commserver.core.delivery import Delivery
from commserver.core.session import OUR_CAPABILITIES, Session, SessionState
from commserver.core.state import INFO, WARNING, State
from protocol import packets
from protocol.codes import Code
from protocol.errors import TokenError
from protocol.pb import broker_pb2 as pb
from protocol.tokens import Claims, TokenRole, anonymous

_TOKEN_ROLES = {
    pb.COMMUNICATION_SERVER: TokenRole.COMMUNICATION_SERVER,
    pb.COMMUNICATION_SERVER_HUB: TokenRole.COMMUNICATION_SERVER_HUB,
}


OLD_SERVER_S = 1.5
"""An old server does not prove itself: how long to wait for that where nobody has to."""
CROSSING_S = 5.0
"""Two servers that dial each other at the same moment do so within this time; a later dial says that the other side lost the older link."""


class Admission:
    """Accepts or refuses AUTH; proves us to the servers we are linked with."""

    def __init__(self, state: State, delivery: Delivery) -> None:
        self._state = state
        self._delivery = delivery

    def opened(self, session: Session, now: float) -> None:
        """The channels are open: the peer that sent CONNECT speaks first."""
        session.state = SessionState.AUTHENTICATING
        config = self._state.config
        may_be_old = session.dialed and not config.auth_required
        wait = min(config.auth_timeout, OLD_SERVER_S) if may_be_old else config.auth_timeout
        self._state.deadlines.set(("auth", session.link), now + wait)
        if session.dialed:
            self._prove(session)

    def prove_to_all(self) -> None:
        """Our token is a new one."""
        for server in self._state.peers.servers():
            self._prove(server)

    def _prove(self, session: Session) -> None:
        role = pb.COMMUNICATION_SERVER_HUB if self._state.config.is_hub else pb.COMMUNICATION_SERVER
        self._delivery.control(session, packets.auth(role, self._state.own_token(), OUR_CAPABILITIES))

    def auth(self, session: Session, message: pb.AuthMessage, now: float) -> bool:
        """AUTH came. Returns whether the session became active by it (a renewal does not)."""
        try:
            claims = self._claims(session, message)
            self._check(session, claims)
        except TokenError as error:
            self._state.log_of(session, WARNING, "is refused at AUTH: %s", error)
            self._state.counters.errors[error.code.name] += 1
            # What it can do is known although it was refused, so that it hears why.
            session.capabilities = session.capabilities or frozenset(message.capabilities)
            self._state.doom(session, error.code)
            return False
        renewed = session.is_active and not session.assumed
        session.assumed = False
        self._accept(session, claims, message, now, renewed=renewed)
        return not renewed

    def assume_old_server(self, session: Session, now: float) -> bool:
        """A dialed peer that does not prove itself: an old server, which is good enough only where nobody has to."""
        if self._state.config.auth_required or not session.dialed:
            return False
        session.assumed = True
        self._accept(session, anonymous(TokenRole.COMMUNICATION_SERVER), pb.AuthMessage(), now, renewed=False)
        return True

    def _claims(self, session: Session, message: pb.AuthMessage) -> Claims:
        if not self._state.config.auth_required:
            return anonymous(_TOKEN_ROLES.get(message.role, TokenRole.CLIENT))
        try:
            claims = self._state.verify(message.body.decode())
        except UnicodeDecodeError as error:
            raise TokenError(Code.AUTH_FAILED, "not a token (JWT)") from error
        if self._state.revocations.refuses(claims, self._state.now):
            raise TokenError(Code.TOKEN_REVOKED, "the token was revoked")
        return claims

    def _check(self, session: Session, claims: Claims) -> None:
        if claims.role is TokenRole.ADMIN or (session.dialed and not claims.role.is_server):
            raise TokenError(Code.WRONG_ROLE, f"role {claims.role} has no place on this link")
        if session.assumed:
            return  # it was taken for an old server too early
        if session.is_active and (claims.subject, claims.role) != (session.claims.subject, session.claims.role):
            raise TokenError(Code.AUTH_FAILED, "a fresh token must be for the same subject and role")
        holder = self._state.peers.active(session.alias)
        if holder is not None and (claims.subject, claims.role) != (holder.claims.subject, holder.claims.role):
            raise TokenError(Code.ALIAS_TAKEN, "the alias belongs to another subject")

    def _accept(self, session: Session, claims: Claims, message: pb.AuthMessage, now: float, *, renewed: bool) -> None:
        state = self._state
        first = not session.is_active
        session.activate(claims, message.capabilities)
        state.peers.sort_in(session)
        state.deadlines.cancel(("auth", session.link))
        if math.isfinite(claims.expires_at):
            state.deadlines.set(("expiry", session.link), claims.expires_at)
        if session.capabilities:
            self._delivery.control(session, packets.ready(session.alias, OUR_CAPABILITIES, state.config.limits))
        if first:
            session.active_at = now
            state.counters.joins += 1
            state.peer_events.joined(session)
        if not renewed:
            if session.is_server and not session.dialed and session.capabilities:
                self._prove(session)
            state.log_of(session, INFO, "is active as %r", claims.subject)

    @staticmethod
    def rivals(session: Session, others: list[Session], own_alias: int) -> list[Session]:
        """Which of an alias' active sessions must go now that `session` is active: all but one.

        A newer link replaces an older one. But where two servers dialed each other at the same moment, both keep the link that the
        lower alias dialed: each decides alone, and both decide the same.
        """
        ours_stays = own_alias < session.alias
        if session.is_server and session.dialed is not ours_stays and any(_crossed(session, other) for other in others):
            return [session]
        return others


def _crossed(session: Session, other: Session) -> bool:
    return other.dialed is not session.dialed and session.begun_at < other.active_at + CROSSING_S
