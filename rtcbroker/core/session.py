"""The life of one client: dial the coordinator, join a server, notice that it is lost, come back. Pure: events in, outputs out.

Two things live beside each other. The **socket** to the coordinator is always wanted; without it nothing can be joined, but a joined
server does not need it. The **link** to a server, at most one, is wanted whenever there is none and the socket is welcomed: the servers
of WELCOME are tried in turn (a *round*), then the coordinator is dialed again for a fresh list, after a pause with full jitter.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from protocol import signalling
from protocol.codes import Code, Retry
from protocol.errors import ConnectionClosed, ProtocolError
from protocol.pb import broker_pb2 as pb
from rtcbroker.core import events
from rtcbroker.core.backoff import Backoff
from rtcbroker.core.credentials import AUTH_CODES, Credentials
from rtcbroker.core.delivery import Delivery
from rtcbroker.core.errors import AuthError, ConnectError
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.server_link import End, Phase, ServerLink, Surroundings
from rtcbroker.core.servers import ServerList
from rtcbroker.core.states import ClientState, Lifecycle
from rtcbroker.core.stats import ClientStats, Drop
from rtcbroker.core.subscriptions import SubscriptionSet

if TYPE_CHECKING:
    import random

logger = logging.getLogger(__name__)

_NOTHING: list[events.Output] = []

_PASSING = frozenset({Code.AUTH_TIMEOUT})
"""Codes whose range says never, but not to us: we do send AUTH, so when it came too late the way was slow, and may be quicker next time."""


class Socket(enum.Enum):
    """How far the socket to the coordinator is."""

    DOWN = "down"
    """To be dialed at its deadline."""
    TOKEN = "token"
    """Waits for the application's token."""
    DIALING = "dialing"
    OPEN = "open"
    """Waits for WELCOME."""
    WELCOMED = "welcomed"


