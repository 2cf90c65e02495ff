"""What this server tells its neighbours it wants: the union of its clients' topics (a hub: of its other neighbours' too).

Changes are collected for a moment (debounce) and told as SUBSCRIPTION_UPDATE with a version that follows the last; the whole set goes
out when a link is new, when the other side says RESYNC, and to old servers always. The work is in what changed, not in what is there.
A large set goes out in portions, one a debounce and none while the link is paused, so that it never outgrows the flow control.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from commserver.core.router import Router
from commserver.core.session import Kind, Session
from commserver.core.subscriptions import SubscriptionIndex
from protocol import packets
from protocol.limits import KIB
from protocol.pb import broker_pb2 as pb

UPDATE_CHUNK_TOPICS = 500
"""Topics in one SUBSCRIPTION_UPDATE, so that it stays under MAX_MESSAGE_BYTES (500 times 100 bytes)."""
UPDATE_CHUNK_BYTES = 32 * KIB
GZIP_OVER_BYTES = 1 * KIB
SET_CHUNK_BYTES = 48 * KIB
"""A whole set over this, gzipped, is sent as its beginning followed by updates: one message must fit the channel."""
PORTION_TOPICS = 5_000
"""Topics told to one neighbour at once; the rest follows. A few hundred kilobytes at most, well below what may wait for a server."""


@dataclass(slots=True, eq=False)
class Neighbour:
    """What one linked server was told."""

    session: Session
    version: int = 0
    told: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    whole: bool = True
    """The next telling is the whole set."""


class Interest:
    """Keeps every neighbour informed."""

    def __init__(self, index: SubscriptionIndex[Session], router: Router, *, is_hub: bool) -> None:
        self._index = index
        self._router = router
        self._is_hub = is_hub
        self._neighbours: dict[Session, Neighbour] = {}
        self.frozen = False
        """Changes are told later: this server is turning from one hub to another, both of which know the same. Whole sets are told."""

    def add(self, server: Session) -> None:
        """A server link is new: it will be told everything."""
        self._neighbours[server] = Neighbour(server)

    def remove(self, server: Session) -> None:
        """A server link is gone."""
        self._neighbours.pop(server, None)

    def resync(self, server: Session) -> None:
        """The other side lost count: tell it everything again."""
        if (neighbour := self._neighbours.get(server)) is not None:
            neighbour.whole = True

    def resync_all(self) -> None:
        """Who counts as neighbour has changed."""
        for neighbour in self._neighbours.values():
            neighbour.whole = True

    def changed(self, topics: Iterable[str]) -> bool:
        """These topics were added or removed somewhere; returns whether anybody is to be told."""
        topics = list(topics)
        for neighbour in self._neighbours.values():
            neighbour.changed.update(topics)
        return bool(self._neighbours) and bool(topics)

    def tell(self) -> list[tuple[Session, bytes]]:
        """The messages that bring every neighbour up to date, or nearer to it (see `behind`); sent reliably, in this order."""
        messages: list[tuple[Session, bytes]] = []
        for neighbour in self._neighbours.values():
            if neighbour.session.channels[True].paused or (self.frozen and not neighbour.whole):
                continue
            out = self._whole(neighbour) if neighbour.whole else self._update(neighbour)
            messages += [(neighbour.session, message) for message in out]
        return messages

    @property
    def behind(self) -> bool:
        """Whether some neighbour is still to be told something."""
        return any(neighbour.whole or neighbour.changed for neighbour in self._neighbours.values())

    def _wants(self, topic: str, server: Session) -> bool:
        """Whether somebody behind us, seen from `server`, wants `topic`: somebody it could get a packet to through us."""
        if not self._router.tells(server):
            return False
        return any(
            who is not server and (who.kind is Kind.CLIENT or (self._is_hub and self._router.reaches(server, who)))
            for who in self._index.subscribers(topic)
        )

    def _whole(self, neighbour: Neighbour) -> list[bytes]:
        topics = sorted(topic for topic in self._index.all_topics() if self._wants(topic, neighbour.session))
        old = not neighbour.session.can(pb.SUBSCRIPTION_UPDATES)
        neighbour.version += 1
        first = topics if old else topics[:PORTION_TOPICS]
        message = _set(first, 0 if old else neighbour.version)
        while not old and len(message) > SET_CHUNK_BYTES:
            first = first[: len(first) // 2]
            message = _set(first, neighbour.version)
        neighbour.told, neighbour.changed, neighbour.whole = set(first), set(topics[len(first) :]), False
        return [message]

    def _update(self, neighbour: Neighbour) -> list[bytes]:
        server = neighbour.session
        portion = set(itertools.islice(neighbour.changed, PORTION_TOPICS))
        neighbour.changed -= portion
        wanted = {topic for topic in portion if self._wants(topic, server)}
        added = wanted - neighbour.told
        removed = (portion - wanted) & neighbour.told
        if not added and not removed:
            return []
        if not server.can(pb.SUBSCRIPTION_UPDATES):
            return self._whole(neighbour)
        neighbour.told |= added
        neighbour.told -= removed
        return self._updates(neighbour, sorted(added), sorted(removed))

    def _updates(self, neighbour: Neighbour, added: list[str], removed: list[str]) -> list[bytes]:
        messages = []
        for more, less in _chunks(added, removed):
            neighbour.version += 1
            messages.append(packets.subscription_update(neighbour.version, more, less))
        return messages


def _set(topics: list[str], version: int) -> bytes:
    return packets.subscription(topics, version=version, gzip_over=GZIP_OVER_BYTES)


def _chunks(added: list[str], removed: list[str]) -> Iterable[tuple[list[str], list[str]]]:
    more: list[str] = []
    less: list[str] = []
    size = 0
    for topic, is_added in [(t, False) for t in removed] + [(t, True) for t in added]:
        if size > UPDATE_CHUNK_BYTES or len(more) + len(less) >= UPDATE_CHUNK_TOPICS:
            yield more, less
            more, less, size = [], [], 0
        (more if is_added else less).append(topic)
        size += len(topic.encode())
    yield more, less


class RemoteSet:
    """The other direction: follows the versions in which one server tells us what it wants."""

    __slots__ = ("_version", "lost")

    def __init__(self) -> None:
        self._version = 0
        self.lost = False
        """Versions did not follow: updates mean nothing until the next whole set."""

    def whole(self, version: int) -> None:
        """A whole set came."""
        self._version, self.lost = version, False

    def update(self, version: int) -> bool:
        """An update came; returns whether it follows (otherwise it is to be ignored, and a RESYNC asked for once)."""
        if self.lost or version != self._version + 1:
            self.lost = True
            return False
        self._version = version
        return True
