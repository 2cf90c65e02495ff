"""A bot looks at each packet that comes: is it of this run, is it where it belongs, is it the first of its kind, how old is it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf
from typing import Protocol

from simulation.core.latency import Histogram, Timeline
from simulation.core.ledger import Receipts, SendLog, SubscriptionLog, Window
from simulation.core.payload import HEADER, body_tail, topic_mark
from simulation.core.presence import Span
from simulation.core.report import Counts

SAMPLE = 500
"""Latencies noted, about, between two looks at the recent ones."""

BEFORE_START = Window(inf, -inf)
"""Nothing is measured."""

_mark = lru_cache(maxsize=4096)(topic_mark)
"""A packet a tenth of a millisecond old is of a topic whose mark was just computed."""


@dataclass(slots=True)
class Meter:
    """What all bots of a worker count together. Times in seconds of the monotonic clock."""

    counts: Counts = field(default_factory=Counts)
    """Of the window."""
    sent: int = 0
    """Packets sent, also outside the window, for those who watch."""
    received: int = 0
    window: Window = BEFORE_START
    timeline: Timeline = field(default_factory=Timeline)
    """Latencies in the window, by the time of sending."""
    recent: dict[int, Histogram] = field(default_factory=dict)
    """Latencies since they were last asked for, by the alias of the comm server that delivered: a sample of them."""
    stride: int = 1
    """Every so-manieth packet is in the sample; so many that watching a crowd costs next to nothing."""
    connect: Histogram = field(default_factory=Histogram)
    presence: list[Span] = field(default_factory=list)
    lag_s: float = 0.0

    def take_recent(self) -> dict[int, Histogram]:
        """The latest latencies; they are counted from zero again."""
        recent, self.recent = self.recent, {}
        seen = self.stride * sum(histogram.count for histogram in recent.values())
        self.stride = max(1, seen // SAMPLE)
        return recent

    def sample(self, server: int, latency: float) -> None:
        """Note a latency of a packet that `server` delivered."""
        recent = self.recent.get(server)
        if recent is None:
            recent = self.recent[server] = Histogram()
        recent.add(latency)


class Served(Protocol):
    """What of a client is looked at here."""

    @property
    def server(self) -> int:
        """The alias of its comm server."""
        ...


class Audit:
    """One bot's books, see :mod:`simulation.core.ledger`; `counted` False keeps none, for runs without an end."""

    __slots__ = ("_counted", "_run", "bot", "meter", "receipts", "sends", "subscriptions")

    def __init__(self, bot: int, run: int, meter: Meter, *, counted: bool) -> None:
        self.bot = bot
        self.meter = meter
        self.sends = SendLog()
        self.receipts = Receipts()
        self.subscriptions = SubscriptionLog()
        self._run = run
        self._counted = counted

    def outgoing(self, topic: str, size: int, now: float, position: tuple[float, float] | None = None) -> bytes:
        """The body, of `size` bytes, of a packet to `topic` that is sent now."""
        sequence = self.sends.note(topic, now) if self._counted else self.sends.number()
        window = self.meter.window
        self.meter.sent += 1
        if window.start <= now < window.end:
            self.meter.counts.sent += 1
        return HEADER.pack(self._run, self.bot, sequence, _mark(topic), now) + body_tail(size, position)

    def incoming(self, topic: str, body: bytes, now: float, client: Served) -> None:
        """A packet of `topic` arrived now at `client`."""
        meter = self.meter
        try:
            run, sender, sequence, mark, sent_at = HEADER.unpack_from(body)
        except struct.error:
            run = None
        if run != self._run:
            meter.counts.foreign += 1
            return
        latency = now - sent_at
        meter.received += 1
        if not meter.received % meter.stride:
            meter.sample(client.server, latency)
        if not self._counted:
            return
        if mark != _mark(topic) or not self.subscriptions.accepts(topic, now):
            self.receipts.misroutes += 1
            return
        window = meter.window
        if self.receipts.note(sender, sequence) and window.start <= sent_at < window.end:
            meter.counts.received += 1
            meter.timeline.add(sent_at - window.start, latency)
