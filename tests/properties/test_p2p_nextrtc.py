"""Whatever members of NextRTC do, in whatever order: each is told what the naive model says, frame by frame, and nothing is kept for long."""

from __future__ import annotations

import dataclasses
import uuid
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from coordinator.p2p.core.limits import Limits
from coordinator.p2p.core.nextrtc import NextRtcConfig
from tests.support.nextrtc import FakeMember, NextRtcWorld
from tests.support.nextrtc_model import Model

LIMITS = Limits(max_members=6, max_rooms=2, max_room_members=4, max_room_bytes=1_000)
BOUNDS = st.sampled_from([(10_000, 10_000), (600, 10_000), (700, 900)])
"""Of an address, and of all. So tight that every one of them is met, that of the room with the first of these."""
CONFIG = NextRtcConfig(max_connection_setup_time_s=5.0)

WHO = st.integers(0, 11)
NAMES = st.sampled_from(["a", "b", "it's <c>", ""])
KINDS = st.sampled_from(["MESH", "BROADCAST", "MESH_WITH_MASTER"])
CONTENTS = st.sampled_from(["x", "<&'\">", "\u00e9\n", "x" * 100, "\U0001f600" * 20, "\ud83d"])
ADDRESSES = st.sampled_from(["192.0.2.1", "192.0.2.2"])


