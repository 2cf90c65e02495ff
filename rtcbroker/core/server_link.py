"""One try at one comm server: from CONNECT over offer, answer and AUTH to READY, and on until the link ends.

It only notes that it has ended and why (:attr:`ServerLink.end`); what to do about that is the session's to decide.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol import packets, signalling
from protocol.codes import Code, describe
from protocol.errors import CandidateError, ProtocolError, SdpError
from protocol.limits import MAX_CANDIDATES, MAX_MESSAGE_BYTES
from protocol.pb import broker_pb2 as pb
from rtcbroker.core import events
from rtcbroker.core.credentials import Credentials
from rtcbroker.core.delivery import Delivery
from rtcbroker.core.errors import RequestRefused, SubscriptionRefused
from rtcbroker.core.liveness import Liveness, Sign
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.stats import ClientStats, Drop
from rtcbroker.core.subscriptions import SubscriptionSet
from transport.link import LinkEnd

if TYPE_CHECKING:
    import random

logger = logging.getLogger(__name__)

CAPABILITIES = (pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS)

OLD_SERVER_MESSAGE_BYTES = 5_120
"""webrtc-broker's server reads data channels into a buffer of this size and stops reading at a longer message."""

_GZIP_OVER = 1_000
"""Bytes of a subscription set's text above which it is gzipped; below, the header eats the gain."""

_CODE_OF_END = {
    LinkEnd.LOCAL: Code.LINK_LOST,
    LinkEnd.REMOTE: Code.LINK_LOST,
    LinkEnd.SILENT: Code.TIMEOUT,
    LinkEnd.FAILED: Code.LINK_LOST,
    LinkEnd.TIMEOUT: Code.TIMEOUT,
}


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
    rng: random.Random
    emit: Callable[[events.Output], None]


