"""The window against an account of a few lines: what is added comes out once, in order, in time, within the limit, and nothing stays."""

from __future__ import annotations

from collections.abc import Sized
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commserver.core.batcher import MAX_QUIET_TOPICS, Pending, Window
from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW
from commserver.core.group import Group
from commserver.core.session import Kind, Session, SessionLimits, new_session
from protocol import batch
from protocol.batch import SenderIdentity, Stamp
from protocol.limits import RELIABLE_BATCH_BYTES, UNRELIABLE_BATCH_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.tokens import MAX_SUBJECT_BYTES
from protocol.topics import PatternSet

WINDOW_S = 0.02
LATEST = "pos"
TOPICS = ("a", "b" * 100, "ü", LATEST)


class Add(NamedTuple):
    who: int
    topic: str
    sizes: list[int]
    identity: bool


class Chorus(NamedTuple):
    """Everyone adds a record."""

    topic: str
    size: int
    identity: bool


class Pass(NamedTuple):
    who: int
    topic: str


class Relay(NamedTuple):
    """Groups of another server, as they were encoded there: so many records of such a size in each."""

    server: int
    topic: str
    groups: list[tuple[int, int]]


class Change(NamedTuple):
    topics: frozenset[str]


WHO = st.integers(0, 11)
TOPIC = st.sampled_from(TOPICS)
SIZES = st.sampled_from([0, 5, 26, 127, 128, 400, 1_500, 9_000])
STEPS = st.lists(
    st.one_of(
        st.builds(Add, WHO, TOPIC, st.lists(SIZES, min_size=1, max_size=4), st.booleans()),
        st.builds(Add, WHO, TOPIC, st.lists(st.just(26), min_size=1, max_size=30), st.booleans()),
        st.builds(Chorus, TOPIC, st.sampled_from([5, 26, 128]), st.booleans()),
        st.builds(
            Relay, st.integers(0, 1), TOPIC, st.lists(st.tuples(st.integers(1, 16), st.sampled_from([5, 26, 400])), max_size=6)
        ),
        st.builds(Pass, WHO, TOPIC),
        st.builds(Change, st.frozensets(TOPIC)),
        st.sampled_from([0.0, 0.0003, 0.0047, 0.0131, 0.02, 0.05]),
    ),
    max_size=60,
)


class Said(NamedTuple):
    source: Session
    topic: str
    at: float
    serial: int
    identity: bool


