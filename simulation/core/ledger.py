"""What was sent, who should have got it, what came: every packet counted at every receiver.

Each bot keeps three books. :class:`SendLog`: which topic each of its packets went to, and when. :class:`SubscriptionLog`: from when
to when it was subscribed to what. :class:`Receipts`: which packets of whom it got. After the run :func:`judge` lays one receiver's
books beside everyone's send logs.

A packet is **expected** by a receiver whose subscription to its topic was acknowledged at least ``SETTLE_S`` before it was sent, and was
not withdrawn until ``SETTLE_S`` after. Between "surely" and "surely not" lies a time while a subscription travels through the cluster:
what is sent then may come or not. What comes for a topic that was never asked for, or whose withdrawal was acknowledged more than
``GRACE_S`` ago, is a **misroute**.

Who loses its link keeps its claim to every packet, unless its comm server was killed on purpose. Such clients are **affected**, and what
is sent between one of them and anybody has books of its own: :class:`Affected`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from simulation.core.presence import Span

SETTLE_S = 0.3
"""Time in which a subscription has reached every server, by the project's own promise."""

GRACE_S = 0.5
"""Time in which what was under way when a withdrawal was acknowledged has arrived; it may wait in the receiver's own queues, too."""

MAX_SEQUENCE = 50_000_000
"""Packets one bot may number: a garbled number must not make its receiver ask for gigabytes."""


@dataclass(frozen=True, slots=True)
class Window:
    """The measured time: packets sent from `start` until before `end` count (seconds of the monotonic clock)."""

    start: float
    end: float


@dataclass(slots=True)
class Run:
    """Packets with successive numbers from `first` that one bot sent to one topic, and when each left."""

    topic: str
    first: int
    times: array[float] = field(default_factory=lambda: array("d"))


class SendLog:
    """What one bot sent. Numbers start at 0; times never fall."""

    __slots__ = ("next_sequence", "runs")

    def __init__(self) -> None:
        self.next_sequence = 0
        self.runs: list[Run] = []

    def note(self, topic: str, now: float) -> int:
        """A packet is sent to `topic`: returns its number."""
        if not self.runs or self.runs[-1].topic != topic:
            self.runs.append(Run(topic, self.next_sequence))
        self.runs[-1].times.append(now)
        return self.number()

    def number(self) -> int:
        """The number of a packet that is not written down, for runs without books."""
        self.next_sequence += 1
        return self.next_sequence - 1

    def sent(self, window: Window) -> int:
        """How many packets left within the window."""
        return sum(bisect_left(run.times, window.end) - bisect_left(run.times, window.start) for run in self.runs)


@dataclass(slots=True, eq=False)
class Stay:
    """One subscription to one topic, from its request to its end; all in seconds of the monotonic clock."""

    topic: str
    acknowledged: float = inf
    """When the server said that it is in force."""
    withdrawn: float = inf
    """When its end was asked for."""
    released: float = inf
    """When the server said that it has ended."""


class SubscriptionLog:
    """From when to when one bot was subscribed to which topics."""

    __slots__ = ("_current", "_former", "stays")

    def __init__(self) -> None:
        self.stays: list[Stay] = []
        self._current: dict[str, Stay] = {}
        self._former: dict[str, Stay] = {}

    @property
    def topics(self) -> frozenset[str]:
        """The topics it wants now."""
        return frozenset(self._current)

    def request(self, topics: Iterable[str]) -> list[Stay]:
        """These topics are asked for: returns a stay for each, to be acknowledged by :meth:`acknowledge`."""
        stays = [Stay(topic) for topic in topics]
        self._current.update((stay.topic, stay) for stay in stays)
        self.stays += stays
        return stays

    def withdraw(self, topics: Iterable[str], now: float) -> list[Stay]:
        """The end of these is asked for: returns the stays that end, to be confirmed by :meth:`release`."""
        stays = [self._current.pop(topic) for topic in topics]
        for stay in stays:
            stay.withdrawn = now
            self._former[stay.topic] = stay
        return stays

    @staticmethod
    def acknowledge(stays: Iterable[Stay], now: float) -> None:
        """The server said that these are in force."""
        for stay in stays:
            stay.acknowledged = now

    @staticmethod
    def release(stays: Iterable[Stay], now: float) -> None:
        """The server said that these have ended."""
        for stay in stays:
            stay.released = now

    def accepts(self, topic: str, now: float) -> bool:
        """Whether a packet of `topic` that arrives now is no stranger."""
        if topic in self._current:
            return True
        former = self._former.get(topic)
        return former is not None and now <= former.released + GRACE_S


