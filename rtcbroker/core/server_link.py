"""One try at one comm server: from CONNECT over offer, answer and AUTH to READY, and on until the link ends.

It only notes that it has ended and why (:attr:`ServerLink.end`); what to do about that is the session's to decide.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from protocol import packets, signalling
from protocol.codes import Code, describe
from protocol.errors import ProtocolError, SdpError
from protocol.limits import MAX_CLIENT_MESSAGE_BYTES, MAX_MESSAGE_BYTES, OLD_SERVER_MESSAGE_BYTES
from protocol.pb import broker_pb2 as pb
from rtcbroker.core import events
from rtcbroker.core.credentials import Credentials
from rtcbroker.core.delivery import Delivery
from rtcbroker.core.errors import RequestRefused
from rtcbroker.core.liveness import Liveness, Sign
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.overlap import Held
from rtcbroker.core.stats import ClientStats, Drop
from rtcbroker.core.subscriber import Subscriber
from rtcbroker.core.subscriptions import SubscriptionSet
from rtcbroker.core.trickle import Trickle
from service.ice import IceChoice
from transport.link import LinkEnd

if TYPE_CHECKING:
    import random

logger = logging.getLogger(__name__)

CAPABILITIES = (pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS, pb.MOVES)


_CODE_OF_END = {
    LinkEnd.LOCAL: Code.LINK_LOST,
    LinkEnd.REMOTE: Code.LINK_LOST,
    LinkEnd.SILENT: Code.TIMEOUT,
    LinkEnd.FAILED: Code.LINK_LOST,
    LinkEnd.TIMEOUT: Code.TIMEOUT,
}


LinkEvent: TypeAlias = (
    events.LinkAnswered | events.LinkRefused | events.LocalCandidate | events.LinkReached | events.LinkOpened | events.LinkEnded
)


_AWAITED = ("no offer of server", "no answer to server", "no open channel to server", "no READY of server")
"""What there is not yet, by phase."""


class Phase(enum.IntEnum):
    """How far the link is; each follows the one before."""

    ASKED = 0
    """CONNECT is sent, the offer awaited."""
    ANSWERING = 1
    """The transport makes the answer."""
    OPENING = 2
    """The answer is sent, the channels are awaited."""
    AUTHENTICATING = 3
    """AUTH is sent, READY awaited."""
    JOINED = 4
    """Packets flow."""


@dataclass(frozen=True, slots=True)
class End:
    """Why a link ended."""

    code: int
    reason: str
    told: bool = False
    """The server said so itself (CLOSE, CONNECTION_REFUSED); otherwise it is what we concluded."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a link shares with its session."""

    options: ClientOptions
    stats: ClientStats
    subscriptions: SubscriptionSet
    delivery: Delivery
    credentials: Credentials
    ice: IceChoice
    rng: random.Random
    emit: Callable[[events.Output], None]


