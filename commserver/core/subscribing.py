"""Subscription messages: whole sets of clients and servers, updates of servers, and what is refused of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

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
MAX_TOLD = 20
"""Refused topics of one set that get an ERROR each; SUBSCRIBED lists more."""
RENEWAL_COST = 500.0
"""Of a fresh AUTH, in topics looked at: verifying a signature takes about a millisecond's tenth."""
BYTES_A_TOPIC = 32
"""A set costs its topics, or its bytes where those are many for so few: a megabyte of spaces takes its time too."""


class Subscribing:
    """Keeps the index, answers SUBSCRIBED, and passes changes on to the interest of servers."""

    def __init__(self, state: State, delivery: Delivery, settle: Callable[[Set[str]], None]) -> None:
        """`settle` lets out what is pending of topics before who wants them changes."""
        self._state = state
        self._delivery = delivery
        self._settle = settle
        self._remote: dict[Session, RemoteSet] = {}

    def subscription(self, session: Session, message: pb.SubscriptionMessage, _reliable: bool, now: float) -> None:
        """SUBSCRIPTION: the whole set. Raises :class:`protocol.errors.ProtocolError` when it cannot be read; the former set stays."""
        if session.is_server:
            topics = packets.subscription_topics(message, MAX_SERVER_SET_BYTES)
            self._replace(session, topics[:MAX_SERVER_TOPICS], now)
            self._remote.setdefault(session, RemoteSet()).whole(message.version)
            return
        if session.upkeep.in_debt(now):
            self._delivery.error(session, Code.RATE_LIMITED, now, reason="too many subscription sets; this one was ignored")
            return
        allowed, refused = self._judge(session, _client_topics(session, message, now))
        self._replace(session, allowed, now)
        session.subscribed = message.version
        if session.can(pb.SUBSCRIBE_ACK):
            self._delivery.control(session, packets.subscribed(message.version, refused))
        self._tell_refused(session, refused, now, charge=True)

    def update(self, session: Session, message: pb.SubscriptionUpdateMessage, _reliable: bool, now: float) -> None:
        """SUBSCRIPTION_UPDATE: of servers only, each following the last; else the whole set is asked for."""
        if not session.is_server:
            self._delivery.error(session, Code.UNEXPECTED_MESSAGE, now, reason="SUBSCRIPTION_UPDATE is for servers")
            return
        remote = self._remote.setdefault(session, RemoteSet())
        asked = remote.lost
        if not remote.update(message.version):
            if not asked:
                self._delivery.control(session, packets.error(Code.RESYNC))
            return
        room = MAX_SERVER_TOPICS - len(self._state.index.topics(session))
        added = set(list(message.added)[: max(room, 0)])
        removed = set(message.removed)
        self._change(session, added, removed, now)

    def gone(self, session: Session, now: float) -> None:
        """The session is over: it wants nothing any more."""
        self._remote.pop(session, None)
        self._change(session, set(), set(self._state.index.topics(session)), now)

    def tell_interest(self) -> None:
        """Send neighbours what they were not told yet, as far as they take it now; the rest soon."""
        state = self._state
        for server, message in state.interest.tell():
            self._delivery.control(server, message)
        if state.interest.behind:
            state.deadlines.set(("interest", 0), state.now + state.config.interest_debounce)

    def grants_changed(self, session: Session, now: float) -> None:
        """A fresh token may grant less: what is no longer granted ends, with an ERROR for each topic."""
        if not session.is_client:
            return
        session.upkeep.charge(now, RENEWAL_COST + len(self._state.index.topics(session)))
        lost = {topic for topic in self._state.index.topics(session) if topic not in session.claims.subscribe}
        self._change(session, set(), lost, now)
        refused = [(topic, Code.NOT_ALLOWED) for topic in sorted(lost)]
        if lost and session.can(pb.SUBSCRIBE_ACK):
            # The acknowledged version once more: the client can tell a lost subscription from a refused packet.
            self._delivery.control(session, packets.subscribed(session.subscribed, refused))
        self._tell_refused(session, refused, now, charge=False)

    def _tell_refused(self, session: Session, refused: list[tuple[str, Code]], now: float, *, charge: bool) -> None:
        """An ERROR for each of the first refused topics; a set with a thousand of them is still one fault."""
        for number, (topic, code) in enumerate(refused[:MAX_TOLD]):
            self._delivery.error(session, code, now, topic=topic[:MAX_TOPIC_BYTES], charge=charge and number == 0)
        for _, code in refused[MAX_TOLD:]:
            self._state.counters.errors[code.name] += 1

    def _judge(self, session: Session, topics: Iterable[str]) -> tuple[set[str], list[tuple[str, Code]]]:
        allowed: set[str] = set()
        refused: list[tuple[str, Code]] = []
        most = self._state.config.limits.max_topics
        for position, topic in enumerate(dict.fromkeys(topics)):
            # By position, not by how many were allowed: what is over the limit is not even looked at.
            code = Code.TOO_MANY_TOPICS if most and position >= most else self._verdict(session, topic)
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

    def _replace(self, session: Session, topics: Iterable[str], now: float) -> None:
        added, removed = self._state.index.difference(session, topics)
        self._change(session, added, removed, now)

    def _change(self, session: Session, added: set[str], removed: set[str], now: float) -> None:
        topics = added | removed
        self._settle(topics)
        self._state.subscribe(session, added, removed)
        # A plain server's neighbours are told of clients' interest only; a hub's of everyone's.
        if session.is_client or self._state.config.is_hub:
            self._state.interest_changed(topics, now)


def _client_topics(session: Session, message: pb.SubscriptionMessage, now: float) -> list[str]:
    """The topics of a client's set, charged with what it costs to read them. Raises :class:`protocol.errors.ProtocolError`."""
    if message.format == pb.GZIP and message.topics:
        session.upkeep.charge(now, len(message.topics) / BYTES_A_TOPIC)
        text = packets.gunzip(message.topics, MAX_SUBSCRIPTION_BYTES)
        message = pb.SubscriptionMessage(format=pb.PLAIN, topics=text)
    topics = packets.subscription_topics(message)
    session.upkeep.charge(now, 1 + max(len(topics), len(message.topics) / BYTES_A_TOPIC))
    return topics
