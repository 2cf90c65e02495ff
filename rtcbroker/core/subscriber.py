"""Brings one server to the client's subscriptions: sends the set, and follows what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from protocol import packets
from protocol.codes import Code
from rtcbroker.core import events
from rtcbroker.core.errors import SubscriptionRefused
from rtcbroker.core.subscriptions import SubscriptionSet

_GZIP_OVER = 1_000
"""Bytes of a set's text above which it is gzipped; below, the header eats the gain."""


class Subscriber:
    """The subscriptions of one link."""

    def __init__(self, subscriptions: SubscriptionSet, emit: Callable[[events.Output], None], link: int) -> None:
        self.acknowledges = False
        """The server answers with SUBSCRIBED. An old one does not: then a set counts as in force once it was sent."""
        self._subscriptions = subscriptions
        self._emit = emit
        self._link = link
        self._is_mirror = False
        self._mirrored: tuple[int, list[tuple[str, int]]] | None = None

    def mirror(self, limit: int) -> bool:
        """Send the set that another server has, whose word counts until :meth:`adopt`. False where it does not fit into a message."""
        self._is_mirror = True
        version, topics = self._subscriptions.present()
        if not topics:
            return True
        message = packets.subscription(topics, version=version, gzip_over=_GZIP_OVER)
        if len(message) > limit:
            return False
        self._emit(events.SendPacket(message, True, self._link))
        return True

    def adopt(self, now: float) -> None:
        """This is the server that counts now."""
        self._is_mirror = False
        if self._mirrored is not None:
            self.acknowledged(*self._mirrored, now)

    def begin(self, limit: int, now: float) -> None:
        """The server knows nothing of us yet: send the set, in a message of `limit` bytes at most."""
        if self._subscriptions.outstanding:
            self._send(limit, now)

    def begin_anew(self, limit: int, now: float) -> None:
        """As :meth:`begin`, whatever was mirrored."""
        self._is_mirror = False
        self.begin(limit, now)

    def update(self, limit: int, now: float) -> None:
        """Send the set, if it differs from the one the server has."""
        if self._subscriptions.changed:
            self._send(limit, now)

    def _send(self, limit: int, now: float) -> None:
        version, topics = self._subscriptions.next_version()
        message = packets.subscription(topics, version=version, gzip_over=_GZIP_OVER)
        if len(message) > limit:
            # The server keeps the set it has; what is new is refused in its name.
            new = [topic for topic in topics if self._subscriptions.acknowledged(topic) is None]
            self.acknowledged(version, [(topic, Code.MESSAGE_TOO_LARGE) for topic in new], now)
            return
        self._emit(events.SendPacket(message, True, self._link))
        if not self.acknowledges:
            self.acknowledged(version, (), now)

    def acknowledged(self, version: int, refused: Iterable[tuple[str, int]], now: float) -> None:
        """SUBSCRIBED came."""
        if self._is_mirror:
            self._mirrored = (version, list(refused))
            return
        news = self._subscriptions.acknowledge(version, list(refused), now)
        self._emit(events.SubscriptionsSettled())
        if news:
            self._emit(events.Refused(SubscriptionRefused(news)))
