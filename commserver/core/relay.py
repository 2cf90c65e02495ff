"""The packet path: session, grant and rate → router → encoded once → flow. Forward only."""

from __future__ import annotations

from collections.abc import Sequence

from commserver.core.batcher import Group, group_of_server
from commserver.core.delivery import Delivery
from commserver.core.session import Session
from commserver.core.state import State
from protocol import batch
from protocol.batch import SenderIdentity
from protocol.codes import Code
from protocol.errors import DecodeError, TopicError
from protocol.pb import broker_pb2 as pb
from protocol.topics import check_topic


class Relay:
    """Takes topic packets of every form, from clients and from servers."""

    def __init__(self, state: State, delivery: Delivery) -> None:
        self._state = state
        self._delivery = delivery

    def topic(self, source: Session, packet: pb.TopicMessage, reliable: bool, now: float) -> None:
        """TOPIC: from a client, or forwarded by an old server with `from_alias` filled."""
        self._single(source, packet.topic, packet.from_alias, packet.body, (), reliable, now)

    def topic_identity(self, source: Session, packet: pb.TopicIdentityMessage, reliable: bool, now: float) -> None:
        """TOPIC_IDENTITY: the same, delivered with the sender's verified identity."""
        if source.is_client:
            sender = source.sender_identity()
        else:
            sender = SenderIdentity(packet.from_alias, packet.identity, packet.role)
        self._single(source, packet.topic, packet.from_alias, packet.body, (sender,), reliable, now)

    def batch(self, source: Session, packet: pb.TopicBatchFrames, reliable: bool, now: float) -> None:
        """TOPIC_BATCH: every group on its own; a broken one is refused, the others are not."""
        for raw in packet.groups:
            if source.doomed:
                return
            try:
                group = group_of_server(raw) if source.is_server else self._group_of_client(source, raw)
            except DecodeError as error:
                self._delivery.error(source, error.code, now, reason=error.detail)
                continue
            self._publish(source, group, reliable, now)

    def _group_of_client(self, source: Session, raw: bytes) -> Group:
        message = batch.decode_group(raw, from_server=False)
        senders = (source.sender_identity(),) if message.identity else ()
        return Group(message.topic, [source.alias] * len(message.body), message.body, senders)

    def _single(
        self,
        source: Session,
        topic: str,
        claimed_alias: int,
        body: bytes,
        senders: Sequence[SenderIdentity],
        reliable: bool,
        now: float,
    ) -> None:
        # A client's from_alias is never read; a server's is the client it speaks for.
        alias = source.alias if source.is_client else claimed_alias
        self._publish(source, Group(topic, (alias,), (body,), senders), reliable, now)

    def _publish(self, source: Session, group: Group, reliable: bool, now: float) -> None:
        if not source.is_client or self._may_publish(source, group, now):
            self._relay(source, group, reliable)

    def _may_publish(self, source: Session, group: Group, now: float) -> bool:
        topic = group.topic
        if not self._state.index.subscribers(topic):  # a topic that somebody wants was checked when it was subscribed to
            try:
                check_topic(topic)
            except TopicError as error:
                self._delivery.error(source, error.code, now, reason=error.why, topic=topic[:80])
                return False
        if topic not in source.claims.publish:
            self._delivery.error(source, Code.NOT_ALLOWED, now, topic=topic)
            return False
        if not source.rate.take(now, len(group.bodies)):
            self._state.counters.drop("rate limit", topic, len(group.bodies))
            self._delivery.error(source, Code.RATE_LIMITED, now, topic=topic, charge=False)
            return False
        return True

    def _relay(self, source: Session, group: Group, reliable: bool) -> None:
        speaking: list[Session] = []
        old: list[Session] = []
        for session in self._state.router.receivers(group.topic, source):
            (speaking if session.speaks_batch else old).append(session)
        if not speaking and not old:
            return
        records = len(group.bodies)
        key = (group.topic, group.aliases[0]) if records == 1 else None
        delivered = 0
        if speaking:
            delivered += records * self._delivery.fan_out(speaking, group.message(), reliable, group.topic, records, key)
        if old:
            delivered += self._plain(old, group, reliable, key)
        counters = self._state.counters
        counters.records_relayed += records
        counters.deliveries += delivered

    def _plain(self, receivers: list[Session], group: Group, reliable: bool, key: tuple[str, int] | None) -> int:
        clients = [session for session in receivers if session.is_client]
        servers = [session for session in receivers if not session.is_client]
        delivered = 0
        for sessions, messages in (
            (clients, group.old_client() if clients else ()),
            (servers, group.old_server() if servers else ()),
        ):
            for message in messages:
                delivered += self._delivery.fan_out(sessions, message, reliable, group.topic, 1, key)
        return delivered