class ServerLink:
    """The client's link to one comm server; a session has one, and while it moves a second."""

    def __init__(
        self,
        number: int,
        server: int,
        alias: int,
        around: Surroundings,
        now: float,
        *,
        maybe_old: bool,
        hurried: bool,
        held: Held | None = None,
    ) -> None:
        """`alias` is ours at the coordinator; `maybe_old`: the coordinator speaks Part 1 only, so the server may too; `hurried`: there is
        another server to try should this one be out of reach; `held` takes the packets until :meth:`take_over`, where there is a link to
        another server that counts.
        """
        self.number = number
        self.server = server
        self.alias = alias
        self.phase = Phase.ASKED
        self.end: End | None = None
        self.asked_at = now
        self.joined_at = 0.0
        self.batched = False
        """The server takes TOPIC_BATCH."""
        self.syncs = False
        """The server answers SYNC, and its groups have stamps."""
        self.synced = 0
        """The last SYNC that was answered."""
        self.told_to_move = False
        self.max_message_bytes = OLD_SERVER_MESSAGE_BYTES
        self._around = around
        self._emit = around.emit
        self._maybe_old = maybe_old
        self._is_old = False
        self._held = held
        self._syncs_sent = 0
        self._subscriber = Subscriber(around.subscriptions, around.emit, number)
        self._candidates = Trickle(number, server, around.emit)
        options = around.options
        self._join_deadline = now + options.join_timeout
        self._reach_deadline = min(now + options.reach_timeout, self._join_deadline) if hurried else self._join_deadline
        self._deadline = min(now + options.offer_timeout, self._reach_deadline)
        self._is_reached = False
        self._liveness = Liveness(options.ping_interval, options.link_timeout, options.probe_timeout, around.rng)
        self._emit(events.SendSignal(signalling.connect(server)))

    # --------------------------------------------------------------------------------------------------- signalling

    def signal(self, signal: signalling.Signal, now: float) -> None:
        """A message of the coordinator; one that is not about this server is passed over."""
        if isinstance(signal, pb.PeerGoneMessage):
            if signal.alias == self.server:
                self._server_gone(now)
        elif isinstance(signal, pb.ConnectionRefusedMessage | pb.WebRtcMessage) and signal.from_alias == self.server:
            if isinstance(signal, pb.ConnectionRefusedMessage):
                self._refused(signalling.refusal_code(signal))
            elif signal.type == pb.WEBRTC_OFFER:
                self._offered(signal.data, now)
            elif signal.type == pb.WEBRTC_ICE_CANDIDATE:
                self._candidates.received(signal.data)

    def happened(self, event: LinkEvent, now: float) -> None:
        """The transport tells of this link."""
        match event:
            case events.LinkAnswered():
                self._answered(event.sdp)
            case events.LinkRefused():
                self.fail(event.code, event.reason)
            case events.LocalCandidate():
                self._candidates.found(event.candidate)
            case events.LinkReached():
                self._reached()
            case events.LinkOpened():
                self._opened(now)
            case events.LinkEnded():
                trouble = f": {event.trouble}" if event.trouble else ""
                self.fail(_CODE_OF_END[event.end], f"the link ended ({event.end.value}){trouble}")

    def _offered(self, data: bytes, now: float) -> None:
        if self.phase is not Phase.ASKED:
            return  # a second one; there is no renegotiation
        try:
            sdp = signalling.read_description(data, "offer")
        except SdpError as error:
            self.fail(error.code, error.detail)
            return
        self.phase = Phase.ANSWERING
        self._deadline = self._reach_deadline
        self._emit(events.AnswerOffer(self.number, sdp, self._around.ice.servers(now)))

    def _answered(self, sdp: str) -> None:
        # It goes out first, then the candidates that waited for it.
        self.phase = Phase.OPENING
        self._emit(events.SendSignal(signalling.answer(self.server, sdp)))
        self._candidates.open()

    def _refused(self, code: int) -> None:
        # By the server, or by the coordinator in its name.
        if self.phase < Phase.AUTHENTICATING:
            self.fail(code, "connection refused", told=True)

    def signalling_lost(self, *, revoked: bool) -> None:
        """The coordinator's socket is gone: no offer comes and no answer goes, and a token that was `revoked` is not shown to a server."""
        if self.phase < (Phase.JOINED if revoked else Phase.OPENING):
            self.fail(Code.LINK_LOST, "the coordinator's socket closed while joining")

    def _server_gone(self, now: float) -> None:
        # The server's own socket is gone: it may be dead, or only have lost its coordinator.
        if self.phase is Phase.JOINED:
            self._liveness.probe(now)
            self.ping(now)
        elif self.phase < Phase.OPENING:
            self.fail(Code.PEER_NOT_FOUND, "the server left while joining")
        else:
            self._deadline = min(self._deadline, now + self._around.options.probe_timeout)

    # --------------------------------------------------------------------------------------------------------- link

    def _reached(self) -> None:
        # A server with many newcomers at once is slow, not out of reach: to leave it would only make the next one slow.
        self._is_reached = True
        if self.phase < Phase.AUTHENTICATING and self._deadline == self._reach_deadline:
            self._deadline = self._join_deadline

    def _opened(self, now: float) -> None:
        options = self._around.options
        self.phase = Phase.AUTHENTICATING
        self._deadline = now + options.old_server_after if self._maybe_old else self._join_deadline
        self._liveness.begin(now)
        self.authenticate()
        if options.part1_only:
            self._join_as_old(now)

    def authenticate(self) -> None:
        """Send AUTH: at the opening, and with a fresh token before the old one expires. Old servers know only the former."""
        if not self._is_old:
            capabilities = () if self._around.options.part1_only else CAPABILITIES
            self._send(packets.auth(pb.CLIENT, self._around.credentials.token, capabilities))

    def message(self, data: bytes, reliable: bool, now: float) -> None:
        """A message came by one of the channels. One that is none is dropped and counted: the server's fault is no reason to leave."""
        self._liveness.heard(now)
        self._around.stats.bytes_received += len(data)
        try:
            packet = packets.decode_packet(data)
            if isinstance(packet, pb.TopicBatchFrames):
                self._batch(packet, reliable)
            elif isinstance(packet, pb.TopicFWMessage | pb.TopicIdentityFWMessage):
                self._around.delivery.single(packet, reliable)
            elif packet is not None:
                self._control(packet, data, reliable, now)
        except ProtocolError as error:
            self._around.stats.dropped[Drop.UNDECODABLE] += 1
            logger.debug("client %d: a message of server %d is dropped: %s", self.alias, self.server, error)

    def _batch(self, packet: pb.TopicBatchFrames, reliable: bool) -> None:
        if self._held is None:
            self._around.delivery.batch(packet, reliable)
            return
        self._held.batch(packet, reliable)
        if self._held.is_over:
            self.fail(Code.SLOW_CONSUMER, "the server brings far more than the present one")

    def _control(self, packet: packets.Packet, data: bytes, reliable: bool, now: float) -> None:
        if isinstance(packet, pb.PingMessage):
            self._pinged(packet, data, reliable, now)
        elif isinstance(packet, pb.ReadyMessage):
            self._ready(packet, now)
        elif isinstance(packet, pb.SubscribedMessage):
            self._subscriber.acknowledged(packet.version, ((entry.topic, entry.code) for entry in packet.refused), now)
        elif isinstance(packet, pb.ErrorMessage):
            self._emit(events.Refused(RequestRefused(packet.code, packet.reason, packet.topic)))
        elif isinstance(packet, pb.MoveMessage):
            self.told_to_move = True
            logger.info("client %d: server %d: move within %.1f s: %s", self.alias, self.server, packet.seconds, packet.reason)
        elif isinstance(packet, pb.SyncMessage) and packet.type == pb.SYNCED:
            self.synced = max(self.synced, packet.number)
        elif isinstance(packet, pb.CloseMessage):
            self.fail(packet.code, packet.reason, told=True)
        else:
            self._around.stats.dropped[Drop.UNDECODABLE] += 1  # a packet that only clients or servers among themselves send

    def _pinged(self, packet: pb.PingMessage, data: bytes, reliable: bool, now: float) -> None:
        if self._liveness.is_to_be_echoed(packet.time, data):
            self._send(data, reliable=reliable)
        elif echo := self._liveness.echoed(packet.time, now):
            self._emit(events.PingEchoed(*echo))

    # ------------------------------------------------------------------------------------------------------- joined

    def _ready(self, message: pb.ReadyMessage, now: float) -> None:
        limits = message.limits
        self.max_message_bytes = min(limits.max_message_bytes or MAX_CLIENT_MESSAGE_BYTES, MAX_MESSAGE_BYTES)
        self.batched = pb.BATCH in message.capabilities
        self.syncs = pb.MOVES in message.capabilities
        self._subscriber.acknowledges = pb.SUBSCRIBE_ACK in message.capabilities
        self.alias = message.alias or self.alias
        self._around.credentials.accepted()
        self._join(now)

    def _join_as_old(self, now: float) -> None:
        """In Part 1 nothing answers AUTH: the link is taken for accepted."""
        self._is_old = True
        self._around.credentials.accepted()
        self._join(now)

    def _join(self, now: float) -> None:
        if self.phase is not Phase.AUTHENTICATING:
            return
        self.phase = Phase.JOINED
        self.joined_at = now
        if self._held is None:
            self._around.delivery.alias = self.alias
            self._subscriber.begin(self.max_message_bytes, now)

    # ------------------------------------------------------------------------------------------------------- moving

    def mirror(self) -> None:
        """As the next link: ask for the set that the present one has."""
        if not self._subscriber.mirror(self.max_message_bytes):
            self.fail(Code.MESSAGE_TOO_LARGE, "the subscriptions do not fit into a message of this server")

    def sync(self) -> None:
        """Ask to be told, by :attr:`is_synced`, when what was sent has taken effect everywhere."""
        self._syncs_sent += 1
        self._send(packets.sync(self._syncs_sent))

    @property
    def is_synced(self) -> bool:
        """Whether the last SYNC was answered."""
        return self.synced >= self._syncs_sent

    def take_over(self, now: float, *, mirrored: bool) -> None:
        """This is the present link from now on. `mirrored`: the server has the whole set; else, as after a loss, it is told now."""
        held, self._held = self._held, None
        if self.phase is Phase.JOINED:
            self._around.delivery.alias = self.alias
            if mirrored:
                self._subscriber.adopt(now)
            else:
                self._subscriber.begin_anew(self.max_message_bytes, now)
        if held is not None:
            held.release()

    def subscriptions_changed(self, now: float) -> None:
        """Send the set, if it differs from the one the server has."""
        if self.phase is Phase.JOINED:
            self._subscriber.update(self.max_message_bytes, now)

    # --------------------------------------------------------------------------------------------------------- time

    def ping(self, now: float) -> int:
        """Send a PING; its number comes back in :class:`events.PingEchoed`."""
        number, message = self._liveness.ping(now)
        self._send(message)
        return number

    def next_deadline(self) -> float:
        """When to call :meth:`tick`."""
        return self._liveness.next_deadline() if self.phase is Phase.JOINED else self._deadline

    def tick(self, now: float) -> None:
        """Look at the deadlines."""
        if self.phase is Phase.JOINED:
            match self._liveness.look(now):
                case Sign.LOST:
                    self.fail(Code.TIMEOUT, "nothing was heard from the server in time")
                case Sign.QUIET:
                    self.ping(now)
        elif self._deadline <= now:
            self._late(now)

    def _late(self, now: float) -> None:
        if self.phase is Phase.AUTHENTICATING and self._maybe_old:
            logger.info("client %d: server %d speaks Part 1 only", self.alias, self.server)
            self._join_as_old(now)
        else:
            self.fail(Code.TIMEOUT, self.awaited)

    @property
    def awaited(self) -> str:
        """What there is not yet, for people to read; not of a joined link."""
        # Signalling goes by the coordinator: whoever hears an offer and finds no way is cut off from the server itself.
        guess = ": is UDP blocked?" if self.phase is Phase.OPENING and not self._is_reached else ""
        return f"{_AWAITED[self.phase]} {self.server} in time{guess}"

    def close(self) -> None:
        """Have the transport end it, if it has begun."""
        if self.phase > Phase.ASKED:
            self._emit(events.CloseLink(self.number))

    def _send(self, data: bytes, *, reliable: bool = True) -> None:
        self._emit(events.SendPacket(data, reliable, self.number))

    def fail(self, code: int, reason: str, *, told: bool = False) -> None:
        """It has ended; the first reason counts."""
        if self.end is None:
            self.end = End(code, reason, told)
            logger.info("client %d: server %d: %s: %s", self.alias, self.server, describe(code), reason)
