"""The packet path: session, grant and rate → router → batcher → encoded once → flow. Forward only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field

from commserver.core.batcher import Pending, Window
from commserver.core.delivery import Delivery
from commserver.core.group import Group, group_of_server
from commserver.core.overlap import Overlap
from commserver.core.session import PLAIN_BURST, Session, backend_session
from commserver.core.state import State
from protocol import batch
from protocol.batch import SenderIdentity, Stamp
from protocol.codes import Code
from protocol.errors import DecodeError, TopicError
from protocol.limits import (
    KIB,
    MAX_BATCH_RECORDS,
    OLD_CLIENT_MESSAGE_BYTES,
    OLD_SERVER_MESSAGE_BYTES,
    RELIABLE_BATCH_BYTES,
    UNRELIABLE_BATCH_BYTES,
)
from protocol.pb import broker_pb2 as pb
from protocol.topics import check_topic

MAX_KEPT_BYTES = 4 * 1024 * KIB
"""Of one kind of channel, waiting for other servers; beyond it they are sent on, whatever is still on its way."""


@dataclass(slots=True)
class Kept:
    """Groups that wait for other servers, encoded: topic, frame, records."""

    frames: list[tuple[str, bytes, int]] = field(default_factory=list)
    size: int = 0


class Relay:
    """Takes topic packets of every form, from clients and from servers."""

    def __init__(self, state: State, delivery: Delivery) -> None:
        self._state = state
        self._delivery = delivery
        config = state.config
        self._coalescing = config.coalesce_window > 0
        self._windows = tuple(
            Window(config.coalesce_window, reliable=reliable, latest=config.latest) for reliable in (False, True)
        )
        """Index them with the reliable flag."""
        self._groups_made = 0
        self._backend = backend_session()
        self.overlap: Overlap | None = None
        """While two hubs bring us the same, and until nothing of that is on its way any more."""
        self._kept: list[Kept | None] = [None, None]
        """What is for other servers and waits, as long as it does. Index them with the reliable flag."""

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
        records, overlap = 0, self.overlap if source.is_server else None
        if overlap is None and source.is_server and not self._state.router.hears(source):
            return
        for raw in packet.groups:
            if source.doomed:
                return
            try:
                group = group_of_server(raw) if source.is_server else self._group_of_client(source, raw)
            except DecodeError as error:
                self._delivery.error(source, error.code, now, reason=error.detail)
                continue
            if overlap is not None and not overlap.lets_pass(source, group, raw, reliable):
                if overlap.is_full:
                    self._state.deadlines.set(("uplink", 0), now)
                continue
            records += len(group.bodies)
            if records > MAX_BATCH_RECORDS and source.is_client:
                reason = f"more than {MAX_BATCH_RECORDS} packets in one message"
                self._delivery.error(source, Code.MESSAGE_TOO_LARGE, now, reason=reason, topic=group.topic[:80])
                self._state.counters.drop("too many in one message", group.topic, len(group.bodies))
                return
            self._publish(source, group, reliable, now, alone=len(packet.groups) == 1)

    def release(self, source: Session, groups: list[Group], now: float) -> None:
        """Groups of another server that were held back, in the order in which they came on the reliable channel."""
        for group in groups:
            self._relay(source, group, True, now, alone=False)

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
        self._publish(source, Group(topic, (alias,), (body,), senders), reliable, now, alone=True)

    def backend(self, message: pb.PublishMessage, now: float) -> None:
        """PUBLISH: a backend's packet, by way of a coordinator, which answers for topic and identity."""
        senders = (SenderIdentity(0, message.identity, message.role),) if message.identity else ()
        group = Group(message.topic, (0,), (message.body,), senders)
        self._relay(self._backend, group, message.reliable, now, alone=True)

    def _publish(self, source: Session, group: Group, reliable: bool, now: float, *, alone: bool) -> None:
        """`alone`: nothing else came in the same message, that would better leave together with this."""
        if not source.is_client:
            self._relay(source, group, reliable, now, alone=alone)
        elif self._may_publish(source, group, now) and (allowed := self._within_rate(source, group, now)) is not None:
            self._relay(source, allowed, reliable, now, alone=alone)

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
        return True

    def _within_rate(self, source: Session, group: Group, now: float) -> Group | None:
        """As many of the records as the client may publish now. What old peers cannot be sent nobody gets: all are told the same."""
        records = len(group.bodies)
        allowed = source.rate.take_some(now, records)
        if old := self._state.old_index.subscribers(group.topic):
            allowed = source.plain.take_some(now, allowed, min(len(old), PLAIN_BURST))
        if allowed == records:
            return group
        self._state.counters.drop("rate limit", group.topic, records - allowed)
        self._delivery.error(source, Code.RATE_LIMITED, now, topic=group.topic, charge=False)
        return group.first(allowed) if allowed else None

    def _relay(self, source: Session, group: Group, reliable: bool, now: float, *, alone: bool) -> None:
        subscribers = self._state.index.subscribers(group.topic)
        if not subscribers or (len(subscribers) == 1 and source in subscribers):
            return
        records = len(group.bodies)
        self._state.counters.records_relayed += records
        tally = self._state.counters.topics[group.topic]
        tally.records += records
        if source.is_client and source in subscribers:
            tally.from_subscribers += records
        old = self._state.old_index.subscribers(group.topic)
        if old:
            receivers = [session for session in self._state.router.receivers(group.topic, source) if session in old]
            self._plain(receivers, group, reliable)
        if len(old) == len(subscribers):
            return
        window = self._windows[reliable]
        if not self._coalescing:
            self._at_once(source, group, reliable)
        elif alone and window.lets_pass(source, group.topic, now):
            self._at_once(source, self._newest(source, group, reliable), reliable)
        else:
            if replaced := window.add(source, group, now):
                self._state.counters.drop("replaced by newer", group.topic, replaced)
            self._state.deadlines.set_earliest(("flush", int(reliable)), window.next_deadline())

    def _at_once(self, source: Session, group: Group, reliable: bool) -> None:
        receivers = [session for session in self._state.router.receivers(group.topic, source) if session.speaks_batch]
        kept = self._kept[reliable] if source.is_client else None
        if kept is not None:
            receivers = [session for session in receivers if session.is_client]
        elif not receivers:
            return
        for part in group.parts(RELIABLE_BATCH_BYTES if reliable else UNRELIABLE_BATCH_BYTES):
            records = len(part.bodies)
            if part.raw is None:
                part.stamp = self._stamp()
            if kept is not None:
                self._keep(kept, part.topic, [part.frame()], records)
            self._state.counters.records_at_once += records
            key = (part.topic, part.aliases[0]) if records == 1 else None
            count = self._delivery.fan_out(receivers, part.message(), reliable, part.topic, records, key)
            self._state.counters.deliveries += records * count

    def _newest(self, source: Session, group: Group, reliable: bool) -> Group:
        """What is left of it where only the newest record of a window counts."""
        records = len(group.bodies)
        if reliable or records == 1 or not source.is_client or group.topic not in self._state.config.latest:
            return group
        self._state.counters.drop("replaced by newer", group.topic, records - 1)
        return group.newest()

    def _plain(self, receivers: list[Session], group: Group, reliable: bool) -> None:
        clients = [session for session in receivers if session.is_client]
        servers = [session for session in receivers if not session.is_client]
        for sessions, messages, limit in (
            (clients, group.old_client() if clients else (), OLD_CLIENT_MESSAGE_BYTES),
            (servers, group.old_server() if servers else (), OLD_SERVER_MESSAGE_BYTES),
        ):
            for alias, message in zip(group.aliases, messages, strict=bool(messages)):
                if len(message) > limit:  # it would stop reading for good
                    self._state.counters.drop("too large for an old peer", group.topic, len(sessions))
                    continue
                count = self._delivery.fan_out(sessions, message, reliable, group.topic, 1, (group.topic, alias))
                self._state.counters.deliveries += count

    def _stamp(self) -> Stamp:
        # In the order in which groups leave, which on a reliable channel is that in which they arrive: a receiver needs no more than the
        # last one to know all that it had before.
        self._groups_made += 1
        return Stamp(self._state.alias, self._groups_made)

    # --------------------------------------------------------------------------------------------------------- letting batches out

    def flush(self, reliable: bool, now: float) -> None:
        """Let out what is due."""
        window = self._windows[reliable]
        self._let_out(window.pop_due(now), reliable, now)
        if (when := window.next_deadline()) is not None:
            self._state.deadlines.set(("flush", int(reliable)), when)

    def settle(self, topics: Set[str]) -> None:
        """Let out what is pending of `topics`: who wants them is about to change, and what was published before that is for those before."""
        for reliable in (False, True):
            window = self._windows[reliable]
            if pending := window.pending_of(topics):
                self._let_out(window.pop_topics(set(pending), self._state.now), reliable, self._state.now)

    def let_out_all(self) -> None:
        """Let out everything: somebody asks to be told when it has left."""
        for reliable in (False, True):
            if len(self._windows[reliable]):
                self._let_out(self._windows[reliable].pop_all(self._state.now), reliable, self._state.now)

    def _let_out(self, groups: list[Pending], reliable: bool, now: float) -> None:
        """Each receiver gets the groups it wants in one message, or few; receivers that want the same share the same bytes."""
        observe, kept = self._state.counters.relay_latency.observe, self._kept[reliable]
        wanted: dict[Session, list[int]] = {}
        for number, group in enumerate(groups):
            for arrival in group.arrivals:
                observe(now - arrival)
            for session in self._receivers(group, keeps=kept is not None):
                wanted.setdefault(session, []).append(number)
        sharing: dict[tuple[int, ...], list[Session]] = {}
        for session, numbers in wanted.items():
            sharing.setdefault(tuple(numbers), []).append(session)
        frames = [group.frames(self._stamp) for group in groups]
        if kept is not None:
            for group, mine in zip(groups, frames, strict=True):
                if group.relayed_by is None:
                    self._keep(kept, group.topic, mine, group.records)
        for shared, sessions in sharing.items():
            self._send_groups([groups[number] for number in shared], [frames[number] for number in shared], sessions, reliable)

    def _receivers(self, group: Pending, *, keeps: bool) -> Iterator[Session]:
        router, only_source, relayed_by = self._state.router, group.only_source, group.relayed_by
        for session in self._state.index.subscribers(group.topic):
            if session is only_source or not session.speaks_batch:
                continue
            if session.is_client or (
                router.speaks_to(session) and not keeps if relayed_by is None else router.passes_on(relayed_by, session)
            ):
                yield session

    # ------------------------------------------------------------------------------------------------- turning to another hub

    def keep(self) -> None:
        """From now on what our clients publish waits for other servers: what was published before is still on its way, by other ways."""
        self._kept = [Kept(), Kept()]

    def send_kept(self, *, reliable: bool) -> None:
        """Send on what has waited, to the servers that want it by now, and keep nothing more."""
        kept, self._kept[reliable] = self._kept[reliable], None
        router, index = self._state.router, self._state.index
        for topic, frame, records in kept.frames if kept is not None else ():
            servers = [who for who in index.subscribers(topic) if who.is_server and who.speaks_batch and router.speaks_to(who)]
            if servers:
                count = self._delivery.fan_out(servers, batch.batch((frame,)), reliable, topic, records, None)
                self._state.counters.deliveries += records * count

    def _keep(self, kept: Kept, topic: str, frames: list[bytes], records: int) -> None:
        for number, frame in enumerate(frames):
            kept.frames.append((topic, frame, 0 if number else records))
            kept.size += len(frame)
        if kept.size > MAX_KEPT_BYTES:
            self._state.deadlines.set(("uplink", 0), self._state.now)

    def _send_groups(self, groups: list[Pending], frames: list[list[bytes]], sessions: list[Session], reliable: bool) -> None:
        limit = RELIABLE_BATCH_BYTES if reliable else UNRELIABLE_BATCH_BYTES
        for message, parts in pack(groups, frames, limit):
            (topic, records), *more = parts
            count = self._delivery.fan_out(sessions, message, reliable, topic, records, None, tuple(more))
            # A sender among the receivers drops its own records, which are not delivered to it.
            self._state.counters.deliveries += count * sum(n for _, n in parts)
        own = {session.alias for session in sessions}
        self._state.counters.deliveries -= sum(alias in own for group in groups for alias in group.aliases)


def pack(groups: list[Pending], frames: list[list[bytes]], limit: int) -> Iterator[tuple[bytes, list[tuple[str, int]]]]:
    """Messages of at most `limit` bytes, in order, each with the topics and records in it; a frame larger than that goes alone."""
    message: list[bytes] = []
    parts: list[tuple[str, int]] = []
    size = batch.BATCH_HEADER_BYTES
    for group, mine in zip(groups, frames, strict=True):
        left = group.records
        for number, frame in enumerate(mine):
            if message and size + len(frame) > limit:
                yield batch.batch(message), parts
                message, parts, size = [], [], batch.BATCH_HEADER_BYTES
            # Of several frames of one group only the sum of records is known, so they are counted with the last.
            share = left if number == len(mine) - 1 else 0
            message.append(frame)
            parts.append((group.topic, share))
            size += len(frame)
    if message:
        yield batch.batch(message), parts