class Receipts:
    """Which packets one bot got: a byte for each number of each sender."""

    __slots__ = ("_seen", "duplicates", "misroutes")

    def __init__(self) -> None:
        self._seen: dict[int, bytearray] = {}
        self.duplicates = 0
        self.misroutes = 0

    def note(self, sender: int, sequence: int) -> bool:
        """A packet came: whether it is the first time. A number beyond any bound is a misroute."""
        seen = self._seen.get(sender)
        if seen is None:
            seen = self._seen[sender] = bytearray()
        if sequence >= len(seen):
            if sequence >= MAX_SEQUENCE:
                self.misroutes += 1
                return False
            seen.extend(bytes(sequence + 1 - len(seen) + 256))
        if seen[sequence]:
            self.duplicates += 1
            return False
        seen[sequence] = 1
        return True

    def count(self, sender: int, first: int, last: int) -> int:
        """How many of the numbers `first` to before `last` came from `sender`."""
        return self._seen.get(sender, b"").count(1, first, last)

    def senders(self) -> Iterable[int]:
        """Everyone anything came from."""
        return self._seen.keys()


@dataclass(slots=True)
class Affected:
    """Deliveries from or to clients whose comm server was killed."""

    expected: int = 0
    """Sent while both were served, and had been ``SETTLE_S`` before and were so long after."""
    delivered: int = 0
    """How many of these came."""
    missed: int = 0
    """Sent while one of them was out, or just about; it did not come, nor could it have been expected to."""

    def add(self, other: Affected) -> None:
        """Add another receiver's."""
        self.expected += other.expected
        self.delivered += other.delivered
        self.missed += other.missed


@dataclass(slots=True)
class Tally:
    """A verdict; tallies of several receivers add up."""

    expected: int = 0
    delivered: int = 0
    """How many of the expected came."""
    duplicates: int = 0
    misroutes: int = 0
    affected: Affected = field(default_factory=Affected)
    """What is in neither `expected` nor `delivered`."""

    def add(self, other: Tally) -> None:
        """Add another receiver's."""
        self.expected += other.expected
        self.delivered += other.delivered
        self.duplicates += other.duplicates
        self.misroutes += other.misroutes
        self.affected.add(other.affected)


class SendIndex:
    """Everyone's send logs, found by topic."""

    __slots__ = ("_by_topic", "_next_sequences")

    def __init__(self, logs: Mapping[int, SendLog]) -> None:
        self._by_topic: dict[str, list[tuple[int, Run]]] = {}
        self._next_sequences = {sender: log.next_sequence for sender, log in logs.items()}
        for sender, log in logs.items():
            for run in log.runs:
                self._by_topic.setdefault(run.topic, []).append((sender, run))

    def runs(self, topic: str) -> Sequence[tuple[int, Run]]:
        """What was sent to `topic`, and by whom."""
        return self._by_topic.get(topic, ())

    def sent_by(self, sender: int) -> int:
        """How many packets `sender` numbered."""
        return self._next_sequences.get(sender, 0)


def judge(
    receiver: int,
    subscriptions: SubscriptionLog,
    receipts: Receipts,
    sends: SendIndex,
    window: Window,
    absences: Mapping[int, Sequence[Span]] | None = None,
) -> Tally:
    """What `receiver` should have got in the window, and how much of it came.

    `absences` has the affected clients, and from when to when each was out.
    """
    absences = absences or {}
    tally = Tally(duplicates=receipts.duplicates, misroutes=receipts.misroutes)
    for stay in subscriptions.stays:
        start = max(window.start, stay.acknowledged + SETTLE_S)
        end = min(window.end, stay.withdrawn - SETTLE_S)
        if start >= end:
            continue
        for sender, run in sends.runs(stay.topic):
            if sender == receiver:
                continue
            if sender in absences or receiver in absences:
                spans = [*absences.get(sender, ()), *absences.get(receiver, ())]
                _judge_affected(tally.affected, receipts, sender, run, (start, end), spans)
                continue
            first, last = _between(run, start, end)
            tally.expected += last - first
            tally.delivered += receipts.count(sender, first, last)
    # What nobody sent, or what came back to its sender, is a misroute whatever its topic says.
    for sender in receipts.senders():
        known = 0 if sender == receiver else sends.sent_by(sender)
        tally.misroutes += receipts.count(sender, known, MAX_SEQUENCE)
    return tally


def _judge_affected(
    affected: Affected, receipts: Receipts, sender: int, run: Run, wanted: Span, absences: Sequence[Span]
) -> None:
    """Tell what was sent in the time `wanted` while both were served from what was sent in one of the `absences`."""
    end = wanted[1]
    reached = wanted[0]
    for since, until in sorted(absences):
        out_from, out_to = max(reached, since - SETTLE_S), min(end, until + SETTLE_S)
        if out_from >= out_to:
            continue
        first, last = _between(run, reached, out_from)
        affected.expected += last - first
        affected.delivered += receipts.count(sender, first, last)
        first, last = _between(run, out_from, out_to)
        affected.missed += last - first - receipts.count(sender, first, last)
        reached = out_to
    first, last = _between(run, reached, end)
    affected.expected += last - first
    affected.delivered += receipts.count(sender, first, last)


def _between(run: Run, start: float, end: float) -> tuple[int, int]:
    """The numbers of the packets sent from `start` until before `end`: the first, and the one after the last."""
    return run.first + bisect_left(run.times, start), run.first + bisect_left(run.times, end)
