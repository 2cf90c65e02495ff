"""The books, one page at a time; against a naive model in tests/properties/test_ledger.py."""

from __future__ import annotations

from math import inf

import pytest

from simulation.core import ledger
from simulation.core.ledger import (
    GRACE_S,
    SETTLE_S,
    Affected,
    Receipts,
    SendIndex,
    SendLog,
    SubscriptionLog,
    Tally,
    Window,
    judge,
)

ALL = Window(-inf, inf)
ME, YOU, THIRD = 0, 1, 2


def sends(*packets: tuple[str, float]) -> SendLog:
    log = SendLog()
    for topic, at in packets:
        log.note(topic, at)
    return log


def subscribed(*topics: str, at: float = 0.0) -> SubscriptionLog:
    log = SubscriptionLog()
    log.acknowledge(log.request(topics), at)
    return log


def got(*packets: tuple[int, int]) -> Receipts:
    receipts = Receipts()
    for sender, sequence in packets:
        receipts.note(sender, sequence)
    return receipts


def verdict(subscriptions: SubscriptionLog, receipts: Receipts, logs: dict[int, SendLog], window: Window = ALL) -> Tally:
    return judge(ME, subscriptions, receipts, SendIndex(logs), window)


def test_packets_are_numbered_over_all_topics() -> None:
    log = SendLog()
    assert [log.note("a", 1.0), log.note("a", 2.0), log.note("b", 3.0), log.note("a", 4.0)] == [0, 1, 2, 3]
    assert [(run.topic, run.first, list(run.times)) for run in log.runs] == [("a", 0, [1, 2]), ("b", 2, [3]), ("a", 3, [4])]


def test_sent_counts_within_the_window_its_end_not_included() -> None:
    assert sends(("a", 1.0), ("a", 2.0), ("b", 3.0)).sent(Window(1.0, 3.0)) == 2


def test_everything_that_came_is_delivered() -> None:
    logs = {YOU: sends(("a", 1.0), ("a", 2.0)), THIRD: sends(("a", 1.5))}
    assert verdict(subscribed("a"), got((YOU, 0), (YOU, 1), (THIRD, 0)), logs) == Tally(3, 3)


def test_what_did_not_come_is_missing() -> None:
    assert verdict(subscribed("a"), got((YOU, 1)), {YOU: sends(("a", 1.0), ("a", 2.0))}) == Tally(2, 1)


def test_my_own_packets_are_not_expected() -> None:
    assert verdict(subscribed("a"), Receipts(), {ME: sends(("a", 1.0))}) == Tally()


def test_other_topics_are_not_expected() -> None:
    assert verdict(subscribed("a"), Receipts(), {YOU: sends(("b", 1.0))}) == Tally()


@pytest.mark.parametrize(("after", "expected"), [(0.0, 0), (SETTLE_S - 0.01, 0), (SETTLE_S + 0.01, 1)])
def test_a_subscription_counts_once_it_has_settled(after: float, expected: int) -> None:
    assert verdict(subscribed("a", at=5.0), Receipts(), {YOU: sends(("a", 5.0 + after))}).expected == expected


def test_a_subscription_that_was_never_acknowledged_expects_nothing() -> None:
    log = SubscriptionLog()
    log.request(["a"])
    assert verdict(log, Receipts(), {YOU: sends(("a", 5.0))}) == Tally()


@pytest.mark.parametrize(("before", "expected"), [(SETTLE_S + 0.01, 1), (SETTLE_S - 0.01, 0), (-1.0, 0)])
def test_what_is_sent_shortly_before_a_withdrawal_may_come_or_not(before: float, expected: int) -> None:
    log = subscribed("a")
    log.withdraw(["a"], 5.0)
    assert verdict(log, Receipts(), {YOU: sends(("a", 5.0 - before))}).expected == expected


def test_who_comes_back_expects_both_stays() -> None:
    log = subscribed("a")
    log.withdraw(["a"], 2.0)
    log.acknowledge(log.request(["a"]), 4.0)
    assert verdict(log, Receipts(), {YOU: sends(("a", 1.0), ("a", 3.0), ("a", 5.0))}).expected == 2


def test_a_late_acknowledgement_does_not_revive_what_was_withdrawn() -> None:
    log = SubscriptionLog()
    stays = log.request(["a"])
    log.withdraw(["a"], 1.0)
    log.acknowledge(stays, 2.0)
    assert verdict(log, Receipts(), {YOU: sends(("a", 5.0))}) == Tally()