class ServerLink:
    """The client's link to one comm server; a session has at most one."""

    def __init__(self, number: int, server: int, alias: int, around: Surroundings, now: float, *, maybe_old: bool) -> None:
        """`alias` is ours at the coordinator; `maybe_old`: the coordinator speaks Part 1 only, so the server may too."""
        self.number = number
        self.server = server
        self.alias = alias
        self.phase = Phase.ASKED
        self.end: End | None = None
        self.joined_at = 0.0
        self.batched = False
        """The server takes TOPIC_BATCH."""
        self.max_message_bytes = OLD_SERVER_MESSAGE_BYTES
        self._around = around
        self._emit = around.emit
        self._maybe_old = maybe_old
        self._is_old = False
        self._acknowledges = False
        self._remote_candidates: list[events.AddCandidate] = []
        self._remote_count = 0
        self._local_candidates: list[bytes] = []
        self._join_deadline = now + around.options.join_timeout
        self._deadline: float | None = now + around.options.offer_timeout
        self._liveness: Liveness | None = None
        self._emit(events.SendSignal(signalling.connect(server)))

    # --------------------------------------------------------------------------------------------------- signalling

    def offered(self, data: bytes) -> None:
        """WEBRTC_OFFER came; a second one is ignored, since we know of no renegotiation."""
        if self.phase is not Phase.ASKED:
            return
        try:
            sdp = signalling.read_description(data, "offer")
        except SdpError as error:
            self._fail(error.code, error.detail)
            return
        self.phase = Phase.ANSWERING
        self._deadline = self._join_deadline
        self._emit(events.AnswerOffer(self.number, sdp))

    def candidate_received(self, data: bytes) -> None:
        """WEBRTC_ICE_CANDIDATE came; kept until there is a link to give it to, and dropped when it is none or one too many."""
        self._remote_count += 1
        if self._remote_count > MAX_CANDIDATES:
            return
        try:
            candidate = signalling.read_candidate(data)
        except CandidateError as error:
            logger.debug("client %d: a candidate of server %d is dropped: %s", self.alias, self.server, error)
            return
        output = events.AddCandidate(self.number, candidate if candidate.candidate else None)
        if self.phase < Phase.OPENING:
            self._remote_candidates.append(output)
        else:
            self._emit(output)

    def answered(self, sdp: str) -> None:
        """The transport has an answer: it goes out first, then the candidates of both sides that waited for it."""
        self.phase = Phase.OPENING
        self._emit(events.SendSignal(signalling.answer(self.server, sdp)))
        for frame in self._local_candidates:
            self._emit(events.SendSignal(frame))
        for output in self._remote_candidates:
            self._emit(output)
        self._local_candidates.clear()
        self._remote_candidates.clear()

    def unanswerable(self, code: int, reason: str) -> None:
        """The transport can make nothing of the offer."""
        self._fail(code, reason)

    def candidate_found(self, candidate: signalling.CandidateInit | None) -> None:
        """The transport found a candidate of ours."""
        frame = signalling.candidate(self.server, candidate or signalling.END_OF_CANDIDATES)
        if self.phase < Phase.OPENING:
            self._local_candidates.append(frame)
        else:
            self._emit(events.SendSignal(frame))

    def refused(self, code: int) -> None:
        """CONNECTION_REFUSED came, from the server or from the coordinator in its name."""
        if self.phase < Phase.AUTHENTICATING:
            self._fail(code, "connection refused", told=True)

    def signalling_lost(self) -> None:
        """The coordinator's socket is gone: without it no offer comes and no answer goes."""
        if self.phase < Phase.OPENING:
            self._fail(Code.LINK_LOST, "the coordinator's socket closed while joining")

    def server_gone(self, now: float) -> None:
        """PEER_GONE: the server's own socket is gone; it may be dead, or only have lost its coordinator."""
        if self._liveness is not None and self.phase is Phase.JOINED:
            self._liveness.probe(now)
            self._ping(now)
        elif self.phase < Phase.OPENING:
            self._fail(Code.PEER_NOT_FOUND, "the server left while joining")
        else:
            self._deadline = min(self._deadline or self._join_deadline, now + self._around.options.probe_timeout)

    # --------------------------------------------------------------------------------------------------------- link

    def opened(self, now: float) -> None:
        """Both channels are open: AUTH goes first."""
        options = self._around.options
        self.phase = Phase.AUTHENTICATING
        self._deadline = now + options.old_server_after if self._maybe_old else self._join_deadline
        self._liveness = Liveness(options.ping_interval, options.link_timeout, options.probe_timeout, now, self._around.rng)
        self.authenticate()

    def authenticate(self) -> None:
        """Send AUTH: at the opening, and with a fresh token before the old one expires. Old servers know only the former."""
        if not self._is_old:
            self._send(packets.auth(pb.CLIENT, self._around.credentials.token, CAPABILITIES))

    def closed(self, end: LinkEnd) -> None:
        """The transport says that the link is gone."""
        self._fail(_CODE_OF_END[end], f"the link ended ({end.value})")

    def message(self, data: bytes, reliable: bool, now: float) -> None:
        """A message came by one of the channels. One that is none is dropped and counted: the server's fault is no reason to leave."""
        if self._liveness is None:
            return
        self._liveness.heard(now)
        self._around.stats.bytes_received += len(data)
        try:
            packet = packets.decode_packet(data)
            if isinstance(packet, pb.TopicBatchFrames):
                self._around.delivery.batch(packet, reliable)
            elif isinstance(packet, pb.TopicFWMessage | pb.TopicIdentityFWMessage):
                self._around.delivery.single(packet, reliable)
            elif packet is not None:
                self._control(packet, data, reliable, now)
        except ProtocolError as error:
            self._around.stats.dropped[Drop.UNDECODABLE] += 1
            logger.debug("client %d: a message of server %d is dropped: %s", self.alias, self.server, error)

    def _control(self, packet: packets.Packet, data: bytes, reliable: bool, now: float) -> None:
        if isinstance(packet, pb.PingMessage):
            self._pinged(packet, data, reliable, now)
        elif isinstance(packet, pb.ReadyMessage):
            self._ready(packet, now)
        elif isinstance(packet, pb.SubscribedMessage):
            self._settle(packet.version, [(entry.topic, entry.code) for entry in packet.refused], now)
        elif isinstance(packet, pb.ErrorMessage):
            self._emit(events.Refused(RequestRefused(packet.code, packet.reason, packet.topic)))
        elif isinstance(packet, pb.CloseMessage):
            self._fail(packet.code, packet.reason, told=True)
        else:
            self._around.stats.dropped[Drop.UNDECODABLE] += 1  # a packet that only clients or servers among themselves send

    def _pinged(self, packet: pb.PingMessage, data: bytes, reliable: bool, now: float) -> None:
        assert self._liveness is not None  # message() has seen to it
        if not self._liveness.is_echo(packet.time):
            self._send(data, reliable=reliable)
        elif echo := self._liveness.echoed(packet.time, now):
            self._emit(events.PingEchoed(*echo))

    # ------------------------------------------------------------------------------------------------------- joined

    def _ready(self, message: pb.ReadyMessage, now: float) -> None:
        limits = message.limits
        self.max_message_bytes = min(limits.max_message_bytes or MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES)
        self.batched = pb.BATCH in message.capabilities
        self._acknowledges = pb.SUBSCRIBE_ACK in message.capabilities
        self.alias = message.alias or self.alias
        self._around.credentials.accepted()
        self._join(now)

    def _join(self, now: float) -> None:
        if self.phase is not Phase.AUTHENTICATING:
            return
        self.phase = Phase.JOINED
        self.joined_at = now
        self._deadline = None
        self._around.delivery.alias = self.alias
        if self._around.subscriptions.outstanding:
            self._subscribe(now)

    def subscriptions_changed(self, now: float) -> None:
        """Send the set, if it differs from the one the server has."""
        if self.phase is Phase.JOINED and self._around.subscriptions.changed:
            self._subscribe(now)

    def _subscribe(self, now: float) -> None:
        version, topics = self._around.subscriptions.next_version()
        message = packets.subscription(topics, version=version, gzip_over=_GZIP_OVER)
        if len(message) > self.max_message_bytes:
            # The server keeps the set it has; what is new is refused in its name.
            known = self._around.subscriptions
            self._settle(version, [(t, Code.MESSAGE_TOO_LARGE) for t in topics if known.acknowledged(t) is None], now)
            return
        self._send(message)
        if not self._acknowledges:
            self._settle(version, [], now)

    def _settle(self, version: int, refused: list[tuple[str, int]], now: float) -> None:
        news = self._around.subscriptions.acknowledge(version, refused, now)
        self._emit(events.SubscriptionsSettled())
        if news:
            self._emit(events.Refused(SubscriptionRefused(news)))

    # --------------------------------------------------------------------------------------------------------- time

    def ping(self, now: float) -> int:
        """Send a PING; its number comes back in :class:`events.PingEchoed`. Raises RuntimeError before the channels are open."""
        if self._liveness is None:
            raise RuntimeError("a PING needs an open link")
        return self._ping(now)

    def _ping(self, now: float) -> int:
        assert self._liveness is not None  # every caller has looked
        number, message = self._liveness.ping(now)
        self._send(message)
        return number

    def next_deadline(self) -> float | None:
        """When to call :meth:`tick`."""
        if self.phase is Phase.JOINED and self._liveness is not None:
            return self._liveness.next_deadline()
        return self._deadline

    def tick(self, now: float) -> None:
        """Look at the deadlines."""
        if self.phase is Phase.JOINED and self._liveness is not None:
            match self._liveness.look(now):
                case Sign.LOST:
                    self._fail(Code.TIMEOUT, "nothing was heard from the server in time")
                case Sign.QUIET:
                    self._ping(now)
        elif self._deadline is not None and self._deadline <= now:
            self._late(now)

    def _late(self, now: float) -> None:
        if self.phase is Phase.AUTHENTICATING and self._maybe_old:
            logger.info("client %d: server %d speaks Part 1 only", self.alias, self.server)
            self._is_old = True
            self._around.credentials.accepted()
            self._join(now)
        else:
            awaited = {Phase.ASKED: "offer", Phase.ANSWERING: "answer", Phase.OPENING: "open channel"}.get(self.phase, "READY")
            self._fail(Code.TIMEOUT, f"no {awaited} in time")

    def _send(self, data: bytes, *, reliable: bool = True) -> None:
        self._emit(events.SendPacket(data, reliable))

    def _fail(self, code: int, reason: str, *, told: bool = False) -> None:
        if self.end is None:
            self.end = End(code, reason, told)
            logger.info("client %d: server %d: %s: %s", self.alias, self.server, describe(code), reason)
