"""Coalescing: what is published within a window leaves as one group a topic, encoded once for everyone who gets it.

A packet costs the same to send whatever is in it, so in a crowd (n in one topic, each publishing f times a second) relaying packet by
packet costs n·(n-1)·f sends, and one group a window n / window.

The window is adaptive: what comes alone for a topic that was let out in none of the present window passes at once (and with more in the
same message, at the end of this turn of the event loop), so a lone packet never waits; only then its window opens, and what comes
inside waits for the window's end, or until it fills a message. Windows end at ticks that all topics share, so that a receiver of several
topics gets one message a tick; but that of a topic whose messages are more than half full begins when its last one left. It gains nothing
by sharing, and at a tick the little that is more than a message would leave in a message of its own.

On the reliable channel the order of each source is kept across topics, in two steps. A record joins its topic's open group only while
no later group holds a record of the same source; else a new group begins. And a group that is due takes along every earlier group with
which it shares a source. So whatever leaves, leaves in the order in which groups began, and that is an order every source agrees with.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from commserver.core.deadlines import Deadlines
from commserver.core.group import GROUP_BYTES, SENDER_BYTES, Group, record_size
from commserver.core.session import Session
from protocol.batch import SenderIdentity, Stamp
from protocol.limits import KIB, RELIABLE_BATCH_BYTES, UNRELIABLE_BATCH_BYTES
from protocol.topics import PatternSet

T = TypeVar("T")

MAX_PENDING_BYTES = 1024 * KIB
"""Of one kind of channel; with more than this everything leaves at once, so that a flood fills no memory."""
MAX_QUIET_TOPICS = 1_024
"""Windows remembered, besides those that are open, before the ones that are over are swept out."""


_Key = tuple[str, type, Session | None]
"""What an open group is found by: its topic; whether its records come with identity, without, or as another server encoded them; and
which server that is."""


@dataclass(slots=True, eq=False)
class Filling:
    """What a topic has pending that is to leave together, in one message."""

    due: float
    size: int = 0
    groups: dict[int, Pending] = field(default_factory=dict)
    """By serial."""
    open: dict[_Key, Pending] = field(default_factory=dict)
    """Those of the groups that more may be added to."""


@dataclass(slots=True, eq=False)
class Pending:
    """A group that waits: records of one topic, all published here or all received from one server."""

    serial: int
    key: _Key
    topic: str
    relayed_by: Session | None
    """The server they came from; None for records of our own clients."""
    filling: Filling
    aliases: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    senders: dict[int, SenderIdentity] = field(default_factory=dict)
    raw: list[bytes] = field(default_factory=list)
    """Groups of another server, as they came: passed on without encoding them again."""
    sources: set[Session] = field(default_factory=set)
    arrivals: list[float] = field(default_factory=list)
    records: int = 0
    size: int = 0
    """Bytes of the message it would make, a little over rather than under."""

    def frames(self, stamp: Callable[[], Stamp]) -> list[bytes]:
        """This group's frames, to be spliced into batches; `stamp` makes one for what begins here."""
        if self.raw:
            return [Group("", (), (), raw=raw).frame() for raw in self.raw]
        return [Group(self.topic, self.aliases, self.bodies, tuple(self.senders.values()), stamp=stamp()).frame()]

    @property
    def only_source(self) -> Session | None:
        """The one who published all of it, and so gets nothing of it."""
        return next(iter(self.sources)) if len(self.sources) == 1 else None