class Account:
    """A window, and what was added to it and has not come out."""

    def __init__(self, reliable: bool) -> None:
        self.reliable = reliable
        self.limit = RELIABLE_BATCH_BYTES if reliable else UNRELIABLE_BATCH_BYTES
        self.window = Window(WINDOW_S, reliable=reliable, latest=PatternSet([LATEST]))
        limits = SessionLimits(RELIABLE_FLOW, UNRELIABLE_FLOW)
        self.people = [new_session(n, 2**41 + n, dialed=False, limits=limits, now=0.0) for n in range(12)]
        self.servers = [new_session(100 + n, 2**41 + 100 + n, dialed=True, limits=limits, now=0.0) for n in range(2)]
        for server in self.servers:
            server.kind = Kind.SERVER
        self.now = 1_000.0073
        self.waiting: dict[bytes, Said] = {}
        self.serial = 0
        self.last: dict[object, int] = {}

    def add(self, step: Add) -> None:
        source = self.people[step.who]
        identity = (SenderIdentity(source.alias, b"s" * MAX_SUBJECT_BYTES, pb.CLIENT),) if step.identity else ()
        bodies, replaced = [], 0
        for size in step.sizes:
            if step.topic == LATEST and not self.reliable:
                old = [body for body, said in self.waiting.items() if (said.source, said.topic) == (source, LATEST)]
                replaced += len(old)
                for body in old:
                    del self.waiting[body]
            self.serial += 1
            bodies.append((b"%d " % self.serial).ljust(size, b"."))
            self.waiting[bodies[-1]] = Said(source, step.topic, self.now, self.serial, step.identity)
        group = Group(step.topic, [source.alias] * len(bodies), bodies, identity)
        assert self.window.add(source, group, self.now) == replaced
        deadline = self.window.next_deadline()
        assert deadline is not None
        assert deadline <= self.now + WINDOW_S

    def relay(self, step: Relay) -> None:
        source = self.servers[step.server]
        for records, size in step.groups:
            bodies = [(b"%d " % (self.serial + n)).ljust(size, b".") for n in range(1, records + 1)]
            for body in bodies:
                self.serial += 1
                self.waiting[body] = Said(source, step.topic, self.now, self.serial, False)
            frame = batch.group_frame(step.topic, [7] * records, bodies)
            (group,) = pb.TopicBatchFrames.FromString(batch.batch([frame])).groups
            assert self.window.add(source, Group(step.topic, [7] * records, bodies, raw=group), self.now) == 0

    def may_pass(self, step: Pass) -> None:
        source = self.people[step.who]
        if self.window.lets_pass(source, step.topic, self.now):
            overtaken = [
                said for said in self.waiting.values() if said.topic == step.topic or (self.reliable and said.source is source)
            ]
            assert not overtaken

    def wait(self, seconds: float) -> None:
        """From deadline to deadline, as the core does."""
        end = self.now + seconds
        while (due := self.window.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.take(self.window.pop_due(self.now))
        self.now = end

    def change(self, topics: frozenset[str]) -> None:
        pending = self.window.pending_of(topics)
        assert set(pending) == {said.topic for said in self.waiting.values() if said.topic in topics}
        self.take(self.window.pop_topics(set(pending), self.now))
        assert not [said for said in self.waiting.values() if said.topic in topics]

    def take(self, groups: list[Pending]) -> None:
        for group in groups:
            if group.raw:
                self._take_raw(group)
                continue
            self._check_size(group)
            assert len(group.aliases) == len(group.bodies) == len(group.arrivals) == group.records > 0
            for alias, body, arrival in zip(group.aliases, group.bodies, group.arrivals, strict=True):
                said = self.waiting.pop(body)
                assert (said.source.alias, said.topic, said.at) == (alias, group.topic, arrival)
                assert (alias in group.senders) is said.identity
                key = said.source if self.reliable else (said.source, said.topic, said.identity)
                if self.reliable or said.topic != LATEST:
                    assert said.serial > self.last.get(key, 0), "out of order"
                    self.last[key] = said.serial

    def _take_raw(self, group: Pending) -> None:
        for raw in group.raw:
            for body in pb.TopicGroup.FromString(raw).body:
                said = self.waiting.pop(body)
                assert (said.source, said.topic) == (group.relayed_by, group.topic)
                key = said.source if self.reliable else (said.source, said.topic)
                assert said.serial > self.last.get(key, 0), "out of order"
                self.last[key] = said.serial

    def _check_size(self, group: Pending) -> None:
        size = len(batch.batch(group.frames(lambda: Stamp(2**42 - 1, 2**33))))
        assert size <= group.size
        assert size <= self.limit or group.records == 1


@pytest.mark.parametrize("reliable", [True, False])
@settings(max_examples=300)
@given(steps=STEPS)
def test_what_is_added_comes_out_once_in_order_and_nothing_stays(
    reliable: bool, steps: list[Add | Chorus | Relay | Pass | Change | float]
) -> None:
    account = Account(reliable)
    for step in steps:
        if isinstance(step, Add):
            account.add(step)
        elif isinstance(step, Chorus):
            for who in range(len(account.people)):
                account.add(Add(who, step.topic, [step.size], step.identity))
        elif isinstance(step, Relay):
            account.relay(step)
        elif isinstance(step, Pass):
            account.may_pass(step)
        elif isinstance(step, Change):
            account.change(step.topics)
        else:
            account.wait(step)
    account.wait(1.0)
    assert not account.waiting
    assert (account.window.next_deadline(), len(account.window)) == (None, 0)
    left = {name: value for name, value in vars(account.window).items() if isinstance(value, Sized) and len(value)}
    left.pop("_latest", None)  # patterns
    assert len(left.pop("_busy_until", ())) <= MAX_QUIET_TOPICS
    assert left == {}
