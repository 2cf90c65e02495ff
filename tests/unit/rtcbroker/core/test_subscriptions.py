"""Topics with several holders, versions, and what the server makes of them."""

from __future__ import annotations

import pytest

from rtcbroker.core.subscriptions import SubscriptionSet


def test_a_change_waits_for_the_version_that_holds_it() -> None:
    topics = SubscriptionSet()
    assert topics.awaited_version == 0
    assert topics.hold(["a", "b"]) == 1
    assert topics.next_version() == (1, ["a", "b"])
    assert not topics.changed
    assert topics.hold(["a"]) == 1
    assert topics.hold(["c"]) == 2
    assert topics.next_version() == (2, ["a", "b", "c"])


def test_a_topic_stays_until_its_last_holder_lets_go() -> None:
    topics = SubscriptionSet()
    topics.hold(["a"])
    topics.hold(["a"])
    topics.next_version()
    topics.release(["a"])
    assert topics.awaited_version == 1
    assert topics.topics == {"a"}
    topics.release(["a"])
    assert topics.changed
    assert topics.topics == frozenset()
    assert topics.next_version() == (2, [])
    with pytest.raises(KeyError):
        topics.release(["a"])


def test_letting_go_twice_in_one_turn_is_a_fault() -> None:
    topics = SubscriptionSet()
    topics.hold(["a"])
    topics.release(["a"])
    with pytest.raises(KeyError):
        topics.release(["a"])


def test_a_topic_taken_over_in_the_same_turn_stays_in_force() -> None:
    topics = SubscriptionSet()
    topics.hold(["a"])
    topics.next_version()
    topics.acknowledge(1, [], 5.0)
    topics.release(["a"])
    assert topics.hold(["a"]) == 1
    assert not topics.changed
    assert topics.acknowledged("a") == 5.0


def test_an_acknowledgement_covers_every_version_up_to_it() -> None:
    topics = SubscriptionSet()
    topics.hold(["a"])
    topics.next_version()
    topics.hold(["b"])
    topics.next_version()
    assert topics.acknowledge(1, [], 1.0) == {}
    assert (topics.acknowledged("a"), topics.acknowledged("b")) == (1.0, None)
    topics.acknowledge(2, [], 2.0)
    assert (topics.acknowledged("a"), topics.acknowledged("b")) == (1.0, 2.0)
    assert topics.settled_version == 2


@pytest.mark.parametrize("version", [0, 3, 99])
def test_a_version_that_is_old_or_was_never_sent_changes_nothing(version: int) -> None:
    topics = SubscriptionSet()
    topics.hold(["a"])
    topics.next_version()
    topics.next_version()
    topics.acknowledge(1, [], 1.0)
    assert topics.acknowledge(version, [("a", 4300)], 2.0) == {}
    assert topics.settled_version == 1
    assert topics.acknowledged("a") == 1.0


def test_refused_topics_are_told_once_and_may_come_in_force_later() -> None:
    topics = SubscriptionSet()
    topics.hold(["a", "b"])
    topics.next_version()
    assert topics.acknowledge(1, [("b", 4302)], 1.0) == {"b": 4302}
    assert topics.refused(["a", "b", "c"]) == {"b": 4302}
    topics.hold(["c"])
    topics.next_version()
    assert topics.acknowledge(2, [("b", 4302)], 2.0) == {}
    topics.release(["a"])
    topics.next_version()
    assert topics.acknowledge(3, [], 3.0) == {}
    assert topics.refused(["b"]) == {}
    assert topics.acknowledged("b") == 3.0


def test_a_topic_in_force_may_be_taken_back() -> None:
    topics = SubscriptionSet()
    topics.hold(["a"])
    topics.next_version()
    topics.acknowledge(1, [], 1.0)
    assert topics.acknowledge(1, [("a", 4300)], 2.0) == {"a": 4300}
    assert topics.acknowledged("a") is None
    assert topics.refused(["a"]) == {"a": 4300}


def test_a_lost_connection_leaves_nothing_in_force_and_nothing_refused() -> None:
    topics = SubscriptionSet()
    topics.hold(["a", "b"])
    topics.next_version()
    topics.acknowledge(1, [("b", 4300)], 1.0)
    topics.connection_lost()
    assert topics.acknowledged("a") is None
    assert topics.refused(["b"]) == {}
    assert topics.outstanding
    assert topics.next_version() == (2, ["a", "b"])
    topics.acknowledge(2, [], 9.0)
    assert topics.acknowledged("a") == topics.acknowledged("b") == 9.0


def test_whether_a_server_has_to_be_told() -> None:
    assert not SubscriptionSet().outstanding
    topics = SubscriptionSet()
    topics.hold(["a"])
    assert topics.outstanding
    topics.next_version()
    topics.acknowledge(1, [], 1.0)
    topics.release(["a"])
    topics.next_version()
    assert topics.outstanding  # somebody may wait for the empty set to be in force
    topics.acknowledge(2, [], 2.0)
    assert not topics.outstanding