def test_only_the_window_counts() -> None:
    logs = {YOU: sends(("a", 1.0), ("a", 2.0), ("a", 3.0))}
    assert verdict(subscribed("a"), got((YOU, 0), (YOU, 1), (YOU, 2)), logs, Window(2.0, 3.0)) == Tally(1, 1)


def test_what_comes_twice_is_a_duplicate_and_delivered_once() -> None:
    receipts = Receipts()
    assert [receipts.note(YOU, 0), receipts.note(YOU, 0)] == [True, False]
    assert verdict(subscribed("a"), receipts, {YOU: sends(("a", 1.0))}) == Tally(1, 1, duplicates=1)


def test_what_nobody_sent_is_a_misroute() -> None:
    assert verdict(subscribed("a"), got((YOU, 7), (THIRD, 0)), {YOU: sends(("a", 1.0))}) == Tally(1, 0, misroutes=2)


def test_an_echo_is_a_misroute() -> None:
    assert verdict(subscribed("a"), got((ME, 0)), {ME: sends(("a", 1.0))}).misroutes == 1


def test_an_absurd_number_is_a_misroute_and_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MAX_SEQUENCE", 10)
    receipts = Receipts()
    assert not receipts.note(YOU, 10)
    assert receipts.misroutes == 1
    assert receipts.count(YOU, 0, 1000) == 0


def test_topics_are_accepted_from_their_request_on() -> None:
    log = SubscriptionLog()
    assert not log.accepts("a", 0.0)
    log.request(["a"])
    assert log.accepts("a", 0.0)
    assert log.topics == {"a"}


def test_a_former_topic_is_accepted_until_a_while_after_its_release() -> None:
    log = subscribed("a")
    stays = log.withdraw(["a"], 1.0)
    assert log.accepts("a", 99.0)
    log.release(stays, 2.0)
    assert log.accepts("a", 2.0 + GRACE_S)
    assert not log.accepts("a", 2.01 + GRACE_S)


def test_tallies_add_up() -> None:
    total = Tally(1, 2, 3, 4)
    total.add(Tally(10, 20, 30, 40))
    assert total == Tally(11, 22, 33, 44)
    total.add(Tally(affected=Affected(1, 2, 3)))
    total.add(Tally(affected=Affected(10, 20, 30)))
    assert total.affected == Affected(11, 22, 33)


def test_who_only_lost_its_link_is_owed_everything() -> None:
    assert verdict(subscribed("a"), Receipts(), {YOU: sends(("a", 5.0))}).expected == 1


@pytest.mark.parametrize("out", [ME, YOU])
def test_what_is_sent_while_one_of_the_two_is_out_is_missed_and_what_comes_before_and_after_is_expected(out: int) -> None:
    logs = {YOU: sends(("a", 1.0), ("a", 5.0), ("a", 5.9), ("a", 9.0)), THIRD: sends(("a", 5.0))}
    found = judge(ME, subscribed("a"), got((YOU, 0), (YOU, 2)), SendIndex(logs), ALL, {out: [(4.0, 6.0)]})
    mine = Affected(expected=2, delivered=1, missed=1)
    if out == ME:
        assert found == Tally(0, 0, affected=Affected(2, 1, 2))  # of the third, too
    else:
        assert found == Tally(1, 0, affected=mine)


@pytest.mark.parametrize(
    ("at", "affected"),
    [
        (4.0 - SETTLE_S - 0.01, Affected(expected=1)),
        (4.0 - SETTLE_S + 0.01, Affected(missed=1)),
        (6.0 + SETTLE_S - 0.01, Affected(missed=1)),
        (6.0 + SETTLE_S + 0.01, Affected(expected=1)),
    ],
)
def test_shortly_before_and_after_an_outage_it_may_come_or_not(at: float, affected: Affected) -> None:
    found = judge(ME, subscribed("a"), Receipts(), SendIndex({YOU: sends(("a", at))}), ALL, {YOU: [(4.0, 6.0)]})
    assert found == Tally(affected=affected)


def test_outages_of_both_may_overlap() -> None:
    log = sends(*(("a", float(second)) for second in range(10)))
    found = judge(ME, subscribed("a"), Receipts(), SendIndex({YOU: log}), ALL, {ME: [(2.0, 6.0)], YOU: [(3.0, 4.0), (5.0, inf)]})
    assert found.affected == Affected(expected=1, missed=8)  # the first of all was sent before we were surely subscribed
