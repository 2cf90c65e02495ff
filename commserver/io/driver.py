"""The shell around the core: turns what happens into events, outputs into deeds, and keeps one timer.

Everything runs on one event loop and nothing awaits between a packet's arrival and its sending. Outputs of one event are carried out
before the next event is handled, also where a deed brings an event at once (an offer is made synchronously): those wait in a queue.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from commserver.core import events as ev
from commserver.core.broker import Broker
from protocol.codes import Code, describe
from protocol.errors import CandidateError, ProtocolError, SdpError
from protocol.ice import IceServer
from protocol.signalling import END_OF_CANDIDATES, CandidateInit
from service.clock import Clock
from transport import Dialer, DialerLink, Link, LinkEnd, Listener, ListenerLink
from transport.link import Expiry

log = logging.getLogger(__name__)


class PeerLink:
    """The handler of one transport link: gives its events the core's number."""

    __slots__ = ("_driver", "number")

    def __init__(self, driver: Driver, number: ev.LinkId) -> None:
        self._driver = driver
        self.number = number

    def on_open(self, link: Link) -> None:
        """Both channels are open."""
        self._driver.feed(ev.LinkOpened(self.number))

    def on_message(self, link: Link, data: bytes, reliable: bool) -> None:
        """A packet."""
        self._driver.packet(ev.PacketReceived(self.number, data, reliable))

    def on_buffered_low(self, link: Link, reliable: bool) -> None:
        """There is room again."""
        self._driver.feed(ev.Buffered(self.number, reliable, link.buffered_amount(reliable=reliable)))

    def on_closed(self, link: Link, end: LinkEnd) -> None:
        """The link has ended."""
        self._driver.link_ended(self.number, end)


