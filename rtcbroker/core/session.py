"""The life of one client: dial the coordinator, join a server, notice that it is lost, come back. Pure: events in, outputs out.

Two things live beside each other. The **socket** to the coordinator is always wanted; without it nothing can be joined, but a joined
server does not need it. The **link** to a server is wanted whenever there is none and the socket is welcomed: the servers
of WELCOME are tried in turn (a *round*), then the coordinator is dialed again for a fresh list, after a pause with full jitter. Where the
server asks its client to go elsewhere, the same happens beside the link it has (a *move*), until another takes its place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

from protocol import signalling
from protocol.codes import Code, Retry
from protocol.errors import ConnectionClosed, ProtocolError
from protocol.pb import broker_pb2 as pb
from rtcbroker.core import events
from rtcbroker.core.credentials import AUTH_CODES, Credentials
from rtcbroker.core.delivery import Delivery
from rtcbroker.core.errors import ConnectError, TokenUnavailable
from rtcbroker.core.moving import Moving
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.patience import Patience, Verdict, final_error
from rtcbroker.core.server_link import End, LinkEvent, Phase, ServerLink, Surroundings
from rtcbroker.core.signalling import Signalling, Socket
from rtcbroker.core.states import ClientState, Lifecycle
from rtcbroker.core.stats import ClientStats, Drop
from rtcbroker.core.subscriptions import SubscriptionSet
from service.ice import IceChoice
from service.urls import Turns

if TYPE_CHECKING:
    import random

logger = logging.getLogger(__name__)

_JUST_BEGUN_S = 1.0
"""A try that is younger explains nothing: most are done by then."""


class Session:
    """The state machine of one client. Change state by :meth:`handle` or :meth:`received`, do all it returns, then change it again."""

    def __init__(
        self,
        urls: Turns,
        options: ClientOptions,
        stats: ClientStats,
        subscriptions: SubscriptionSet,
        delivery: Delivery,
        rng: random.Random,
        *,
        token: str | None,
        renewable: bool,
    ) -> None:
        """`urls` are the coordinators'.

        `token` is the application's fixed token; `renewable` says that it gave a function instead (:class:`events.AskToken`).
        """
        self.alias = 0
        self.failure = ConnectionClosed(Code.TIMEOUT, "no answer yet")
        """Why the last try failed."""
        self._options = options
        self._stats = stats
        self._outputs: list[events.Output] = []
        self._credentials = Credentials(token, renewable=renewable)
        self._signalling = Signalling(urls, options, self._credentials, rng, self._emit)
        self._ice = IceChoice(options.ice_servers)
        self._around = Surroundings(options, stats, subscriptions, delivery, self._credentials, self._ice, rng, self._emit)
        self._lifecycle = Lifecycle()
        self._link: ServerLink | None = None
        self._links = 0
        self._moving = Moving(self._around)
        self._patience = Patience(options, self._credentials, rng)
        self._handlers: dict[type, Callable[[Any, float], None]] = {
            events.Start: self._on_start,
            events.Stop: self._on_stop,
            events.Stay: self._on_stay,
            events.TokenReceived: self._on_token,
            events.TokenFailed: self._on_token_failed,
            events.SocketOpened: self._on_socket_opened,
            events.SignalReceived: self._on_signal,
            events.SocketEnded: self._on_socket_ended,
            **dict.fromkeys(get_args(LinkEvent), self._on_link_event),
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

    @property
    def is_parting(self) -> bool:
        """Whether what is published reliably has to wait for :class:`events.Moved`."""
        return self._moving.is_parting

    def trouble(self, now: float) -> ConnectionClosed:
        """Why there is no connection: what the present try waits for, if it has for some time, else why the last one failed."""
        link = self._link
        if link is None and self._signalling.socket is Socket.TOKEN and now - self._signalling.asked_at >= _JUST_BEGUN_S:
            return TokenUnavailable("it has not answered yet")
        if link is None or link.phase is Phase.JOINED or now - link.asked_at < _JUST_BEGUN_S:
            return self.failure
        return ConnectionClosed(Code.TIMEOUT, link.awaited)

    def handle(self, event: events.Event, now: float) -> list[events.Output]:
        """Take an event at `now` (seconds since the epoch); returns what is to be done, in this order. A closed client does nothing."""
        if self.state is ClientState.CLOSED:
            return []
        self._handlers[type(event)](event, now)
        return self._drain(now)

    def received(self, link: int, data: bytes, reliable: bool, now: float) -> list[events.Output]:
        """Take a message that came by a link: :meth:`handle` for the busiest of all events."""
        found = self._link_of(link)
        if found is None:
            return []
        found.message(data, reliable, now)
        return self._drain(now)

    def _link_of(self, number: int) -> ServerLink | None:
        return next((link for link in self._all_links() if link.number == number), None)

    def _all_links(self) -> list[ServerLink]:
        return [link for link in (self._link, self._moving.next) if link is not None]

    def ping(self, now: float) -> tuple[int, list[events.Output]]:
        """Send a PING: its number (:class:`events.PingEchoed`), and what is to be done. Raises RuntimeError when not joined."""
        if self.joined is None:
            raise RuntimeError("a PING needs a joined server")
        return self.joined.ping(now), self._drain(now)

    def next_deadline(self) -> float | None:
        """When to send :class:`events.DeadlineReached`, at the latest; None for never."""
        if self.state is ClientState.CLOSED:
            return None
        deadlines = [self._signalling.deadline, self._moving.deadline]
        deadlines += [link.next_deadline() for link in self._all_links()]
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
            elif not self._move_on(link, now):
                break
        outputs, self._outputs = self._outputs, []
        return outputs

    def _change(self, state: ClientState, cause: ConnectionClosed | None, why: str) -> None:
        if self._lifecycle.to(state, why, alias=self.alias):
            self._emit(events.StateChanged(state, cause))

    # ----------------------------------------------------------------------------------------------- start and end

    def _on_start(self, event: events.Start, now: float) -> None:
        self._change(ClientState.CONNECTING, None, "connect")
        self._signalling.dial(now)

    def _on_stop(self, event: events.Stop, now: float) -> None:
        self._finish(event.cause)

    def _on_stay(self, event: events.Stay, now: float) -> None:
        self._moving.give_up()
        if self._link is not None:
            self._link.told_to_move = False

    def _finish(self, cause: ConnectionClosed | None) -> None:
        self._moving.give_up()
        if self._link is not None:
            self._leave(self._link)
            self._link = None
        self._signalling.hang_up()
        self._change(ClientState.CLOSED, cause, str(cause) if cause else "closed by the application")

    # ----------------------------------------------------------------------------------------------------- the token

    def _on_token(self, event: events.TokenReceived, now: float) -> None:
        self._credentials.received(event.token, now)
        if self._signalling.socket is Socket.TOKEN:
            self._signalling.dial(now)
        for link in self._all_links():
            if link.phase is Phase.JOINED:
                link.authenticate()

    def _on_token_failed(self, event: events.TokenFailed, now: float) -> None:
        self._credentials.failed(now)
        failure = TokenUnavailable(event.reason)
        self._emit(events.Refused(failure))
        if self._signalling.socket is Socket.TOKEN:
            self._signalling.socket = Socket.DOWN
            self._on_dial_failed(failure, now)

    # ---------------------------------------------------------------------------------------------------- the socket

    def _on_socket_opened(self, event: events.SocketOpened, now: float) -> None:
        self._signalling.socket = Socket.OPEN

    def _on_socket_ended(self, event: events.SocketEnded, now: float) -> None:
        failure = ConnectionClosed(event.code, event.reason)
        self._signalling.socket = Socket.DOWN
        # Of a link that lives the server itself decides, but for a token that no server of the cluster takes any more.
        is_decisive = self._link is None or (event.code == Code.TOKEN_REVOKED and not self._credentials.renewable)
        if is_decisive and self._is_settled_by(failure, now):
            return
        if event.code in AUTH_CODES:
            self._credentials.void()
        self._on_dial_failed(failure, now)

    def _on_dial_failed(self, failure: ConnectionClosed, now: float) -> None:
        """The socket did not come up, or went. With a link that lives, or may yet, this is no more than a reason to dial again."""
        logger.info("client %d: no coordinator: %s", self.alias, failure)
        self._signalling.dial_later(now)
        if self._link is not None:
            for link in self._all_links():
                link.signalling_lost(revoked=failure.code == Code.TOKEN_REVOKED)
        else:
            self.failure = failure
            self._count_failed_attempt()

    def _count_failed_attempt(self) -> None:
        if self._patience.is_over():
            self._finish(ConnectError(self.failure.code, self.failure.reason))

    def _is_settled_by(self, told: ConnectionClosed, now: float) -> bool:
        """Whether the coordinator's or the server's own word settles what to do: then it is done."""
        verdict = self._patience.judge(told)
        if verdict is Verdict.FRESH_TOKEN:
            self._signalling.dial_at(now)
        elif verdict is Verdict.NEVER:
            self._finish(final_error(told))
        return verdict is not Verdict.AGAIN

    def _on_signal(self, event: events.SignalReceived, now: float) -> None:
        try:
            signal = signalling.decode_signal(event.frame)
        except ProtocolError as error:
            self._stats.dropped[Drop.UNDECODABLE] += 1
            logger.debug("client %d: a frame of the coordinator is dropped: %s", self.alias, error)
            return
        if isinstance(signal, pb.WelcomeMessage | pb.IceServersMessage):
            self._ice.granted(signalling.ice_grant(signal), now)
        if isinstance(signal, pb.WelcomeMessage):
            self._on_welcome(signal, now)
        elif signal is not None and self._signalling.socket is Socket.WELCOMED:
            for link in self._all_links():
                link.signal(signal, now)

    def _on_welcome(self, welcome: pb.WelcomeMessage, now: float) -> None:
        self._signalling.welcomed(welcome)
        if self._link is None:
            self.alias = welcome.alias
            if not welcome.available_servers:
                self.failure = ConnectionClosed(Code.NO_SERVERS)
            self._next_server(now)
        elif self._moving.is_seeking:
            self._next_server(now)

    # ------------------------------------------------------------------------------------------------------ the link

    def _next_server(self, now: float) -> None:
        if self._signalling.socket is not Socket.WELCOMED:
            return  # the next WELCOME begins a round
        server = self._signalling.servers.next()
        if server is not None and self._link is not None and server == self._link.server:
            server = self._signalling.servers.next()  # it does not want us any more
        if server is None:
            self._end_round(now)
            return
        self._links += 1
        logger.info("client %d: joining server %d", self._signalling.alias, server)
        link = ServerLink(
            self._links,
            server,
            self._signalling.alias,
            self._around,
            now,
            maybe_old=not self._signalling.speaks_part2,
            hurried=self._signalling.servers.has_more,
            held=self._moving.holding(),
        )
        if self._moving.is_under_way:
            self._moving.next = link
        else:
            self._link = link

    def _end_round(self, now: float) -> None:
        """None of the servers will do: ask the coordinator for a fresh list, after a pause."""
        if self._moving.is_under_way:
            self._signalling.dial_at(now + self._moving.pause())
            return
        self._signalling.dial_at(now + self._patience.pause())
        self._count_failed_attempt()

    def _on_link_event(self, event: LinkEvent, now: float) -> None:
        if (link := self._link_of(event.link)) is not None:
            link.happened(event, now)

    def _on_joined(self, link: ServerLink) -> None:
        self._patience.joined()
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
        is_settled = is_verdict and self._is_settled_by(self.failure, now)
        if was_connected and self.state is not ClientState.CLOSED:
            self._change(ClientState.RECONNECTING, self.failure, str(self.failure))
        if is_settled:
            self._moving.give_up()
            return
        if (successor := self._moving.promote(now)) is not None:
            self._link = successor
            return
        if was_connected:
            self._on_lost(link, end, now)
        elif self._signalling.socket is Socket.DOWN:
            self._end_round(
                now
            )  # the socket broke while joining: a coordinator that does so each time is not to be asked at full speed
        else:
            self._next_server(now)

    def _on_lost(self, link: ServerLink, end: End, now: float) -> None:
        if now - link.joined_at < self._options.stable_after:
            self._end_round(now)
            return
        self._patience.restore()
        if end.told and self.failure.retry is Retry.SAME:
            self._signalling.servers.restart(first=link.server)
        else:
            self._signalling.servers.restart(without=link.server)
        if self._signalling.socket is Socket.DOWN:
            self._signalling.dial_at(now)  # no longer in the background: now it is wanted
        self._next_server(now)

    # ------------------------------------------------------------------------------------------------------- moving

    def _move_on(self, link: ServerLink, now: float) -> bool:
        """Whether something is to be done about a move; then it is done."""
        if link.told_to_move and link.phase is Phase.JOINED and not self._moving.is_under_way:
            self._moving.begin(link)
            self._signalling.dial_at(now)  # for a list of servers as it is now
            return True
        if self._moving.next_has_failed():
            self._next_server(now)
            return True
        if (successor := self._moving.advance(now)) is None:
            return False
        self._link, self.alias = successor, successor.alias
        return True

    def _leave(self, link: ServerLink) -> None:
        link.close()
        if link.phase is Phase.JOINED:
            self._around.subscriptions.connection_lost()

    def _on_subscriptions_changed(self, event: events.SubscriptionsChanged, now: float) -> None:
        # While two servers have the set it stays as it is; what changed is told when there is one again, some milliseconds later.
        if self.joined is not None and not self._moving.is_overlapping:
            self.joined.subscriptions_changed(now)

    # ---------------------------------------------------------------------------------------------------------- time

    def _on_deadline(self, event: events.DeadlineReached, now: float) -> None:
        if (late := self._signalling.tick(now)) is not None:
            self._on_dial_failed(late, now)
        for link in self._all_links():
            link.tick(now)
        self._moving.tick(now)
        renew_at = self._credentials.renew_at
        if self.joined is not None and renew_at is not None and renew_at <= now:
            self._signalling.ask_token(now)
