"""What the client is subscribed to: topics with a count of their holders, and which version of the set the server has in force.

The wire knows one set per client (WIRE.md, "Packet flow"), the application any number of subscriptions that may share topics. Here the
one is made of the many, and each version of the set that is sent is followed until the server has acknowledged it.

Versions count up over the whole life of a client, never again from the start on a new connection: whoever waits for version 7 is
served by the acknowledgement of version 8, which holds everything of 7 that is still wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class _Topic:
    holders: int
    since: int
    """First version that held it."""
    acknowledged: float | None = None
    """When the server had it in force on the present connection."""
    refused: int | None = None
    """The code with which the server refused it on the present connection."""


class SubscriptionSet:
    """The whole set of one client."""

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}
        self._let_go: set[str] = set()
        self._unsettled: set[str] = set()
        self._sent = 0
        self._settled = 0
        self._lost = 0
        """The last version of the connection before this one: nobody can have it in force any more."""
        self._changed = False

    # ------------------------------------------------------------------------------------------ what the client wants

    def hold(self, topics: Iterable[str]) -> int:
        """Count one more holder for each of `topics`. Returns the version to wait for (:attr:`settled_version`)."""
        for name in topics:
            topic = self._topics.get(name)
            if topic is None:
                self._topics[name] = _Topic(1, self._sent + 1)
                self._unsettled.add(name)
                self._changed = True
            else:
                topic.holders += 1
                self._let_go.discard(name)
        return self.awaited_version

    def release(self, topics: Iterable[str]) -> int:
        """Count one holder less for each of `topics`. Returns the version to wait for. Raises KeyError for a topic nobody holds."""
        for name in topics:
            topic = self._topics[name]
            if topic.holders == 0:
                raise KeyError(name)
            topic.holders -= 1
            if topic.holders == 0:
                # Kept until the next version is made: a topic that another subscription takes over in this loop turn stays in force.
                self._let_go.add(name)
        return self.awaited_version

    @property
    def awaited_version(self) -> int:
        """The version that will hold every change made so far."""
        return self._sent + 1 if self.changed else self._sent

    @property
    def changed(self) -> bool:
        """Whether the set differs from the last version made."""
        return self._changed or bool(self._let_go)

    @property
    def topics(self) -> frozenset[str]:
        """Every topic that is held."""
        return frozenset(self._topics.keys() - self._let_go)

    # --------------------------------------------------------------------------------------------- what the server has

    @property
    def settled_version(self) -> int:
        """The newest version that the server acknowledged; what was asked for up to it is in force or refused."""
        return self._settled

    @property
    def outstanding(self) -> bool:
        """Whether a server that knows nothing of us has to be told: there are topics, or somebody waits for an acknowledgement."""
        return self.changed or bool(self._topics) or self._settled < self._sent

    def present(self) -> tuple[int, list[str]]:
        """The last version that was made: its number and the whole set."""
        return self._sent, list(self._topics)

    def next_version(self) -> tuple[int, list[str]]:
        """Make the next version to be sent: its number and the whole set."""
        for name in self._let_go:
            del self._topics[name]
            self._unsettled.discard(name)
        self._let_go.clear()
        self._changed = False
        self._sent += 1
        return self._sent, list(self._topics)

    def acknowledge(self, version: int, refused: Sequence[tuple[str, int]], now: float) -> dict[str, int]:
        """The server has `version` in force, without the topics of `refused` (with their codes). Returns those refused only now.

        A version that was never sent on this connection, or an older one than was acknowledged already, changes nothing. The same one again may take
        topics back that were in force.
        """
        if not max(self._settled, self._lost + 1) <= version <= self._sent:
            return {}
        self._settled = version
        codes = dict(refused)
        news: dict[str, int] = {}
        for name in [name for name in self._unsettled if self._topics[name].since <= version]:
            topic = self._topics[name]
            if name not in codes:
                self._unsettled.discard(name)
                topic.acknowledged, topic.refused = now, None
            elif (
                topic.refused is None
            ):  # stays unsettled: a later version may find it allowed, when there were too many topics, say
                topic.refused = news[name] = codes[name]
        return news | self._withdraw(codes)

    def _withdraw(self, codes: Mapping[str, int]) -> dict[str, int]:
        """Topics that were in force and no longer are: the token was renewed with fewer grants."""
        news = {}
        for name, code in codes.items():
            topic = self._topics.get(name)
            if topic is not None and topic.acknowledged is not None:
                topic.acknowledged, topic.refused = None, code
                self._unsettled.add(name)
                news[name] = code
        return news

    def connection_lost(self) -> None:
        """Nothing is in force any more, and what was refused may be tried anew: the next server gets the whole set."""
        for topic in self._topics.values():
            topic.acknowledged = topic.refused = None
        self._lost = self._sent
        self._unsettled = set(self._topics)

    def acknowledged(self, name: str) -> float | None:
        """When `name` came in force on the present connection; None while it is not."""
        topic = self._topics.get(name)
        return None if topic is None else topic.acknowledged

    def refused(self, topics: Iterable[str]) -> dict[str, int]:
        """Those of `topics` that the server refuses, with the code."""
        codes = {}
        for name in topics:
            topic = self._topics.get(name)
            if topic is not None and topic.refused is not None:
                codes[name] = topic.refused
        return codes
