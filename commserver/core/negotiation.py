"""Signalling with peers through the coordinator: from CONNECT to exchanged descriptions.

Who sends CONNECT answers; who receives it offers (WIRE.md, "Signalling flow" 3). Candidates come in any order, also before the offer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from commserver.core.delivery import Delivery
from commserver.core.events import AddCandidate, ApplyAnswer, LinkId, Log, MakeAnswer, MakeOffer, SendSignal
from commserver.core.mesh import Mesh
from commserver.core.session import Session, SessionLimits, SessionState, new_session
from commserver.core.state import DEBUG, INFO, State
from protocol import signalling
from protocol.codes import Code, describe
from protocol.errors import ProtocolError
from protocol.limits import MAX_CANDIDATES
from protocol.pb import broker_pb2 as pb
from protocol.signalling import CandidateInit

NO_RESTART = "ICE is not restarted; CONNECT makes a new link"

_SERVER_ROLES = (pb.COMMUNICATION_SERVER, pb.COMMUNICATION_SERVER_HUB)


class Negotiation:
    """Handles every signalling frame but WELCOME and PEER_GONE."""

    def __init__(self, state: State, mesh: Mesh, delivery: Delivery, forget: Callable[[Session, Code, float], None]) -> None:
        self._state = state
        self._mesh = mesh
        self._delivery = delivery
        self._forget = forget
        self._early: defaultdict[LinkId, list[CandidateInit]] = defaultdict(list)

    # ------------------------------------------------------------------------------------------------------- sessions begin

    def connect(self, message: pb.ConnectMessage, now: float) -> None:
        """A peer wants a link: offer one, or refuse with the reason."""
        alias, state = message.from_alias, self._state
        if alias in (0, state.alias):
            state.counters.signals_ignored["CONNECT without a sender"] += 1
            return
        for pending in state.peers.of_alias(alias):
            # It begins afresh, whatever became of its last attempt.
            if not pending.is_active and not pending.dialed:
                self._forget(pending, Code.REPLACED, now)
        is_server = message.from_role in _SERVER_ROLES
        name = signalling.request_id_of(message)
        if (code := self._refusal(is_server)) is not None:
            names = {"peer": alias, "request_id": name} if name else {"peer": alias}
            state.emit(Log(INFO, "peer %d is refused: %s", (alias, describe(code)), names))
            state.counters.errors[code.name] += 1
            state.peer_events.refused(alias, code, message.from_role)
            state.emit(SendSignal(signalling.refused(alias, state.alias, code)))
            return
        session = self._begin(alias, dialed=False, now=now, is_server=is_server)
        session.request_id = name
        state.log_of(session, INFO, "asks for a link")
        state.emit(MakeOffer(session.link))
        state.status_changed(now)

    def _refusal(self, from_server: bool) -> Code | None:
        state, config = self._state, self._state.config
        if state.draining and not (from_server and state.needs_servers):
            return Code.SERVER_DRAINING
        if from_server:
            return Code.SERVER_FULL if state.peers.server_count >= config.max_servers else None
        if config.max_peers and state.peers.client_count >= config.max_peers:
            return Code.SERVER_FULL
        return None

    def dial(self, alias: int, now: float) -> None:
        """Open a link to another server."""
        self._mesh.dial(self._begin(alias, dialed=True, now=now))

    def _begin(self, alias: int, *, dialed: bool, now: float, is_server: bool = True) -> Session:
        config = self._state.config
        limits = SessionLimits(config.reliable, config.unreliable, config.limits.packets_per_second, config.limits.packets_burst)
        session = new_session(self._state.peers.new_link(), alias, dialed=dialed, limits=limits, now=now)
        session.admitted_as_server = is_server
        self._state.peers.add(session)
        self._state.deadlines.set(("setup", session.link), now + config.setup_timeout)
        return session

    def ended(self, session: Session) -> None:
        """A session is over: forget what was kept for it."""
        self._early.pop(session.link, None)

    # ------------------------------------------------------------------------------------------------ descriptions, candidates

    def described(self, session: Session, sdp: str) -> None:
        """The transport made our description: tell the peer."""
        session.described = True
        make = signalling.answer if session.dialed else signalling.offer
        self._state.emit(SendSignal(make(session.alias, sdp)))

    def candidate_found(self, session: Session, candidate: CandidateInit) -> None:
        """The transport found a local candidate."""
        self._state.emit(SendSignal(signalling.candidate(session.alias, candidate)))

    def web_rtc(self, message: pb.WebRtcMessage, now: float) -> None:
        """A description or a candidate of the peer's."""
        match message.type:
            case pb.WEBRTC_OFFER:
                self._offer(message, now)
            case pb.WEBRTC_ANSWER:
                self._answer(message, now)
            case _:
                self._candidate(message, now)

    def _offer(self, message: pb.WebRtcMessage, now: float) -> None:
        """An offer: expected only from a server we dialed."""
        session = self._state.peers.negotiating(message.from_alias, dialed=True)
        if session is None or session.answered:
            self._not_asked_for("offer", message.from_alias, now)
            return
        try:
            sdp = signalling.read_description(message.data, "offer")
        except ProtocolError as error:
            self._broken(session, error, now)
            return
        session.answered = True
        self._state.emit(MakeAnswer(session.link, sdp, self._state.ice.servers(now)))
        for candidate in self._early.pop(session.link, ()):
            self._state.emit(AddCandidate(session.link, candidate))

    def _answer(self, message: pb.WebRtcMessage, now: float) -> None:
        """The answer to our offer."""
        session = self._state.peers.negotiating(message.from_alias, dialed=False)
        if session is None or session.answered or not session.described:
            self._not_asked_for("answer", message.from_alias, now)
            return
        try:
            sdp = signalling.read_description(message.data, "answer")
        except ProtocolError as error:
            self._broken(session, error, now)
            return
        session.answered = True
        self._state.emit(ApplyAnswer(session.link, sdp))

    def _candidate(self, message: pb.WebRtcMessage, now: float) -> None:
        """A candidate of the peer's; also on a link that is already open, where it is a spare."""
        sessions = self._state.peers.of_alias(message.from_alias)
        if not sessions:
            self._ignore("candidate of a stranger", message.from_alias)
            return
        # Where two servers dial each other it is not said whose this is; the wrong agent tries it in vain.
        for session in [s for s in sessions if s.state is SessionState.NEGOTIATING] or sessions[-1:]:
            self._candidate_for(session, message, now)

    def _candidate_for(self, session: Session, message: pb.WebRtcMessage, now: float) -> None:
        session.candidates += 1
        if session.candidates > MAX_CANDIDATES:
            self._state.counters.errors[Code.TOO_MANY_CANDIDATES.name] += 1
            if session.state is SessionState.NEGOTIATING:
                self._refuse(session, Code.TOO_MANY_CANDIDATES, now)
            return
        try:
            candidate = signalling.read_candidate(message.data)
        except ProtocolError as error:
            self._broken(session, error, now)
            return
        if session.dialed and not session.answered:
            self._early[session.link].append(candidate)
        else:
            self._state.emit(AddCandidate(session.link, candidate))

    def refused(self, message: pb.ConnectionRefusedMessage, now: float) -> None:
        """A server we dialed does not take us."""
        session = self._state.peers.negotiating(message.from_alias, dialed=True)
        if session is None:
            self._ignore("refusal of nothing", message.from_alias)
            return
        code = signalling.refusal_code(message)
        self._state.log(DEBUG, "link %d: server %d refused us: %d", session.link, session.alias, code)
        session.state = SessionState.CLOSED
        self._state.close_link(session.link, code)
        self._state.peers.remove(session)
        self._state.deadlines.cancel(("setup", session.link))
        self.ended(session)
        self._mesh.refused(session.alias, code, now)

    def coordinator_back(self, now: float) -> None:
        """Frames of the links under way may be lost: with servers they begin again, by whoever hears of the other last."""
        for session in list(self._state.peers):
            if session.admitted_as_server and session.state is SessionState.NEGOTIATING:
                self._forget(session, Code.LINK_LOST, now)

    def failed(self, session: Session, code: Code, now: float) -> None:
        """The transport cannot use what the peer sent."""
        self._state.counters.errors[code.name] += 1
        if session.state is SessionState.NEGOTIATING:
            self._refuse(session, code, now)

    def _broken(self, session: Session, error: ProtocolError, now: float) -> None:
        self._state.log(DEBUG, "link %d of %d: %s", session.link, session.alias, error)
        self.failed(session, error.code, now)

    def _refuse(self, session: Session, code: Code, now: float) -> None:
        if not session.dialed:
            self._state.emit(SendSignal(signalling.refused(session.alias, self._state.alias, code)))
        self._forget(session, code, now)

    def _not_asked_for(self, what: str, alias: int, now: float) -> None:
        """A description out of turn changes nothing. Who has a link that is up may have meant to restart ICE (RFC 8445 section 9), and hears
        that this is refused: whoever wants another way to us sends CONNECT, and its new link takes the old one's place.
        """
        self._ignore(f"{what} that was not asked for", alias)
        for session in self._state.peers.of_alias(alias):
            if session.is_active:
                self._delivery.error(session, Code.UNEXPECTED_MESSAGE, now, reason=f"{what} on a link that is up: {NO_RESTART}")

    def _ignore(self, what: str, alias: int) -> None:
        self._state.counters.signals_ignored[what] += 1
        self._state.log(DEBUG, "ignored: %s (%d)", what, alias)
