"""What the core counts. Plain numbers, written on the packet path, read when somebody looks (`io/metrics.py`)."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from commserver.core.events import LinkId

MAX_COUNTED_TOPICS = 100
"""Topics whose drops are counted by name; the rest goes to OTHER_TOPICS, so that clients cannot grow our memory or a metrics page."""
OTHER_TOPICS = "(other)"
MAX_BUSY_TOPICS = 4_096
"""Topics whose records are counted by name between two reports; records of the rest are counted together."""


class Histogram:
    """Counts in buckets, in the way of Prometheus: upper bounds, a total and a sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count `value`, `times` times."""
        self.counts[bisect.bisect_left(self.bounds, value)] += times
        self.sum += value * times


LATENCY_BOUNDS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


@dataclass(slots=True)
class Traffic:
    """Data channel messages both ways: of one kind of channel, all peers; or of the link to one server, both channels."""

    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    """Messages sent, each once per receiver."""
    bytes_out: int = 0


@dataclass(slots=True)
class Tally:
    """Records of one topic."""

    records: int = 0
    from_subscribers: int = 0
    """Of these, those of clients that want the topic themselves: they are no receivers of their own."""


class Tallies(dict[str, Tally]):
    """Records by topic: `tallies[topic].records += n` is one look-up, whether the topic is new or not, and never more than `most` entries."""

    def __init__(self, most: int = MAX_BUSY_TOPICS) -> None:
        super().__init__()
        self._most = most
        self.rest = Tally()
        """Of the topics there was no room for."""

    def __missing__(self, topic: str) -> Tally:
        if len(self) >= self._most:
            return self.rest
        tally = self[topic] = Tally()
        return tally


@dataclass(slots=True)
class Counters:
    """All of them. Index `channels` with the reliable flag: False is the unreliable channel."""

    channels: tuple[Traffic, Traffic] = field(default_factory=lambda: (Traffic(), Traffic()))
    links: dict[LinkId, Traffic] = field(default_factory=dict)
    """Of every active link to another server. Links to clients are too many to be counted one by one."""
    records_relayed: int = 0
    """Topic packets accepted and given to at least one receiver."""
    records_at_once: int = 0
    """Of these, those that left with the very packet that brought them: the shell takes the time of those."""
    deliveries: int = 0
    """Records times receivers."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Topic packets not delivered, by reason."""
    dropped_by_topic: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The same by (topic, reason)."""
    errors: Counter[str] = field(default_factory=Counter)
    """What peers were refused or closed for, by the name of the code."""
    closes: Counter[str] = field(default_factory=Counter)
    """Links that ended, by reason."""
    signals_ignored: Counter[str] = field(default_factory=Counter)
    joins: int = 0
    topics: Tallies = field(default_factory=Tallies)
    """Records relayed since the last report, by topic."""
    relay_latency: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS_S))
    _topics: set[str] = field(default_factory=set)

    def received(self, link: LinkId, size: int, reliable: bool) -> None:
        """Count a message of `size` bytes that came on `link`."""
        channel = self.channels[reliable]
        channel.packets_in += 1
        channel.bytes_in += size
        if (traffic := self.links.get(link)) is not None:
            traffic.packets_in += 1
            traffic.bytes_in += size

    def sent(self, links: Sequence[LinkId], size: int, reliable: bool) -> None:
        """Count a message of `size` bytes that goes to each of `links`."""
        channel = self.channels[reliable]
        channel.packets_out += len(links)
        channel.bytes_out += len(links) * size
        if self.links:
            # One pass in C over all receivers, of whom few are servers.
            for link in self.links.keys() & links:
                traffic = self.links[link]
                traffic.packets_out += 1
                traffic.bytes_out += size

    def drop(self, reason: str, topic: str, records: int = 1) -> None:
        """Count `records` packets of `topic` that somebody will not get."""
        self.dropped[reason] += records
        if topic not in self._topics:
            if len(self._topics) >= MAX_COUNTED_TOPICS:
                topic = OTHER_TOPICS
            self._topics.add(topic)
        self.dropped_by_topic[topic, reason] += records
