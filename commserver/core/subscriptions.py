"""Who wants which topic: an index both ways, that knows nothing of links or messages.

A change costs what changed (O(added + removed)), not what is there; look-ups are one hash each.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Set
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)


class SubscriptionIndex(Generic[S]):
    """Topics of subscribers and subscribers of topics."""

    __slots__ = ("_by_subscriber", "_by_topic", "_count")

    def __init__(self) -> None:
        self._by_topic: dict[str, set[S]] = {}
        self._by_subscriber: dict[S, set[str]] = {}
        self._count = 0

    def subscribers(self, topic: str) -> Set[S]:
        """Who wants `topic`. A living view: do not change the index while going through it."""
        found = self._by_topic.get(topic)
        return found if found is not None else frozenset()

    def topics(self, subscriber: S) -> Set[str]:
        """What `subscriber` wants; a living view."""
        return self._by_subscriber.get(subscriber, frozenset())

    def all_topics(self) -> Collection[str]:
        """Every topic somebody wants; a living view."""
        return self._by_topic.keys()

    def difference(self, subscriber: S, topics: Iterable[str]) -> tuple[set[str], set[str]]:
        """What would have to be added and removed for `topics` to be the whole set of `subscriber`."""
        wanted = set(topics)
        present = self._by_subscriber.get(subscriber, set())
        return wanted - present, present - wanted

    def replace(self, subscriber: S, topics: Iterable[str]) -> tuple[set[str], set[str]]:
        """Set the whole set of `subscriber`; returns what was added and what removed."""
        added, removed = self.difference(subscriber, topics)
        self.change(subscriber, added, removed)
        return added, removed

    def change(self, subscriber: S, added: Iterable[str], removed: Iterable[str]) -> None:
        """Add and remove topics of `subscriber`; what is there already, or is not, stays as it is."""
        mine = self._by_subscriber.setdefault(subscriber, set())
        for topic in removed:
            if topic in mine:
                mine.remove(topic)
                self._count -= 1
                self._forget(topic, subscriber)
        for topic in added:
            if topic not in mine:
                mine.add(topic)
                self._count += 1
                self._by_topic.setdefault(topic, set()).add(subscriber)
        if not mine:
            del self._by_subscriber[subscriber]

    def remove(self, subscriber: S) -> set[str]:
        """Forget `subscriber`; returns the topics it wanted."""
        topics = self._by_subscriber.pop(subscriber, set())
        self._count -= len(topics)
        for topic in topics:
            self._forget(topic, subscriber)
        return topics

    def _forget(self, topic: str, subscriber: S) -> None:
        subscribers = self._by_topic[topic]
        subscribers.discard(subscriber)
        if not subscribers:
            del self._by_topic[topic]

    @property
    def topic_count(self) -> int:
        """How many topics somebody wants."""
        return len(self._by_topic)

    @property
    def subscription_count(self) -> int:
        """How many pairs of subscriber and topic there are."""
        return self._count