class Window:
    """The pending groups of one kind of channel."""

    def __init__(self, window: float, *, reliable: bool, latest: PatternSet) -> None:
        """`window` in seconds, positive. On the unreliable channel topics that match `latest` keep one record a sender."""
        self._window = window
        self._ordered = reliable
        self._limit = RELIABLE_BATCH_BYTES if reliable else UNRELIABLE_BATCH_BYTES
        self._latest = latest if not reliable else PatternSet([])
        self._serial = 0
        self._bytes = 0
        self._pending: dict[int, Pending] = {}
        self._of_topic: Counter[str] = Counter()
        self._fillings: dict[str, list[Filling]] = {}
        """By topic: the one that more goes into, and a second one where something larger than a record did not fit the first."""
        self._places: dict[tuple[str, int], tuple[Pending, int]] = {}
        """Of `latest` topics: where each sender's record waits."""
        self._last: dict[Session, Pending] = {}
        """Each source's latest pending group (reliable only)."""
        self._shares: Counter[Session] = Counter()
        """In how many pending groups a source has records (reliable only)."""
        self._busy_until: dict[str, float] = {}
        """Topics that were let out within the last window, and when that is over."""
        self._sweep_above = MAX_QUIET_TOPICS
        """More topics than this: those whose windows are over are swept out. Twice what a sweep leaves, so that sweeps stay rare."""
        self._deadlines: Deadlines[int] = Deadlines()

    def next_deadline(self) -> float | None:
        """When something is due; a time long past when that is at once, because too much is waiting."""
        return 0.0 if self._bytes > MAX_PENDING_BYTES else self._deadlines.next()

    def __len__(self) -> int:
        return len(self._pending)

    def pending_of(self, topics: Iterable[str]) -> list[str]:
        """Those of `topics` that have something pending."""
        return [topic for topic in topics if topic in self._of_topic] if self._of_topic else []

    def lets_pass(self, source: Session, topic: str, now: float) -> bool:
        """Whether something of `topic` need not wait, nor overtakes anything of `source`; its window begins then."""
        if self._busy_until.get(topic, now) > now or topic in self._of_topic or (self._ordered and source in self._shares):
            return False
        self._busy_until[topic] = self._window_end(now)
        self._forget_quiet(now)
        return True

    def add(self, source: Session, group: Group, now: float) -> int:
        """Take in a group; returns how many records it replaced (`latest`)."""
        if group.raw is not None:
            self._add_raw(source, group, now)
            return 0
        identities = {sender.alias: sender for sender in group.senders}
        relayed_by = source if source.is_server else None
        latest = bool(self._latest) and group.topic in self._latest
        replaced = 0
        for alias, body in zip(group.aliases, group.bodies, strict=True):
            if latest:
                replaced += self._discard((group.topic, alias), source)
            size, identity = record_size(body), identities.get(alias)
            key = (group.topic, type(identity), relayed_by)
            pending = self._group_for(source, key, identity, size, now)
            if latest:
                self._places[group.topic, alias] = (pending, len(pending.bodies))
            pending.aliases.append(alias)
            pending.bodies.append(body)
            pending.arrivals.append(now)
            pending.records += 1
            self._grow(pending, size)
        return replaced

    def _discard(self, key: tuple[str, int], source: Session) -> bool:
        """Take out what waits of a `latest` topic from one sender; the last record of its group takes its place."""
        if (found := self._places.pop(key, None)) is None:
            return False
        pending, place = found
        pending.sources.discard(source)  # it was its only one there
        self._grow(pending, -record_size(pending.bodies[place]))
        _drop(pending.aliases, place)
        _drop(pending.bodies, place)
        _drop(pending.arrivals, place)
        if place < len(pending.aliases):
            self._places[key[0], pending.aliases[place]] = (pending, place)
        pending.records -= 1
        return True

    def _add_raw(self, source: Session, group: Group, now: float) -> None:
        assert group.raw is not None  # the caller's choice of path
        size = len(group.raw) + GROUP_BYTES
        # One that nearly fills a message leaves little room beside it: what waits leaves for it, and it begins the next.
        beside = not self._ordered and 3 * size <= 2 * self._limit
        pending = self._group_for(source, (group.topic, bytes, source), None, size, now, max_fillings=2 if beside else 1)
        pending.raw.append(group.raw)
        pending.arrivals.append(now)
        pending.records += len(group.bodies)
        self._grow(pending, size)

    def _grow(self, pending: Pending, size: int) -> None:
        pending.size += size
        pending.filling.size += size
        self._bytes += size

    def _group_for(
        self, source: Session, key: _Key, identity: SenderIdentity | None, size: int, now: float, max_fillings: int = 1
    ) -> Pending:
        """The open group that `source` may add `size` bytes to, or a new one."""
        introduction = 0 if identity is None else len(identity.identity) + SENDER_BYTES
        filling, pending = self._filling_for(key, identity, size, introduction, now, max_fillings)
        if pending is None or not self._in_order(source, pending):
            pending = filling.open[key] = self._begin(key, filling)
        if identity is not None and identity.alias not in pending.senders:
            pending.senders[identity.alias] = identity
            self._grow(pending, introduction)
        if source not in pending.sources:
            pending.sources.add(source)
            if self._ordered:
                self._shares[source] += 1
        if self._ordered:
            self._last[source] = pending
        return pending

    def _filling_for(
        self, key: _Key, identity: SenderIdentity | None, size: int, introduction: int, now: float, max_fillings: int
    ) -> tuple[Filling, Pending | None]:
        """The first of the topic's messages with so much room, and the group in it that is open; room is made by sending the oldest off.

        What fits not beside `max_fillings` others leaves the first as it is: where another server's groups come half a message at a
        time, the rest of a message is filled up with records of our own. A group goes into none that leaves before one with an earlier
        group of its own kind.
        """
        topic = key[0]
        fillings = self._fillings.setdefault(topic, [])
        while True:
            begun = [place for place, filling in enumerate(fillings) if key in filling.open]
            for filling in fillings[max(begun, default=0) :][:max_fillings]:
                pending = filling.open.get(key)
                known = pending is not None and identity is not None and identity.alias in pending.senders
                header = GROUP_BYTES + len(topic.encode()) if pending is None else 0
                if filling.size + header + size + (0 if known else introduction) <= self._limit:
                    return filling, pending
            if len(fillings) < max_fillings or not fillings:
                break
            self._fill_up(topic, fillings.pop(0), now)
        # The first of a topic is due when its window is over; one beside it has a window of its own.
        due = now + self._window if fillings else max(now, self._busy_until.get(topic, now))
        fillings.append(Filling(due))
        return fillings[-1], None

    def _in_order(self, source: Session, pending: Pending) -> bool:
        if not self._ordered:
            return True
        last = self._last.get(source)
        return last is None or last.serial <= pending.serial

    def _begin(self, key: _Key, filling: Filling) -> Pending:
        topic, _, relayed_by = key
        self._serial += 1
        pending = self._pending[self._serial] = filling.groups[self._serial] = Pending(
            self._serial, key, topic, relayed_by, filling
        )
        self._grow(pending, GROUP_BYTES + len(topic.encode()))
        self._of_topic[topic] += 1
        self._deadlines.set(self._serial, filling.due)
        return pending

    def _fill_up(self, topic: str, filling: Filling, now: float) -> None:
        """What waits in `filling` makes a full message: it is due, and takes no more."""
        filling.open.clear()
        for serial in filling.groups:
            self._deadlines.set(serial, now)
        if self._busy_until.get(topic, now) > now:  # of a topic that was quiet the rest leaves in this turn, too
            self._busy_until[topic] = now + self._window

    def pop_due(self, now: float) -> list[Pending]:
        """What is to leave now, in order; its topics' windows begin."""
        due = self._deadlines.pop_due(now)
        return self._take(list(self._pending) if self._bytes > MAX_PENDING_BYTES else due, now)

    def pop_topics(self, topics: Collection[str], now: float) -> list[Pending]:
        """Everything pending of `topics`, in order: before who wants them changes."""
        return self._take([serial for serial, pending in self._pending.items() if pending.topic in topics], now)

    def pop_all(self, now: float) -> list[Pending]:
        """Everything pending, in order."""
        return self._take(list(self._pending), now)

    def _take(self, serials: list[int], now: float) -> list[Pending]:
        if not serials:
            return []
        chosen = set(serials)
        if self._ordered and any(self._shares[source] > 1 for serial in serials for source in self._pending[serial].sources):
            chosen = set(self._with_earlier(chosen))
        taken = [self._pending[serial] for serial in sorted(chosen)]
        sizes: Counter[str] = Counter()
        for pending in taken:
            self._remove(pending)
            sizes[pending.topic] += pending.size
        tick = self._window_end(now)
        for topic, size in sizes.items():
            self._busy_until[topic] = now + self._window if 2 * size > self._limit else tick
        self._forget_quiet(now)
        return [pending for pending in taken if pending.records]  # of a `latest` topic all may have been replaced

    def _window_end(self, now: float) -> float:
        """Windows end at common ticks, so that what a receiver gets of several topics goes out in one message."""
        return (math.floor(now / self._window) + 1) * self._window

    def _forget_quiet(self, now: float) -> None:
        if len(self._busy_until) > self._sweep_above:
            self._busy_until = {topic: until for topic, until in self._busy_until.items() if until > now}
            self._sweep_above = MAX_QUIET_TOPICS + 2 * len(self._busy_until)

    def _with_earlier(self, chosen: set[int]) -> Iterator[int]:
        """`chosen`, and before each the groups that share a source with it: one pass backwards finds them all."""
        sources: set[Session] = set()
        for serial in reversed(self._pending):
            pending = self._pending[serial]
            if serial in chosen or not sources.isdisjoint(pending.sources):
                sources |= pending.sources
                yield serial

    def _remove(self, pending: Pending) -> None:
        del self._pending[pending.serial]
        self._bytes -= pending.size
        self._deadlines.cancel(pending.serial)
        self._of_topic[pending.topic] -= 1
        if not self._of_topic[pending.topic]:
            del self._of_topic[pending.topic]
        if self._places:
            for alias in pending.aliases:
                self._places.pop((pending.topic, alias), None)
        filling = pending.filling
        filling.size -= pending.size
        del filling.groups[pending.serial]
        if filling.open.get(pending.key) is pending:
            del filling.open[pending.key]
        if not filling.groups:
            self._forget_filling(pending.topic, filling)
        if not self._ordered:
            return
        for source in pending.sources:
            self._shares[source] -= 1
            if not self._shares[source]:
                del self._shares[source]
            if self._last.get(source) is pending:
                del self._last[source]

    def _forget_filling(self, topic: str, filling: Filling) -> None:
        fillings = self._fillings.get(topic, [])
        if filling in fillings:
            fillings.remove(filling)
            if not fillings:
                del self._fillings[topic]


def _drop(column: list[T], place: int) -> None:
    """Remove an item; the last one takes its place."""
    last = column.pop()
    if place < len(column):
        column[place] = last