class Driver:
    """Joins one broker, one listener, one dialer and the way to the coordinator."""

    def __init__(
        self, broker: Broker, listener: Listener, dialer: Dialer, send_signal: Callable[[bytes], None], clock: Clock
    ) -> None:
        self._broker = broker
        self._listener = listener
        self._dialer = dialer
        self._send_signal = send_signal
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._turn = listener.turn
        self._turn.ended = self._turn_ended
        self._links: dict[ev.LinkId, ListenerLink | DialerLink] = {}
        self._dialing: dict[ev.LinkId, asyncio.Task[None]] = {}
        self._early: dict[ev.LinkId, list[CandidateInit]] = {}
        """Candidates for links that are still being dialed; the core lets through a bounded number."""
        self._holding: set[tuple[ev.LinkId, bool]] = set()
        """Channels whose transport held something when last looked at: the core is told until it is nothing."""
        self._events: deque[ev.Event] = deque()
        self._feeding = False
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._empty = asyncio.Event()
        self.draining = asyncio.Event()
        """Set when the server is to end, by whomever: a coordinator may say so, too."""
        self._deeds: dict[type, Callable[..., None]] = {
            ev.Send: self._send,
            ev.AskBuffered: self._look_at_buffered,
            ev.SendSignal: lambda output: self._send_signal(output.frame),
            ev.MakeOffer: self._make_offer,
            ev.ApplyAnswer: self._apply_answer,
            ev.MakeAnswer: self._make_answer,
            ev.AddCandidate: self._add_candidate,
            ev.CloseLink: self._close_link,
            ev.Log: lambda output: log.log(output.level, output.message, *output.arguments, extra=output.names),
        }

    async def drained(self) -> None:
        """Wait until every peer of a draining server has gone, or was sent away by the core's deadline."""
        await self._empty.wait()

    def feed(self, event: ev.Event) -> None:
        """Handle `event`, and everything it brings about, now; nothing any more once closed."""
        if self._closed:
            return
        self._events.append(event)
        if self._feeding:
            return
        self._feeding = True
        try:
            while self._events:
                for output in self._broker.handle(self._events.popleft(), self._clock.now()):
                    self._deeds[type(output)](output)
        finally:
            self._feeding = False
            if not self._turn.reading:
                self._set_timer()
            if self._broker.draining:
                self.draining.set()
                if not self._broker.peers:
                    self._empty.set()

    def packet(self, event: ev.PacketReceived) -> None:
        """Handle a packet; where it leaves at once, take the time from its arrival to the last send. The core knows how long others wait."""
        counters = self._broker.counters
        before, began = counters.records_at_once, time.perf_counter()
        self.feed(event)
        if counters.records_at_once > before:
            counters.relay_latency.observe(time.perf_counter() - began)

    def link_ended(self, number: ev.LinkId, end: LinkEnd) -> None:
        """The transport says a link has ended."""
        self._forget(number)
        self.feed(ev.LinkClosed(number, end.value))

    async def close(self) -> None:
        """Stop the timer, end every link, telling its peer, and wait for the dialed ones; the listener waits for its own."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._dialing.values()):
            task.cancel()
        await asyncio.gather(*self._dialing.values(), return_exceptions=True)
        for link in list(self._links.values()):
            link.close()
        await self._dialer.close()

    # ------------------------------------------------------------------------------------------------------------------- timer

    def _turn_ended(self) -> None:
        """What became due by the datagrams that were just read is done at once: a lone packet does not wait for another turn."""
        if self._closed:
            return
        when = self._broker.next_deadline()
        if when is not None and when <= self._clock.now():
            self.feed(ev.DeadlineReached())
        else:
            self._set_timer()

    def _set_timer(self) -> None:
        when = self._broker.next_deadline()
        if when is None:
            return
        if self._timer is not None:
            if self._timer_at <= when:
                return  # it comes early enough, and sets itself again
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._loop.call_later(max(0.0, when - self._clock.now()), self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        self.feed(ev.DeadlineReached())

    # ------------------------------------------------------------------------------------------------------------------- deeds

    def _send(self, output: ev.Send) -> None:
        expiry = None if output.lifetime == math.inf else Expiry(output.lifetime, partial(self._stale, output.parts))
        for number in output.links:
            link = self._links.get(number)
            if link is None:
                continue
            try:
                link.send(output.data, reliable=output.reliable, expiry=expiry)
            except ProtocolError as error:
                log.debug("link %d: not sent: %s", number, error)
                self._broker.counters.drop("too large for the peer", "")
                continue
            amount = link.buffered_amount(reliable=output.reliable)
            if amount or (self._holding and (number, output.reliable) in self._holding):
                self._report(number, output.reliable, amount)

    def _stale(self, parts: tuple[tuple[str, int], ...]) -> None:
        """Not an event: a transport drops what is stale at any time, also while it is given something else."""
        for topic, records in parts:
            if records:
                self._broker.counters.drop("stale", topic, records)

    def _look_at_buffered(self, output: ev.AskBuffered) -> None:
        if (link := self._links.get(output.link)) is not None:
            self._report(output.link, output.reliable, link.buffered_amount(reliable=output.reliable))

    def _report(self, number: ev.LinkId, reliable: bool, amount: int) -> None:
        if amount:
            self._holding.add((number, reliable))
        else:
            self._holding.discard((number, reliable))
        self._events.append(ev.Buffered(number, reliable, amount))

    def _make_offer(self, output: ev.MakeOffer) -> None:
        link = self._listener.offer(PeerLink(self, output.link))
        self._links[output.link] = link
        self._listener.announcer.when_known(partial(self._offered, output.link, link))

    def _offered(self, number: ev.LinkId, link: ListenerLink) -> None:
        """What the offer announces is known; mostly that is at once."""
        if self._links.get(number) is link:
            self.feed(ev.DescriptionMade(number, link.local_sdp))

    def _apply_answer(self, output: ev.ApplyAnswer) -> None:
        link = self._links.get(output.link)
        if not isinstance(link, ListenerLink):
            return
        try:
            link.accept(output.sdp)
        except SdpError as error:
            log.debug("link %d: %s", output.link, error)
            self.feed(ev.LinkFailed(output.link, error.code))

    def _make_answer(self, output: ev.MakeAnswer) -> None:
        self._early[output.link] = []
        work = self._dial(output.link, output.sdp, output.ice_servers)
        self._dialing[output.link] = asyncio.create_task(work, name=f"dial {output.link}")

    async def _dial(self, number: ev.LinkId, sdp: str, ice_servers: Sequence[IceServer]) -> None:
        def found(candidate: CandidateInit | None) -> None:
            self.feed(ev.CandidateFound(number, candidate or END_OF_CANDIDATES))

        try:
            link = await self._dialer.answer(sdp, PeerLink(self, number), found, ice_servers)
        except (ProtocolError, OSError) as error:
            log.warning("link %d: cannot answer: %s", number, error)
            self.feed(ev.LinkFailed(number, error.code if isinstance(error, ProtocolError) else Code.INTERNAL))
            return
        finally:
            self._dialing.pop(number, None)
            early = self._early.pop(number, [])
        self._links[number] = link
        self.feed(ev.DescriptionMade(number, link.local_sdp))
        for candidate in early:
            self._add_candidate(ev.AddCandidate(number, candidate))

    def _add_candidate(self, output: ev.AddCandidate) -> None:
        link = self._links.get(output.link)
        if link is None:
            if (early := self._early.get(output.link)) is not None:
                early.append(output.candidate)
            return
        try:
            link.add_candidate(output.candidate)
        except CandidateError as error:
            log.debug("link %d: %s", output.link, error)
            self.feed(ev.LinkFailed(output.link, error.code))

    def _close_link(self, output: ev.CloseLink) -> None:
        self._early.pop(output.link, None)
        if (task := self._dialing.pop(output.link, None)) is not None:
            task.cancel()
        link = self._links.get(output.link)
        if link is not None:
            log.debug("link %d: closing: %s", output.link, describe(output.code))
            self._forget(output.link)
            link.close()

    def _forget(self, number: ev.LinkId) -> None:
        self._links.pop(number, None)
        self._holding.discard((number, False))
        self._holding.discard((number, True))
