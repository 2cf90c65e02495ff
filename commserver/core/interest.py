"""What this server tells its neighbours it wants: the union of its clients' topics (a hub: of its other neighbours' too).

Changes are collected for a moment (debounce) and told as SUBSCRIPTION_UPDATE with a version that follows the last; the whole set goes
out when a link is new, when the other side says RESYNC, and to old servers always. The work is in what changed, not in what is there.
"""

from __future__ import annotations

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
"""A whole set over this is sent as an empty set followed by updates: one message must fit the channel."""


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
        """The messages that bring every neighbour up to date; sent reliably, in this order."""
        messages: list[tuple[Session, bytes]] = []
        for neighbour in self._neighbours.values():
            if neighbour.whole:
                out = self._whole(neighbour)
            else:
                out = self._update(neighbour)
            neighbour.changed.clear()
            messages += [(neighbour.session, message) for message in out]
        return messages

    def _wants(self, topic: str, server: Session) -> bool:
        """Whether somebody behind us, seen from `server`, wants `topic`: somebody it could get a packet to through us."""
        if not self._router.is_neighbour(server):
            return False
        return any(
            who is not server and (who.kind is Kind.CLIENT or (self._is_hub and self._router.passes_on(server, who)))
            for who in self._index.subscribers(topic)
        )

    def _whole(self, neighbour: Neighbour) -> list[bytes]:
        topics = sorted(topic for topic in self._index.all_topics() if self._wants(topic, neighbour.session))
        neighbour.told, neighbour.whole = set(topics), False
        neighbour.version += 1
        old = not neighbour.session.can(pb.SUBSCRIPTION_UPDATES)
        message = packets.subscription(topics, version=0 if old else neighbour.version, gzip_over=GZIP_OVER_BYTES)
        if old or len(message) <= SET_CHUNK_BYTES:
            return [message]
        empty = packets.subscription([], version=neighbour.version)
        return [empty, *self._updates(neighbour, topics, [])]

    def _update(self, neighbour: Neighbour) -> list[bytes]:
        server = neighbour.session
        wanted = {topic for topic in neighbour.changed if self._wants(topic, server)}
        added = wanted - neighbour.told
        removed = (neighbour.changed - wanted) & neighbour.told
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


def _chunks(added: list[str], removed: list[str]) -> Iterable[tuple[list[str], list[str]]]:
    more: list[str] = []
    less: list[str] = []
    size = 0
    for topic, is_added in [(t, False) for t in removed] + [(t, True) for t in added]:
        if size + len(topic) * 4 > UPDATE_CHUNK_BYTES or len(more) + len(less) >= UPDATE_CHUNK_TOPICS:
            yield more, less
            more, less, size = [], [], 0
        (more if is_added else less).append(topic)
        size += len(topic.encode())
    yield more, less


class RemoteSet:
    """The other direction: follows the versions in which one server tells us what it wants."""

    __slots__ = ("version",)

    def __init__(self) -> None:
        self.version = 0

    def whole(self, version: int) -> None:
        """A whole set came."""
        self.version = version

    def update(self, version: int) -> bool:
        """An update came; returns whether it follows (otherwise ask for a RESYNC and ignore it)."""
        if version != self.version + 1:
            return False
        self.version = version
        return True
