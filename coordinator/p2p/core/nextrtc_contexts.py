"""Pairs that negotiate: who has to say what next, and candidates that come before their time.

The member that was there first is the master: it offers, the newcomer (slave) answers. Candidates of both wait until the answer is on its
way, because clients of NextRTC take none before that. A negotiation that gets stuck is given up after a while; one that came to its end
stays as long as both do, since candidates may trickle for minutes, and again after a change of network.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from coordinator.core.store import Kept, Store, keep
from coordinator.p2p.core.counts import Counts
from coordinator.p2p.core.nextrtc_members import Member, Post
from coordinator.p2p.core.nextrtc_messages import Message, encode, frame

MAX_WAITING = 256
"""Candidates of one pair. Gathering finds 5 to 40 on each side."""


class State(enum.Enum):
    """What a pair has done so far. There is no context before the first of these."""

    OFFER_REQUESTED = enum.auto()
    ANSWER_REQUESTED = enum.auto()
    EXCHANGE_CANDIDATES = enum.auto()


@dataclass(slots=True, eq=False)
class PairContext:
    """One pair of members."""

    master: Member
    slave: Member
    store: Store
    deadline: float
    """When it is given up, unless it gets on."""
    state: State = State.OFFER_REQUESTED
    waiting: list[tuple[Member, Kept]] = field(default_factory=list)
    """Candidates for either of them, as they will be sent, in the order they came."""


class Negotiations:
    """All pairs of all conversations. Each step costs the same, however many there are."""

    def __init__(self, post: Post, counts: Counts, setup_time_s: float, is_unheard: Callable[[int], bool]) -> None:
        """`setup_time_s`: how long a pair may take for each step. `is_unheard`: of a member's key, whether more of it is here than was heard."""
        self._post = post
        self._counts = counts
        self._setup_time_s = setup_time_s
        self._is_unheard = is_unheard
        # Every step gives the same time, so the order of steps is the order of deadlines.
        self._unfinished: OrderedDict[PairContext, None] = OrderedDict()

    def begin(self, master: Member, slave: Member, store: Store, now: float) -> None:
        """Two members of a conversation meet: ask the master for its offer."""
        context = PairContext(master, slave, store, now + self._setup_time_s)
        master.contexts[slave.id] = slave.contexts[master.id] = context
        self._unfinished[context] = None
        self._post.tell(master, "offerRequest", sender=slave)

    def offered(self, sender: Member, message: Message, now: float) -> None:
        """An offer. Whoever of the two sends it, it goes to the slave: the reference server goes by roles, and its tests rely on it."""
        context = self._expected(sender, message, State.OFFER_REQUESTED)
        if context is None:
            return
        context.state = State.ANSWER_REQUESTED
        context.deadline = now + self._setup_time_s
        self._unfinished.move_to_end(context)
        self._relay(context.slave, "answerRequest", context.master, message)

    def answered(self, sender: Member, message: Message) -> None:
        """An answer: it goes to the master, and all that waited follows."""
        context = self._expected(sender, message, State.ANSWER_REQUESTED)
        if context is None:
            return
        context.state = State.EXCHANGE_CANDIDATES
        del self._unfinished[context]
        self._relay(context.master, "finalize", context.slave, message)
        for to, kept in context.waiting:
            self._post.put(to.key, kept.text)
        self._drop_waiting(context)

    def candidate(self, sender: Member, message: Message) -> None:
        """A candidate: to the other one, now or when the time has come."""
        context = sender.contexts.get(message.to)
        if context is None:
            self._counts.errors["out_of_state"] += 1
            return
        to = context.slave if sender is context.master else context.master
        text = frame("candidate", to.id, sender=sender.id, content=encode(message.content), custom=encode(message.custom))
        if context.state is State.EXCHANGE_CANDIDATES:
            self._post.put(to.key, text)
        else:
            kept = keep(text, context.store, sender.account) if len(context.waiting) < MAX_WAITING else None
            if kept is None:
                self._counts.errors["candidate_dropped"] += 1
                return
            context.waiting.append((to, kept))
        self._counts.messages += 1

    def forget(self, member: Member) -> None:
        """A member leaves its conversation."""
        for context in member.contexts.values():
            other = context.slave if member is context.master else context.master
            del other.contexts[member.id]
            self._unfinished.pop(context, None)
            self._drop_waiting(context)
        member.contexts.clear()

    def expire(self, now: float) -> None:
        """Give up what got stuck."""
        while self._unfinished:
            context = next(iter(self._unfinished))
            if context.deadline > now:
                return
            if self._is_unheard(context.master.key) or self._is_unheard(context.slave.key):
                # What the pair waits for may be here, and it is we who are late.
                context.deadline = now + self._setup_time_s
                self._unfinished.move_to_end(context)
                continue
            del self._unfinished[context]
            del context.master.contexts[context.slave.id], context.slave.contexts[context.master.id]
            self._counts.errors["negotiation_expired"] += 1
            if context.waiting:
                self._counts.errors["candidate_dropped"] += len(context.waiting)
                self._drop_waiting(context)

    def next_deadline(self) -> float | None:
        """When `expire` has something to do, unless that pair gets on."""
        return next(iter(self._unfinished)).deadline if self._unfinished else None

    def _expected(self, sender: Member, message: Message, state: State) -> PairContext | None:
        """The context that a message is about, if this is its time; otherwise it is ignored."""
        context = sender.contexts.get(message.to)
        if context is not None and context.state is state:
            return context
        self._counts.errors["out_of_state"] += 1
        return None

    def _relay(self, to: Member, signal: str, sender: Member, message: Message) -> None:
        self._counts.messages += 1
        self._post.tell(to, signal, sender=sender, content=encode(message.content), custom=encode(message.custom))

    @staticmethod
    def _drop_waiting(context: PairContext) -> None:
        for _, kept in context.waiting:
            kept.drop()
        context.waiting = []