class Session:
    """The state machine of one client. Change state by :meth:`handle` or :meth:`received`, do all it returns, then change it again."""

    def __init__(
        self,
        options: ClientOptions,
        stats: ClientStats,
        subscriptions: SubscriptionSet,
        delivery: Delivery,
        rng: random.Random,
        *,
        token: str | None,
        renewable: bool,
    ) -> None:
        """`token` is the application's fixed token; `renewable` says that it gave a function instead (:class:`events.AskToken`)."""
        self.alias = 0
        self.failure = ConnectionClosed(Code.TIMEOUT, "no answer yet")
        """Why the last try failed."""
        self._options = options
        self._stats = stats
        self._subscriptions = subscriptions
        self._outputs: list[events.Output] = []
        self._credentials = Credentials(token, renewable=renewable)
        self._around = Surroundings(options, stats, subscriptions, delivery, self._credentials, rng, self._emit)
        self._lifecycle = Lifecycle()
        self._link: ServerLink | None = None
        self._links = 0
        self._servers = ServerList()
        self._rounds = Backoff(options.backoff_base, options.backoff_cap, rng)
        self._dials = Backoff(options.backoff_base, options.backoff_cap, rng)
        self._failed_attempts = 0
        self._socket = Socket.DOWN
        self._socket_deadline: float | None = None
        self._resume = ""
        self._resume_alias = 0
        self._handlers: dict[type, Callable[[Any, float], None]] = {
            events.Start: self._on_start,
            events.Stop: self._on_stop,
            events.TokenReceived: self._on_token,
            events.TokenFailed: self._on_token_failed,
            events.SocketOpened: self._on_socket_opened,
            events.SignalReceived: self._on_signal,
            events.SocketEnded: self._on_socket_ended,
            events.LinkAnswered: self._on_link_event,
            events.LinkRefused: self._on_link_event,
            events.LocalCandidate: self._on_link_event,
            events.LinkOpened: self._on_link_event,
            events.LinkEnded: self._on_link_event,
            events.SubscriptionsChanged: self._on_subscriptions_changed,
            events.DeadlineReached: self._on_deadline,
        }

    # -------------------------------------------------------------------------------------------------- the border

    @property
    def state(self) -> ClientState:
        """The client's state."""
        return self._lifecycle.state

    @property
    def joined(self) -> ServerLink | None:
        """The link packets may be sent on, or None."""
        link = self._link
        return link if link is not None and link.phase is Phase.JOINED and link.end is None else None

    def handle(self, event: events.Event, now: float) -> list[events.Output]:
        """Take an event at `now` (seconds since the epoch); returns what is to be done, in this order."""
        if self.state is ClientState.CLOSED:
            return _NOTHING
        self._handlers[type(event)](event, now)
        return self._drain(now)

    def received(self, link: int, data: bytes, reliable: bool, now: float) -> list[events.Output]:
        """Take a message that came by a link: :meth:`handle` for the busiest of all events."""
        current = self._link
        if current is None or current.number != link:
            return _NOTHING
        current.message(data, reliable, now)
        if not self._outputs and current.end is None and self.state is ClientState.CONNECTED:
            return _NOTHING
        return self._drain(now)

    def ping(self, now: float) -> tuple[int, list[events.Output]]:
        """Send a PING: its number (:class:`events.PingEchoed`), and what is to be done. Raises RuntimeError when not joined."""
        if self.joined is None:
            raise RuntimeError("a PING needs a joined server")
        return self.joined.ping(now), self._drain(now)

    def next_deadline(self) -> float | None:
        """When to send :class:`events.DeadlineReached`, at the latest; None for never."""
        if self.state is ClientState.CLOSED:
            return None
        deadlines = [self._socket_deadline]
        if self._link is not None:
            deadlines.append(self._link.next_deadline())
        if self.joined is not None:
            deadlines.append(self._credentials.renew_at)
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _emit(self, output: events.Output) -> None:
        self._outputs.append(output)

    def _drain(self, now: float) -> list[events.Output]:
        while (link := self._link) is not None:
            if link.end is not None:
                self._link = None
                self._on_link_over(link, link.end, now)
            elif link.phase is Phase.JOINED and self.state is not ClientState.CONNECTED:
                self._on_joined(link)
            else:
                break
        outputs, self._outputs = self._outputs, []
        return outputs

    def _change(self, state: ClientState, cause: ConnectionClosed | None, why: str) -> None:
        if self._lifecycle.to(state, why, alias=self.alias):
            self._emit(events.StateChanged(state, cause))

    # ----------------------------------------------------------------------------------------------- start and end

    def _on_start(self, event: events.Start, now: float) -> None:
        self._change(ClientState.CONNECTING, None, "connect")
        self._dial(now)

    def _on_stop(self, event: events.Stop, now: float) -> None:
        self._finish(event.cause)

    def _finish(self, cause: ConnectionClosed | None) -> None:
        if self._link is not None:
            self._leave(self._link)
            self._link = None
        self._hang_up()
        self._change(ClientState.CLOSED, cause, str(cause) if cause else "closed by the application")

    # ----------------------------------------------------------------------------------------------------- the token

    def _ask_token(self) -> None:
        if not self._credentials.asked:
            self._credentials.asked = True
            self._emit(events.AskToken())

    def _on_token(self, event: events.TokenReceived, now: float) -> None:
        self._credentials.received(event.token, now)
        if self._socket is Socket.TOKEN:
            self._dial(now)
        if self.joined is not None:
            self.joined.authenticate()

    def _on_token_failed(self, event: events.TokenFailed, now: float) -> None:
        logger.warning("client %d: no token could be had: %s", self.alias, event.reason)
        self._credentials.failed(now)
        if self._socket is Socket.TOKEN:
            self._socket = Socket.DOWN
            self._on_dial_failed(ConnectionClosed(Code.AUTH_FAILED, f"no token could be had: {event.reason}"), now)

    def _second_chance(self, now: float) -> bool:
        """After a token was refused: dial again with a fresh one, if there is a way to get one and it was not tried just now."""
        if not self._credentials.refused():
            return False
        self._hang_up()
        self._socket_deadline = now
        return True

    # ---------------------------------------------------------------------------------------------------- the socket

    def _dial(self, now: float) -> None:
        self._socket_deadline = None
        if self._credentials.due(now):
            self._socket = Socket.TOKEN
            self._ask_token()
            return
        self._socket = Socket.DIALING
        self._socket_deadline = now + self._options.dial_timeout
        self._emit(events.DialCoordinator(self._resume_alias, self._resume, self._credentials.token))

    def _hang_up(self) -> None:
        if self._socket in (Socket.DIALING, Socket.OPEN, Socket.WELCOMED):
            self._emit(events.HangUp())
        self._socket = Socket.DOWN
        self._socket_deadline = None

    def _on_socket_opened(self, event: events.SocketOpened, now: float) -> None:
        self._socket = Socket.OPEN

    def _on_socket_ended(self, event: events.SocketEnded, now: float) -> None:
        failure = ConnectionClosed(event.code, event.reason)
        self._socket = Socket.DOWN
        if self._link is not None and event.code in AUTH_CODES:
            self._credentials.void()
        if self._link is not None or not self._is_settled_by(failure, now):
            self._on_dial_failed(failure, now)

    def _on_dial_failed(self, failure: ConnectionClosed, now: float) -> None:
        """The socket did not come up, or went. With a link that lives, or may yet, this is no more than a reason to dial again."""
        logger.info("client %d: no coordinator: %s", self.alias, failure)
        if self._link is None:
            self.failure = failure
            self._on_attempt_failed(self._dials, now)
        else:
            self._socket_deadline = now + self._dials.next()
            self._link.signalling_lost()

    def _on_attempt_failed(self, pauses: Backoff, now: float) -> None:
        """Neither this socket nor any of its servers: once more from the start, after a pause, unless that was the last attempt."""
        self._failed_attempts += 1
        if self._options.max_attempts is not None and self._failed_attempts >= self._options.max_attempts:
            self._finish(ConnectError(self.failure.code, self.failure.reason))
        elif self._socket is not Socket.TOKEN:  # a dial that waits for its token goes on by itself
            self._hang_up()
            self._socket_deadline = now + pauses.next()

    def _is_settled_by(self, failure: ConnectionClosed, now: float) -> bool:
        """Whether we were told not to come back like this: then it is a fresh token, or the end."""
        if failure.code in AUTH_CODES:
            if not self._second_chance(now):
                self._finish(AuthError(failure.code, failure.reason))
            return True
        if failure.retry is Retry.NEVER and failure.code not in _PASSING:
            self._finish(ConnectError(failure.code, failure.reason))
            return True
        return False

    def _on_signal(self, event: events.SignalReceived, now: float) -> None:
        try:
            signal = signalling.decode_signal(event.frame)
        except ProtocolError as error:
            self._stats.dropped[Drop.UNDECODABLE] += 1
            logger.debug("client %d: a frame of the coordinator is dropped: %s", self.alias, error)
            return
        if isinstance(signal, pb.WelcomeMessage):
            self._on_welcome(signal, now)
        elif self._link is None or self._socket is not Socket.WELCOMED:
            return
        elif isinstance(signal, pb.PeerGoneMessage):
            if signal.alias == self._link.server:
                self._link.server_gone(now)
        elif isinstance(signal, pb.WebRtcMessage | pb.ConnectionRefusedMessage) and signal.from_alias == self._link.server:
            self._on_servers_signal(self._link, signal)

    def _on_servers_signal(self, link: ServerLink, signal: pb.WebRtcMessage | pb.ConnectionRefusedMessage) -> None:
        if isinstance(signal, pb.ConnectionRefusedMessage):
            link.refused(signalling.refusal_code(signal))
        elif signal.type == pb.WEBRTC_OFFER:
            link.offered(signal.data)
        elif signal.type == pb.WEBRTC_ICE_CANDIDATE:
            link.candidate_received(signal.data)

    def _on_welcome(self, welcome: pb.WelcomeMessage, now: float) -> None:
        self._socket = Socket.WELCOMED
        self._socket_deadline = None
        self._dials.reset()
        self._resume, self._resume_alias = welcome.resume, welcome.alias if welcome.resume else 0
        self._servers.refresh(welcome.available_servers)
        if self._link is None:
            self.alias = welcome.alias
            self.failure = ConnectionClosed(Code.NO_SERVERS)
            self._next_server(now)

    # ------------------------------------------------------------------------------------------------------ the link

    def _next_server(self, now: float) -> None:
        if self._socket is not Socket.WELCOMED:
            return  # the next WELCOME begins a round
        server = self._servers.next()
        if server is None:
            self._on_attempt_failed(self._rounds, now)
            return
        self._links += 1
        logger.info("client %d: joining server %d", self._resume_alias or self.alias, server)
        self._link = ServerLink(
            self._links, server, self._resume_alias or self.alias, self._around, now, maybe_old=not self._resume
        )

    def _on_link_event(
        self,
        event: events.LinkAnswered | events.LinkRefused | events.LocalCandidate | events.LinkOpened | events.LinkEnded,
        now: float,
    ) -> None:
        link = self._link
        if link is None or link.number != event.link:
            return
        match event:
            case events.LinkAnswered():
                link.answered(event.sdp)
            case events.LinkRefused():
                link.unanswerable(event.code, event.reason)
            case events.LocalCandidate():
                link.candidate_found(event.candidate)
            case events.LinkOpened():
                link.opened(now)
            case events.LinkEnded():
                link.closed(event.end)

    def _on_joined(self, link: ServerLink) -> None:
        self._failed_attempts = 0
        self.alias = link.alias
        self._stats.joins += 1
        self._stats.reconnects += self.state is ClientState.RECONNECTING
        self._change(ClientState.CONNECTED, None, f"joined server {link.server}")

    def _on_link_over(self, link: ServerLink, end: End, now: float) -> None:
        self.failure = ConnectionClosed(end.code, end.reason)
        self._leave(link)
        was_connected = self.state is ClientState.CONNECTED
        # Without a word of the server's own nothing is final, and a refused CONNECT says only that this server is not for us.
        is_verdict = end.told and (link.phase >= Phase.AUTHENTICATING or end.code in AUTH_CODES)
        if is_verdict and self._is_settled_by(self.failure, now):
            if was_connected and self.state is ClientState.CONNECTED:
                self._change(ClientState.RECONNECTING, self.failure, str(self.failure))
        elif was_connected:
            self._change(ClientState.RECONNECTING, self.failure, str(self.failure))
            self._on_lost(link, end, now)
        else:
            self._next_server(now)

    def _on_lost(self, link: ServerLink, end: End, now: float) -> None:
        if now - link.joined_at < self._options.stable_after:
            self._on_attempt_failed(self._rounds, now)
            return
        self._rounds.reset()
        if end.told and self.failure.retry is Retry.SAME:
            self._servers.restart(first=link.server)
        else:
            self._servers.restart(without=link.server)
        if self._socket is Socket.DOWN:
            self._socket_deadline = now  # no longer in the background: now it is wanted
        self._next_server(now)

    def _leave(self, link: ServerLink) -> None:
        if link.phase > Phase.ASKED:
            self._emit(events.CloseLink(link.number))
        if link.phase is Phase.JOINED:
            self._subscriptions.connection_lost()

    def _on_subscriptions_changed(self, event: events.SubscriptionsChanged, now: float) -> None:
        if self.joined is not None:
            self.joined.subscriptions_changed(now)

    # ---------------------------------------------------------------------------------------------------------- time

    def _on_deadline(self, event: events.DeadlineReached, now: float) -> None:
        if self._socket_deadline is not None and self._socket_deadline <= now:
            self._socket_deadline = None
            if self._socket is Socket.DOWN:
                self._dial(now)
            else:
                self._hang_up()
                self._on_dial_failed(ConnectionClosed(Code.TIMEOUT, "no WELCOME from the coordinator in time"), now)
        if self._link is not None:
            self._link.tick(now)
        renew_at = self._credentials.renew_at
        if self.joined is not None and renew_at is not None and renew_at <= now:
            self._ask_token()
