"""Subscription messages: whole sets of clients and servers, updates of servers, and what is refused of them."""

from __future__ import annotations

from collections.abc import Iterable

from commserver.core.delivery import Delivery
from commserver.core.interest import RemoteSet
from commserver.core.session import Session
from commserver.core.state import State
from protocol import packets
from protocol.codes import Code
from protocol.errors import TopicError
from protocol.limits import MAX_SERVER_TOPICS, MAX_SUBSCRIPTION_BYTES, MAX_TOPIC_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.topics import check_topic

MAX_SERVER_SET_BYTES = 16 * MAX_SUBSCRIPTION_BYTES
"""An old server tells its whole union in one gzipped message; ours come in updates."""


class Subscribing:
    """Keeps the index, answers SUBSCRIBED, and passes changes on to the interest of servers."""

    def __init__(self, state: State, delivery: Delivery) -> None:
        self._state = state
        self._delivery = delivery
        self._remote: dict[Session, RemoteSet] = {}

    def subscription(self, session: Session, message: pb.SubscriptionMessage, _reliable: bool, now: float) -> None:
        """SUBSCRIPTION: the whole set. Raises :class:`protocol.errors.ProtocolError` when it cannot be read; the former set stays."""
        if session.is_server:
            topics = packets.subscription_topics(message, MAX_SERVER_SET_BYTES)
            self._replace(session, topics[:MAX_SERVER_TOPICS], now)
            self._remote.setdefault(session, RemoteSet()).whole(message.version)
            return
        allowed, refused = self._judge(session, packets.subscription_topics(message))
        self._replace(session, allowed, now)
        if session.can(pb.SUBSCRIBE_ACK):
            self._acknowledge(session, message.version, refused, now)
        for number, (topic, code) in enumerate(refused):
            self._delivery.error(session, code, now, topic=topic[:MAX_TOPIC_BYTES], charge=number == 0)

    def update(self, session: Session, message: pb.SubscriptionUpdateMessage, _reliable: bool, now: float) -> None:
        """SUBSCRIPTION_UPDATE: of servers only, each following the last; else the whole set is asked for."""
        if not session.is_server:
            self._delivery.error(session, Code.UNEXPECTED_MESSAGE, now, reason="SUBSCRIPTION_UPDATE is for servers")
            return
        if not self._remote.setdefault(session, RemoteSet()).update(message.version):
            self._delivery.control(session, packets.error(Code.RESYNC))
            return
        room = MAX_SERVER_TOPICS - len(self._state.index.topics(session))
        added = set(list(message.added)[: max(room, 0)])
        removed = set(message.removed)
        self._state.index.change(session, added, removed)
        self._changed(session, added | removed, now)

    def gone(self, session: Session, now: float) -> None:
        """The session is over: it wants nothing any more."""
        self._remote.pop(session, None)
        self._changed(session, self._state.index.remove(session), now)

    def grants_changed(self, session: Session, now: float) -> None:
        """A fresh token may grant less: what is no longer granted ends, with an ERROR for each topic."""
        if not session.is_client:
            return
        lost = {topic for topic in self._state.index.topics(session) if topic not in session.claims.subscribe}
        self._state.index.change(session, (), lost)
        self._changed(session, lost, now)
        for topic in sorted(lost):
            self._delivery.error(session, Code.NOT_ALLOWED, now, topic=topic)

    def _judge(self, session: Session, topics: Iterable[str]) -> tuple[set[str], list[tuple[str, Code]]]:
        allowed: set[str] = set()
        refused: list[tuple[str, Code]] = []
        most = self._state.config.limits.max_topics
        for topic in dict.fromkeys(topics):
            code = self._verdict(session, topic)
            if code is None and most and len(allowed) >= most:
                code = Code.TOO_MANY_TOPICS
            if code is None:
                allowed.add(topic)
            else:
                refused.append((topic, code))
        return allowed, refused

    @staticmethod
    def _verdict(session: Session, topic: str) -> Code | None:
        try:
            check_topic(topic)
        except TopicError as error:
            return error.code
        return None if topic in session.claims.subscribe else Code.NOT_ALLOWED

    def _acknowledge(self, session: Session, version: int, refused: list[tuple[str, Code]], now: float) -> None:
        """SUBSCRIBED, with as many refused topics as one message holds; the rest is told by the ERRORs only."""
        told: list[tuple[str, Code]] = []
        size = 0
        for topic, code in refused:
            size += len(topic) * 4 + 8
            if size > self._state.config.limits.max_message_bytes // 2:
                break
            told.append((topic, code))
        self._delivery.control(session, packets.subscribed(version, told))

    def _replace(self, session: Session, topics: Iterable[str], now: float) -> None:
        added, removed = self._state.index.replace(session, topics)
        self._changed(session, added | removed, now)

    def _changed(self, session: Session, topics: set[str], now: float) -> None:
        # A plain server's neighbours are told of clients' interest only; a hub's of everyone's.
        if session.is_client or self._state.config.is_hub:
            self._state.interest_changed(topics, now)
