"""A comm server's whole behaviour: `handle(event, now) -> outputs` and `next_deadline()`.

One rule keeps it sound: change state, drain all outputs, then change state again. The shell therefore carries out every output of one
event before it handles the next. This module only tells which part handles what; the parts decide:

=================  =========================================================
`negotiation`      signalling with peers, until both descriptions are exchanged
`admission`        AUTH
`relay`            topic packets
`subscribing`      who wants what, from clients and from servers
`mesh`             which servers to be linked with
`delivery`         the way out, with flow control
`probing`          whether a silent peer is still there
`standing`         what the coordinator is told of us
`syncing`          whether what was sent has taken effect everywhere
`uplinks`          by which hub others are reached
`lame_duck`        moving everyone elsewhere before the end
`backoffice`       what operators and backends ask for, by way of a coordinator
=================  =========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from commserver.core import events as ev
from commserver.core.admission import Admission
from commserver.core.backoffice import Backoffice
from commserver.core.config import BrokerConfig
from commserver.core.counters import Counters
from commserver.core.delivery import Delivery
from commserver.core.lame_duck import LameDuck
from commserver.core.mesh import Mesh
from commserver.core.negotiation import Negotiation
from commserver.core.peers import Peers
from commserver.core.probing import Probing
from commserver.core.relay import Relay
from commserver.core.session import Session, SessionState
from commserver.core.standing import Standing
from commserver.core.state import DEBUG, INFO, WARNING, State
from commserver.core.subscribing import Subscribing
from commserver.core.syncing import Syncing
from commserver.core.uplinks import Uplinks
from protocol import packets, signalling
from protocol.codes import Code, describe
from protocol.errors import MessageTooLarge, ProtocolError
from protocol.pb import broker_pb2 as pb
from protocol.tokens import Claims

if TYPE_CHECKING:
    import random


class Broker:
    """The aggregate. See the module's docstring."""

    def __init__(
        self, config: BrokerConfig, *, verify: Callable[[str], Claims], own_token: Callable[[], str], rng: random.Random
    ) -> None:
        self._state = state = State(config, verify, own_token, rng)
        self._delivery = Delivery(state)
        self._admission = Admission(state, self._delivery)
        self._relay = Relay(state, self._delivery)
        self._subscribing = Subscribing(state, self._delivery, self._relay.settle)
        self._mesh = Mesh(state)
        self._negotiation = Negotiation(state, self._mesh, self._delivery, self._close)
        self._probing = Probing(state, self._delivery)
        self._standing = Standing(state)
        self._syncing = Syncing(state, self._delivery, self._relay, self._mesh, self._subscribing.tell_interest)
        self._lame_duck = LameDuck(state, self._delivery, self._standing, self._close)
        self._uplinks = Uplinks(state, self._delivery, self._relay, self._mesh, self._syncing, self._subscribing, self._lame_duck)
        self._backoffice = Backoffice(state, self._relay, self._lame_duck)
        self._told_to_close: dict[ev.LinkId, int] = {}
        """The codes of CLOSE messages, until the links end."""
        self._handlers: dict[type, Callable[[Any, float], None]] = {
            ev.PacketReceived: self._on_packet,
            ev.Buffered: self._on_buffered,
            ev.SignalReceived: self._on_signal,
            ev.CoordinatorLost: self._on_coordinator_lost,
            ev.DescriptionMade: self._on_described,
            ev.CandidateFound: self._on_candidate,
            ev.LinkFailed: self._on_failed,
            ev.LinkOpened: self._on_opened,
            ev.LinkClosed: self._on_closed,
            ev.DeadlineReached: self._on_deadline,
            ev.TokenRenewed: lambda _event, _now: self._admission.prove_to_all(),
            ev.LoadSampled: self._standing.load_sampled,
            ev.ReportDue: self._standing.report_due,
            ev.DrainRequested: lambda _event, now: self._lame_duck.begin(self._state.config.drain_seconds, now),
        }
        self._packet_handlers: dict[int, Callable[[Session, Any, bool, float], None]] = {
            pb.TOPIC: self._relay.topic,
            pb.TOPIC_IDENTITY: self._relay.topic_identity,
            pb.TOPIC_BATCH: self._relay.batch,
            pb.SUBSCRIPTION: self._subscribing.subscription,
            pb.SUBSCRIPTION_UPDATE: self._subscribing.update,
            pb.SYNC: self._syncing.sync,
            pb.SYNCED: self._syncing.synced,
            pb.UPLINK: self._uplinks.told,
            pb.MOVE: self._uplinks.asked,
        }

    # ----------------------------------------------------------------------------------------------------------- what is public

    def handle(self, event: ev.Event, now: float) -> list[ev.Output]:
        """Handle one event at `now` (seconds since the epoch, never stepping back); carry out what is returned, in order."""
        state = self._state
        state.now = now
        self._handlers[type(event)](event, now)
        while state.doomed:
            session, code = state.doomed.pop(0)
            self._close(session, code, now)
        outputs, state.out = state.out, []
        return outputs

    def next_deadline(self) -> float | None:
        """When to send DeadlineReached, if nothing else happens before."""
        return self._state.deadlines.next()

    @property
    def counters(self) -> Counters:
        """What happened so far."""
        return self._state.counters

    @property
    def peers(self) -> Peers:
        """Who is here now."""
        return self._state.peers

    @property
    def topic_count(self) -> int:
        """Topics that somebody wants, client or server."""
        return self._state.index.topic_count

    @property
    def subscription_count(self) -> int:
        """Pairs of peer and topic."""
        return self._state.index.subscription_count

    @property
    def alias(self) -> int:
        """Our alias; 0 until the coordinator gave one."""
        return self._state.alias

    @property
    def draining(self) -> bool:
        """No new clients are taken."""
        return self._state.draining

    @property
    def linking(self) -> bool:
        """Clients had better not come yet."""
        return self._state.linking

    @property
    def drained_by(self) -> float:
        """When the last peer of a draining server is gone, whatever it does."""
        return self._lame_duck.ends_at

    # -------------------------------------------------------------------------------------------------------------- signalling

    def _on_signal(self, event: ev.SignalReceived, now: float) -> None:
        try:
            message = signalling.decode_signal(event.frame)
        except ProtocolError as error:
            self._state.counters.signals_ignored["not decodable"] += 1
            self._state.log(WARNING, "from the coordinator: %s", error)
            return
        match message:
            case pb.WelcomeMessage():
                self._welcome(message, now)
            case pb.ConnectMessage():
                self._negotiation.connect(message, now)
            case pb.WebRtcMessage():
                self._negotiation.web_rtc(message, now)
            case pb.ConnectionRefusedMessage():
                self._negotiation.refused(message, now)
            case pb.PeerGoneMessage():
                self._probing.probe(message.alias, now)
            case pb.IceServersMessage():
                self._standing.ice_servers(message, now)
            case pb.PublishMessage() | pb.RevokeMessage() | pb.DrainMessage():
                self._backoffice.asked(message, now)
            case _:
                self._state.counters.signals_ignored["not for a server"] += 1

    def _welcome(self, message: pb.WelcomeMessage, now: float) -> None:
        state = self._state
        former, state.alias = state.alias, message.alias
        if not self._mesh.online:
            self._negotiation.coordinator_back(now)
        if former not in (0, state.alias):
            # Others know our links by the old alias, and would take us for a second server: everything would come twice.
            for server in state.peers.servers():
                self._close(server, Code.REPLACED, now)
        self._standing.welcome(message, now)
        self._uplinks.welcome(message, now)
        state.status_changed(now)

    def _on_described(self, event: ev.DescriptionMade, _now: float) -> None:
        if (session := self._state.peers.get(event.link)) is not None:
            self._negotiation.described(session, event.sdp)

    def _on_candidate(self, event: ev.CandidateFound, _now: float) -> None:
        if (session := self._state.peers.get(event.link)) is not None:
            self._negotiation.candidate_found(session, event.candidate)

    def _on_failed(self, event: ev.LinkFailed, now: float) -> None:
        if (session := self._state.peers.get(event.link)) is not None:
            self._negotiation.failed(session, event.code, now)

    def _on_coordinator_lost(self, _event: ev.CoordinatorLost, _now: float) -> None:
        self._mesh.offline()  # links live on
        self._standing.offline()

    # ------------------------------------------------------------------------------------------------------------ life of a link

    def _on_opened(self, event: ev.LinkOpened, now: float) -> None:
        session = self._state.peers.get(event.link)
        if session is None:
            self._state.close_link(event.link, Code.TIMEOUT)
            return
        if session.state is SessionState.NEGOTIATING:
            self._state.deadlines.cancel(("setup", session.link))
            self._admission.opened(session, now)

    def _on_closed(self, event: ev.LinkClosed, now: float) -> None:
        if (session := self._state.peers.get(event.link)) is None:
            return
        told = self._told_to_close.get(session.link)
        self._state.log_of(session, INFO, "left: %s", event.reason if told is None else describe(told))
        self._state.counters.closes[event.reason] += 1
        self._gone(session, now, code=told)

    def _became_active(self, session: Session, now: float) -> None:
        others = [s for s in self._state.peers.of_alias(session.alias) if s.is_active and s is not session]
        for rival in self._admission.rivals(session, others, self._state.alias):
            self._state.doom(rival, Code.REPLACED)
        if session.is_server:
            self._mesh.active(session, now)
            self._uplinks.active(session, now)
            self._mesh.look(now)
        self._probing.became_active(session, now)
        self._lame_duck.active(session)
        self._state.status_changed(now)

    def _close(self, session: Session, code: Code, now: float) -> None:
        """End a session ourselves: tell the peer why, where it can be told, then close the link."""
        if session.state is SessionState.CLOSED:
            return
        if session.can(pb.ERRORS) and session.state is not SessionState.NEGOTIATING:
            # Past the flow control: whoever is closed for a full queue should hear it too.
            self._state.emit(ev.Send((session.link,), packets.close(code), True))
        self._state.close_link(session.link, code)
        self._state.log_of(session, INFO, "closed: %s", describe(code))
        self._state.counters.closes[code.name] += 1
        self._gone(session, now, code=code)

    def _gone(self, session: Session, now: float, *, code: int | None) -> None:
        """A session is over, whoever ended it."""
        self._state.peer_events.ended(session, code)
        session.state = SessionState.CLOSED
        self._state.peers.remove(session)
        for kind in ("setup", "auth", "expiry", "probe", "linger", "move"):
            self._state.deadlines.cancel((kind, session.link))
        self._told_to_close.pop(session.link, None)
        self._probing.ended(session)
        self._negotiation.ended(session)
        self._subscribing.gone(session, now)
        self._mesh.lost(session, now, code=code)
        self._uplinks.lost(session, now)
        self._delivery.gone(session)
        self._syncing.ended(session, now)
        self._state.status_changed(now)
        self._lame_duck.ended(session, now)

    # ------------------------------------------------------------------------------------------------------------------ packets

    def _on_packet(self, event: ev.PacketReceived, now: float) -> None:
        session = self._state.peers.get(event.link)
        if session is None:
            return
        self._state.counters.received(event.link, len(event.data), event.reliable)
        session.packets += 1
        limit = self._state.config.limits.max_message_bytes
        try:
            if len(event.data) > limit and not session.is_server:
                raise MessageTooLarge(len(event.data), limit, "a message")
            packet = packets.decode_packet(event.data)
        except ProtocolError as error:
            self._misbehaved(session, error, now)
            return
        if packet is None:
            return  # a newer peer's
        if session.is_active:
            self._dispatch(session, packet, event, now)
        else:
            self._before_auth(session, packet, event, now)

    def _dispatch(self, session: Session, packet: Any, event: ev.PacketReceived, now: float) -> None:
        handler = self._packet_handlers.get(packet.type)
        try:
            if handler is not None:
                handler(session, packet, event.reliable, now)
            elif packet.type == pb.PING:
                self._probing.ping(session, event.data, reliable=event.reliable)
            elif packet.type == pb.AUTH:
                self._on_auth(session, packet, now)
            elif packet.type == pb.CLOSE or (session.is_server and packet.type in _SERVER_TALK):
                self._on_server_talk(session, packet, now)
            else:
                name = pb.MessageType.Name(packet.type)
                self._delivery.error(session, Code.UNEXPECTED_MESSAGE, now, reason=f"{name} is not for a server to receive")
        except ProtocolError as error:
            self._misbehaved(session, error, now)

    def _before_auth(self, session: Session, packet: Any, event: ev.PacketReceived, now: float) -> None:
        if packet.type == pb.AUTH and event.reliable:
            self._on_auth(session, packet, now)
        elif session.dialed and packet.type in (pb.READY, pb.CLOSE, pb.ERROR):
            self._on_server_talk(session, packet, now)
        elif self._admission.assume_old_server(session, now):
            self._became_active(session, now)
            self._dispatch(session, packet, event, now)
        elif event.reliable:
            self._state.doom(session, Code.UNEXPECTED_MESSAGE)
        else:
            # The unreliable channel may overtake AUTH on the reliable one: that is nobody's fault.
            self._state.counters.drop("before AUTH", "")

    def _on_auth(self, session: Session, packet: pb.AuthMessage, now: float) -> None:
        if session.upkeep.in_debt(now):
            self._delivery.error(session, Code.RATE_LIMITED, now, reason="too many AUTH; this one was ignored")
        elif self._admission.auth(session, packet, now):
            self._became_active(session, now)
        elif session.is_active:
            self._subscribing.grants_changed(session, now)

    def _on_server_talk(self, session: Session, packet: Any, now: float) -> None:
        """What servers say to each other beside topics and interest; and CLOSE, which anybody may say."""
        if packet.type == pb.CLOSE:
            self._told_to_close[session.link] = packet.code
        elif packet.type == pb.ERROR and packet.code == Code.RESYNC:
            self._state.interest.resync(session)
            self._state.deadlines.set_once(("interest", 0), now)
        elif packet.type == pb.ERROR:
            self._state.log(DEBUG, "link %d: server %d refused something: %s", session.link, session.alias, describe(packet.code))

    def _misbehaved(self, session: Session, error: ProtocolError, now: float) -> None:
        self._state.log(DEBUG, "link %d of %d: %s", session.link, session.alias, error)
        self._delivery.error(session, error.code, now, reason=error.detail)

    def _on_buffered(self, event: ev.Buffered, _now: float) -> None:
        if (session := self._state.peers.get(event.link)) is not None:
            self._delivery.buffered(session, event.reliable, event.amount)

    # ---------------------------------------------------------------------------------------------------------------- deadlines

    def _on_deadline(self, _event: ev.DeadlineReached, now: float) -> None:
        for kind, number in self._state.deadlines.pop_due(now):
            match kind:
                case "flush":
                    self._relay.flush(bool(number), now)
                case "interest":
                    self._subscribing.tell_interest()
                case "status":
                    self._standing.send_status()
                case "sync":
                    self._syncing.due(now)
                case "round":
                    self._syncing.end_round(number, now)
                case "linking":
                    self._mesh.overdue(now)
                case "last call":
                    self._lame_duck.last_call(now)
                case "uplink":
                    self._uplinks.due(now)
                case "dial":
                    if self._mesh.wants_to_dial(number):
                        self._negotiation.dial(number, now)
                case _:
                    self._link_due(kind, number, now)

    def _link_due(self, kind: str, link: ev.LinkId, now: float) -> None:
        if (session := self._state.peers.get(link)) is None:
            return
        if kind == "probe":
            if not self._probing.due(session, now):
                self._close(session, Code.LINK_LOST, now)
        elif kind == "move":
            self._lame_duck.due(session, now)
        elif kind == "auth" and self._admission.assume_old_server(session, now):
            self._became_active(session, now)
        else:
            self._close(session, _TOO_LATE[kind], now)


_SERVER_TALK = frozenset({pb.READY, pb.ERROR, pb.CLOSE, pb.SUBSCRIBED})
_TOO_LATE = {"setup": Code.TIMEOUT, "auth": Code.AUTH_TIMEOUT, "expiry": Code.TOKEN_EXPIRED, "linger": Code.SERVER_STOPPING}
