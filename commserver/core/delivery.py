"""The last step of the packet path: one message to one or many peers, through the flow control of each."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable

from commserver.core.events import AskBuffered, LinkId, Send
from commserver.core.flow import Overflow, Queued
from commserver.core.session import Session
from commserver.core.state import State
from protocol import packets
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb


class Delivery:
    """Sends, queues, drops and counts; never waits."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._max_staleness = state.config.max_staleness or math.inf

    def control(self, session: Session, data: bytes, *, reliable: bool = True) -> None:
        """A message that is not about a topic: kept in order with the rest, never dropped for newer ones."""
        self._one(session, reliable, Queued(data, "", 0), None)

    def error(self, session: Session, code: Code, now: float, *, reason: str = "", topic: str = "", charge: bool = True) -> None:
        """One thing was refused. A peer that keeps on sending what is refused is told less often, and closed in the end.

        `charge` is False for what is no fault each time: the further topics of one set, or packets over the rate.
        """
        self._state.counters.errors[code.name] += 1
        if session.can(pb.ERRORS) and session.errors_told.take(now):
            self.control(session, packets.error(code, reason, topic))
        if charge and not session.errors_left.take(now):
            self._state.doom(session, Code.TOO_MANY_ERRORS)

    def fan_out(
        self,
        sessions: Iterable[Session],
        data: bytes,
        reliable: bool,
        topic: str,
        records: int,
        key: Hashable | None,
        more: tuple[tuple[str, int], ...] = (),
    ) -> int:
        """The same message to many peers: one output for all that read fast enough. Returns to how many it went or waits."""
        ready: list[LinkId] = []
        waiting = 0
        for session in sessions:
            if session.channels[reliable].paused:
                waiting += 1
                self._one(session, reliable, Queued(data, topic, records, self._state.now, more), key)
            else:
                ready.append(session.link)
        if ready:
            send = Send(ready, data, reliable)
            if not reliable and self._max_staleness < math.inf:
                send.lifetime, send.parts = self._max_staleness, ((topic, records), *more)
            self._state.emit(send)
            self._state.counters.sent(ready, len(data), reliable)
        return len(ready) + waiting

    def buffered(self, session: Session, reliable: bool, amount: int) -> None:
        """The transport of that channel holds `amount` bytes: pause it, or let the queue go out."""
        channel = session.channels[reliable]
        if channel.buffered(amount):
            oldest = self._state.now - self._max_staleness
            for item in channel.drain():
                if not reliable and item.topic and item.at < oldest:
                    self._lost(item, "stale")
                else:
                    self._send(session, item, reliable)
            if channel.paused:
                # Where the transport took all of this at once, nothing falls, and nobody would tell us to go on.
                self._state.emit(AskBuffered(session.link, reliable))

    def _one(self, session: Session, reliable: bool, item: Queued, key: Hashable | None) -> None:
        channel = session.channels[reliable]
        if not channel.paused:
            self._send(session, item, reliable)
            return
        if session.doomed:
            self._lost(item, "slow consumer")
            return
        try:
            dropped = channel.push(item, key)
        except Overflow:
            self._lost(item, "slow consumer")
            self._state.doom(session, Code.SLOW_CONSUMER)
            return
        for old in dropped:
            self._lost(old, "queue full")

    def gone(self, session: Session) -> None:
        """The session is over: what waited for it is lost."""
        for channel in session.channels:
            for item in channel.clear():
                self._lost(item, "peer gone")

    def _lost(self, item: Queued, reason: str) -> None:
        for topic, records in item.parts:
            if records:
                self._state.counters.drop(reason, topic, records)

    def _send(self, session: Session, item: Queued, reliable: bool) -> None:
        send = Send((session.link,), item.data, reliable)
        if not reliable and item.topic and self._max_staleness < math.inf:
            send.lifetime, send.parts = item.at + self._max_staleness - self._state.now, item.parts
        self._state.emit(send)
        self._state.counters.sent((session.link,), len(item.data), reliable)
