"""The ledger against a naive model that looks at every packet and every subscription one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from simulation.core.ledger import GRACE_S, SETTLE_S, Receipts, SendIndex, SendLog, SubscriptionLog, Tally, Window, judge
from simulation.core.presence import Span

BOTS = 4
TOPICS = ["a", "b", "c"]
TIME_STEP = 0.1


@dataclass
class NaiveStay:
    topic: str
    acknowledged: float | None = None
    withdrawn: float | None = None
    released: float | None = None


@dataclass
class Naive:
    """What happened, as lists."""

    sent: list[tuple[int, int, str, float]] = field(default_factory=list)
    came: list[tuple[int, int]] = field(default_factory=list)
    stays: list[NaiveStay] = field(default_factory=list)

    def expects(self, topic: str, at: float) -> bool:
        return any(
            stay.topic == topic
            and stay.acknowledged is not None
            and at >= stay.acknowledged + SETTLE_S
            and (stay.withdrawn is None or at < stay.withdrawn - SETTLE_S)
            for stay in self.stays
        )

    def accepts(self, topic: str, now: float) -> bool:
        mine = [stay for stay in self.stays if stay.topic == topic]
        return bool(mine) and (mine[-1].released is None or now <= mine[-1].released + GRACE_S)

    def verdict(self, receiver: int, window: Window, absences: Mapping[int, Sequence[Span]]) -> Tally:
        tally = Tally()
        for sender, sequence, topic, at in self.sent:
            if sender == receiver or not window.start <= at < window.end or not self.expects(topic, at):
                continue
            came = (sender, sequence) in self.came
            if sender not in absences and receiver not in absences:
                tally.expected += 1
                tally.delivered += came
            elif any(
                since - SETTLE_S <= at < until + SETTLE_S for bot in (sender, receiver) for since, until in absences.get(bot, ())
            ):
                tally.affected.missed += not came
            else:
                tally.affected.expected += 1
                tally.affected.delivered += came
        tally.duplicates = len(self.came) - len(set(self.came))
        known = {(sender, sequence) for sender, sequence, _, _ in self.sent if sender != receiver}
        tally.misroutes = len(set(self.came) - known)
        return tally


bots, topics = st.integers(0, BOTS - 1), st.sampled_from(TOPICS)
events = st.one_of(
    st.tuples(st.just("send"), bots, topics),
    st.tuples(st.just("come"), bots, st.integers(0, 8)),
    st.tuples(st.just("request"), topics, st.integers(0, 6)),
    st.tuples(st.just("withdraw"), topics, st.integers(0, 6)),
    st.tuples(st.just("accepts"), topics, st.none()),
)


spans = st.tuples(st.floats(0, 8), st.floats(0, 2) | st.just(inf)).map(lambda span: (span[0], span[0] + span[1]))


@given(
    st.lists(events, max_size=80),
    st.floats(0, 4),
    st.floats(0, 8),
    st.dictionaries(bots, st.lists(spans, max_size=3), max_size=2),
)
def test_as_the_naive_model_says(
    happened: list[tuple[str, int | str, str | int | None]], start: float, length: float, absences: dict[int, list[Span]]
) -> None:
    naive, receiver = Naive(), 0
    logs = {bot: SendLog() for bot in range(BOTS)}
    subscriptions, receipts = SubscriptionLog(), Receipts()
    for step, (kind, first, second) in enumerate(happened):
        now = step * TIME_STEP
        if kind == "send":
            assert isinstance(first, int)
            assert isinstance(second, str)
            naive.sent.append((first, logs[first].note(second, now), second, now))
        elif kind == "come":
            assert isinstance(first, int)
            assert isinstance(second, int)
            receipts.note(first, second)
            naive.came.append((first, second))
        elif kind == "accepts":
            assert isinstance(first, str)
            assert subscriptions.accepts(first, now) == naive.accepts(first, now)
        else:
            assert isinstance(first, str)
            assert isinstance(second, int)
            change(naive, subscriptions, kind, first, now, now + second * TIME_STEP)
    window = Window(start, start + length)
    assert judge(receiver, subscriptions, receipts, SendIndex(logs), window, absences) == naive.verdict(
        receiver, window, absences
    )
    for bot, log in logs.items():
        assert log.sent(window) == sum(sender == bot and window.start <= at < window.end for sender, _, _, at in naive.sent)


def change(naive: Naive, subscriptions: SubscriptionLog, kind: str, topic: str, now: float, answered: float) -> None:
    """One request or withdrawal, answered at once or a little later."""
    wanted = topic in subscriptions.topics
    if kind == "request" and not wanted:
        subscriptions.acknowledge(subscriptions.request([topic]), answered)
        naive.stays.append(NaiveStay(topic, acknowledged=answered))
    elif kind == "withdraw" and wanted:
        subscriptions.release(subscriptions.withdraw([topic], now), answered)
        stay = next(stay for stay in reversed(naive.stays) if stay.topic == topic)
        stay.withdrawn, stay.released = now, answered
