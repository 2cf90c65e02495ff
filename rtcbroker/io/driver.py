"""The shell around the session: one event in, all outputs done, one timer kept; and whoever waits is served.

Every entry has the same shape (:meth:`Driver.feed`). Doing an output may bring the next event at once; it waits in line until the
outputs of the one before are done.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl as tls
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import aiohttp

from protocol.errors import ConnectionClosed, RtcBrokerError
from rtcbroker.core import events
from rtcbroker.core.delivery import Delivery
from rtcbroker.core.errors import ClientClosed, NotConnected
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.session import Session
from rtcbroker.core.states import ClientState
from rtcbroker.core.stats import ClientStats
from rtcbroker.core.subscriptions import SubscriptionSet
from rtcbroker.io.links import LinkDialer, Links
from rtcbroker.io.listeners import Listeners
from rtcbroker.io.sender import Sender
from rtcbroker.io.signalling import CoordinatorSocket, check_answer, with_query
from rtcbroker.io.tokens import NoToken, Token, ask
from rtcbroker.io.waiting import Waiters
from service.clock import Clock
from service.urls import Turns
from transport import Dialer
from transport.options import DEFAULT_LOW_MARK, LinkOptions

logger = logging.getLogger(__name__)


class Driver:
    """One client at work."""

    def __init__(self, urls: Sequence[str], token: Token, options: ClientOptions, ssl: tls.SSLContext | None) -> None:
        """`urls` are as :func:`connect_urls` gives them; each dial goes to the next."""
        self.stats = ClientStats()
        self.subscriptions = SubscriptionSet()
        self.clock = Clock()
        self.delivery = Delivery(self.stats)
        self.connected: Waiters[None, None] = Waiters()
        """Served when the client is connected; fails with the cause when it will not be."""
        self.settled: Waiters[int, None] = Waiters()
        """Those who wait for a version of the subscriptions to be acknowledged."""
        self.pings: Waiters[int, float] = Waiters()
        """Those who wait for the PING of a number; they get the seconds it took."""
        self.state_listeners: Listeners[ClientState, RtcBrokerError | None] = Listeners()
        """Told each new state and its cause."""
        self.coordinator_listeners: Listeners[str] = Listeners()
        """Told host and port of each coordinator that has welcomed the client."""
        self.error_listeners: Listeners[RtcBrokerError] = Listeners()
        """Told what was refused."""
        self.end_listeners: Listeners[ClientClosed | None] = Listeners()
        """Told that the client is closed, with the error where that was not the application's wish."""
        self._token = token
        self._options = options
        self._ssl = ssl
        fixed = token if isinstance(token, str) else None
        self.session = Session(
            Turns(urls, random.Random()),
            options,
            self.stats,
            self.subscriptions,
            self.delivery,
            random.Random(),
            token=fixed,
            renewable=callable(token),
        )
        self._links = Links(make_dialer(options), self.feed, self._on_message, self._on_room)
        self.sender = Sender(options, self.stats, lambda: self.session.joined, self._links, lambda: self.session.is_parting)
        self._http: aiohttp.ClientSession | None = None
        self._socket: CoordinatorSocket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._events: deque[events.Event] = deque()
        self._is_busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._flush: asyncio.Handle | None = None
        self._ended: ConnectionClosed | None = None
        self._doers = self._make_doers()

    def _make_doers(self) -> dict[type, Callable[[Any], None]]:
        return {
            events.AskToken: self._do_ask_token,
            events.DialCoordinator: self._do_dial,
            events.HangUp: self._do_hang_up,
            events.SendSignal: self._do_send_signal,
            events.AnswerOffer: lambda output: self._links.answer(output.link, output.sdp, output.ice_servers),
            events.AddCandidate: lambda output: self._links.add_candidate(output.link, output.candidate),
            events.CloseLink: lambda output: self._links.close(output.link),
            events.SendPacket: self._do_send_packet,
            events.FlushReliable: lambda _: self.sender.flush_reliable(),
            events.Moved: lambda _: self.sender.flush(),
            events.StateChanged: self._do_state_changed,
            events.CoordinatorJoined: lambda output: self.coordinator_listeners.tell(output.host),
            events.SubscriptionsSettled: self._do_settled,
            events.PingEchoed: lambda output: self.pings.serve(lambda number: number == output.number, output.seconds),
            events.Refused: self._do_refused,
        }

    # ----------------------------------------------------------------------------------------------------- the loop

    def feed(self, event: events.Event) -> None:
        """Take one event, do all that follows from it, and set the timer."""
        self._events.append(event)
        if self._is_busy:
            return
        self._is_busy = True
        try:
            while self._events:
                for output in self.session.handle(self._events.popleft(), self.clock.now()):
                    self._doers[type(output)](output)
        finally:
            self._is_busy = False
        self._set_timer()

    def perform(self, outputs: list[events.Output]) -> None:
        """Do what the session wants done, where it was not asked by an event."""
        was_busy, self._is_busy = self._is_busy, True
        try:
            for output in outputs:
                self._doers[type(output)](output)
        finally:
            self._is_busy = was_busy
        if self._events and not was_busy:
            self.feed(self._events.popleft())
        self._set_timer()

    def _on_message(self, link: int, data: bytes, reliable: bool) -> None:
        # The busiest entry: nearly always the packets are delivered by now and nothing is left to be done. The timer may stay as it is:
        # a message only ever puts deadlines off, and the timer looks again when it fires.
        if outputs := self.session.received(link, data, reliable, self.clock.now()):
            self.perform(outputs)

    def _set_timer(self) -> None:
        deadline = self.session.next_deadline()
        if self._timer is not None:
            if deadline is not None and self._timer_at <= deadline:
                return  # early at worst
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer_at = deadline
            self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - self.clock.now()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.feed(events.DeadlineReached())

    def flush_soon(self) -> None:
        """At the end of this loop turn, send the changed subscriptions and what was published."""
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Send them now."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if self.subscriptions.changed and self.session.joined is not None:
            self.feed(events.SubscriptionsChanged())
        self.sender.flush()

    def _on_room(self) -> None:
        self.sender.has_room()

    # ----------------------------------------------------------------------------------------------------- the deeds

    def _do_ask_token(self, output: events.AskToken) -> None:
        self._start(self._ask_token(), "asking for a token")

    async def _ask_token(self) -> None:
        assert callable(self._token)  # otherwise the session does not ask
        try:
            token = await ask(self._token, self._options.token_timeout)
        except NoToken as error:
            mistake = f"the token function is wrong: {error}"
            if self.session.state is ClientState.CONNECTING:
                self.connected.fail(lambda: TypeError(mistake))
            else:
                self.feed(events.TokenFailed(str(error)))
        except Exception as error:  # the application's function may raise whatever it likes
            logger.debug("the token function failed", exc_info=True)
            self.feed(events.TokenFailed(str(error) or type(error).__name__))
        else:
            self.feed(events.TokenReceived(token))

    def _do_dial(self, output: events.DialCoordinator) -> None:
        assert self._http is not None  # made by start()
        url = with_query(output.url, output.alias, output.resume)
        heartbeat = self._options.heartbeat
        self._socket = CoordinatorSocket(self._http, url, output.token, self.feed, heartbeat=heartbeat, ssl=self._ssl)
        self._keep(self._socket.task)

    def _do_hang_up(self, output: events.HangUp) -> None:
        if self._socket is not None:
            self._socket.hang_up()

    def _do_send_signal(self, output: events.SendSignal) -> None:
        if self._socket is not None:
            self._socket.send(output.frame)

    def _do_send_packet(self, output: events.SendPacket) -> None:
        if self._links.send(output.link, output.data, reliable=output.reliable):
            self.stats.bytes_sent += len(output.data)

    def _do_state_changed(self, output: events.StateChanged) -> None:
        if output.state is ClientState.CONNECTED:
            self.connected.serve(lambda _: True, None)
            self.sender.has_room()
        else:
            self.sender.drop()
            self.pings.fail(lambda: NotConnected("ping"))
        if output.state is ClientState.CLOSED:
            self._end(output.cause)
        self.state_listeners.tell(output.state, output.cause)

    def _end(self, cause: ConnectionClosed | None) -> None:
        self._ended = cause
        self.connected.fail(lambda: self.closed_error() if cause is None else type(cause)(cause.code, cause.reason))
        self.settled.fail(self.closed_error)
        self.sender.fail(self.closed_error)
        self.end_listeners.tell(None if cause is None else self.closed_error())
        if self._http is not None:
            self._closing = asyncio.get_running_loop().create_task(self._shut(), name="closing the client")

    def _do_settled(self, output: events.SubscriptionsSettled) -> None:
        self.settled.serve(lambda version: version <= self.subscriptions.settled_version, None)

    def _do_refused(self, output: events.Refused) -> None:
        logger.info("client %d: %s", self.session.alias, output.error)
        self.error_listeners.tell(output.error)

    # ----------------------------------------------------------------------------------------------- start and end

    def start(self) -> None:
        """Connect; :attr:`connected` tells when."""
        self._http = aiohttp.ClientSession(raise_for_status=check_answer)
        self.feed(events.Start())

    async def closed(self) -> None:
        """Wait until all is closed; for a client whose state is CLOSED."""
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _shut(self) -> None:
        await self._links.shut()
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
        if self._http is not None:
            await self._http.close()

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._keep(asyncio.get_running_loop().create_task(work, name=name))

    def _keep(self, task: asyncio.Task[None]) -> None:
        # The loop itself keeps only weak references to its tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def closed_error(self) -> ClientClosed:
        """What to raise where the client is closed."""
        if self._ended is None:
            return ClientClosed()
        return ClientClosed(self._ended.code, self._ended.reason)


def make_dialer(options: ClientOptions) -> LinkDialer:
    """The dialer of a client: WebRTC with these options."""
    # Waiting for room relies on the low mark being crossed from above, so it must lie below both of ours.
    low_mark = min(DEFAULT_LOW_MARK, options.reliable_buffer // 2, options.unreliable_buffer // 2)
    link_options = LinkOptions(
        fast=options.fast,
        setup_timeout=options.join_timeout,
        silence=options.link_timeout,
        low_mark=low_mark,
        ice_transport_policy=options.ice_transport_policy,
    )
    return Dialer(options=link_options)