class Conversations(RuleBasedStateMachine):
    """Six members and more, in two conversations."""

    def __init__(self) -> None:
        super().__init__()
        self.everyone: list[FakeMember] = []
        self.since: dict[FakeMember, float] = {}
        self.until: dict[FakeMember, float] = {}

    @initialize(kind=KINDS, bounds=BOUNDS)
    def begin(self, kind: str, bounds: tuple[int, int]) -> None:
        """Three in a conversation: what can go wrong between members then does within few steps."""
        address_bytes, whole_bytes = bounds
        self.world = NextRtcWorld(CONFIG, address_bytes=address_bytes, whole_bytes=whole_bytes, **dataclasses.asdict(LIMITS))
        self.model = Model(LIMITS, CONFIG, address_bytes, whole_bytes)
        for number in range(3):
            self.connect(f"192.0.2.{1 + number % 2}")
            self.join(number, "a", kind)

    def living(self, who: int) -> FakeMember:
        """One of those that are connected."""
        present = [member for member in self.everyone if member not in self.until]
        return present[who % len(present)]

    def anybody(self, who: int) -> str:
        """The id of one that is, or was, or never was."""
        ids = [member.id for member in self.everyone] + ["", "nobody"]
        return ids[who % len(ids)]

    def some(self) -> bool:
        """Whether anybody is there."""
        return len(self.everyone) > len(self.until)

    @rule(address=ADDRESSES)
    def connect(self, address: str) -> None:
        """And wait for the first ping, to know one's id."""
        member, now = self.world.connect(address), self.world.now
        self.everyone.append(member)
        self.since[member] = now
        if not self.model.connect(member.id, address):
            assert member.closed == (1013, "there are too many members")
            self.until[member] = now
        self.model.expire(self.world.now)

    @rule()
    def visit(self) -> None:
        """Come and go without a word."""
        member = self.world.connect()
        if member.closed is not None:
            self.model.errors["too_many_members"] += 1
        member.leaves()

    @precondition(some)
    @rule(who=WHO, name=NAMES, kind=KINDS)
    def create(self, who: int, name: str, kind: str) -> None:
        member = self.living(who)
        member.says("create", content=name, custom={"type": kind})
        self.model.create(member.id, name, kind, given_name(member))

    @precondition(some)
    @rule(who=WHO, name=NAMES, kind=KINDS)
    def join(self, who: int, name: str, kind: str) -> None:
        member = self.living(who)
        member.says("join", content=name, custom={"type": kind})
        self.model.join(member.id, name, kind, given_name(member), self.world.now)

    @precondition(some)
    @rule(who=WHO)
    def leave(self, who: int) -> None:
        member = self.living(who)
        member.says("left")
        self.model.left(member.id)

    @precondition(some)
    @rule(who=WHO)
    def disconnect(self, who: int) -> None:
        member = self.living(who)
        member.leaves()
        self.model.disconnect(member.id)
        self.until[member] = self.world.now

    @precondition(some)
    @rule(signal=st.sampled_from(["offerResponse", "answerResponse"]), who=WHO, to=WHO, content=CONTENTS)
    def describe(self, signal: str, who: int, to: int, content: str) -> None:
        member, other = self.living(who), self.anybody(to)
        member.says(signal, to=other, content=content)
        self.model.describe(signal, member.id, other, content, self.world.now)

    @precondition(lambda self: self.model.pairs)
    @rule(which=WHO, sides=st.lists(st.booleans(), min_size=1, max_size=2))
    def get_on(self, which: int, sides: list[bool]) -> None:
        """A pair does its next step, or two: by chance alone, few negotiations would ever come to their end."""
        pair = self.model.pairs[which % len(self.model.pairs)]
        for from_master in sides:
            sender, to = (pair.master, pair.slave) if from_master else (pair.slave, pair.master)
            signal = "offerResponse" if pair.step == 0 else "answerResponse"
            self.named(sender).says(signal, to=to, content="x")
            self.model.describe(signal, sender, to, "x", self.world.now)

    @precondition(some)
    @rule(who=WHO, to=WHO, content=CONTENTS)
    def candidate(self, who: int, to: int, content: str) -> None:
        member, other = self.living(who), self.anybody(to)
        member.says("candidate", to=other, content=content)
        self.model.candidate(member.id, other, content, self.world.now)

    @precondition(lambda self: self.model.pairs)
    @rule(which=WHO, sides=st.lists(st.booleans(), min_size=1, max_size=4))
    def trickle(self, which: int, sides: list[bool]) -> None:
        """Candidates of a pair, from either side."""
        pair = self.model.pairs[which % len(self.model.pairs)]
        for number, from_master in enumerate(sides):
            sender, to = (pair.master, pair.slave) if from_master else (pair.slave, pair.master)
            self.named(sender).says("candidate", to=to, content=f"{number}" * 50)
            self.model.candidate(sender, to, f"{number}" * 50, self.world.now)

    @precondition(some)
    @rule(kind=KINDS)
    def gather(self, kind: str) -> None:
        """Everybody wants to be in one conversation."""
        for number in range(len(self.everyone) - len(self.until)):
            self.join(number, "a", kind)

    @precondition(some)
    @rule(who=WHO, to=WHO, content=CONTENTS)
    def text(self, who: int, to: int, content: str) -> None:
        member, other = self.living(who), self.anybody(to)
        member.says("TEXT", to=other, content=content)
        self.model.text(member.id, other, content)

    @precondition(some)
    @rule(who=WHO)
    def nonsense(self, who: int) -> None:
        member = self.living(who)
        self.world.receive(member, "{'signal':'text','content':'it's'}")
        self.model.nonsense(member.id)

    @rule(quarters=st.integers(0, 14))
    def wait(self, quarters: int) -> None:
        self.world.advance(quarters / 4)
        self.model.expire(self.world.now)

    def named(self, member_id: str) -> FakeMember:
        """The socket of that id."""
        return next(member for member in self.everyone if member.id == member_id)

    @invariant()
    def everybody_was_told_what_the_model_says(self) -> None:
        for member in self.everyone:
            expected, self.model.told[member.id] = self.model.told[member.id], []
            assert member.heard() == expected

    @invariant()
    def pings_came_in_time(self) -> None:
        for member in self.everyone:
            end = self.until.get(member, self.world.now)
            count = int((end - self.since[member] - 1.0) // 3.0) + 1
            assert member.pings == [self.since[member] + 1.0 + 3.0 * number for number in range(count)]

    @invariant()
    def counts_and_limits_hold(self) -> None:
        core = self.world.core
        assert (core.rooms, core.members) == (len(self.model.rooms), sum(len(room.members) for room in self.model.rooms))
        assert core.counts.messages == self.model.messages
        assert core.counts.joined == self.model.joined
        assert core.counts.errors == +Counter(self.model.errors)
        assert len(self.everyone) - len(self.until) == len(self.model.members) <= LIMITS.max_members
        assert core.rooms <= LIMITS.max_rooms
        assert self.world.kept.bytes == self.model.kept()

    def teardown(self) -> None:
        """When all have left, nothing is kept."""
        if not self.everyone:
            return
        for member in self.everyone:
            member.leaves()
        core = self.world.core
        assert (core.rooms, core.members, core.next_deadline(), self.world.kept.bytes) == (0, 0, None, 0)
        kept = (core._members, core._by_id, core._conversations, core._negotiations._unfinished, core._pings)
        assert [len(each) for each in kept] == [0] * 5


def given_name(member: FakeMember) -> str:
    """The name that a conversation was given, if this one has just created it."""
    name = member.frames[-1].split('"content":"')[1].split('"')[0]
    try:
        return str(uuid.UUID(name))
    except ValueError:
        return ""


TestConversations = Conversations.TestCase
TestConversations.settings = settings(max_examples=250, stateful_step_count=60)
