"""The index both ways."""

from __future__ import annotations

from commserver.core.subscriptions import SubscriptionIndex


def test_replacing_says_what_changed() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    assert index.replace("alice", ["a", "b"]) == ({"a", "b"}, set())
    assert index.replace("alice", ["b", "c", "c"]) == ({"c"}, {"a"})
    assert index.topics("alice") == {"b", "c"}
    assert index.subscribers("a") == set()
    assert set(index.all_topics()) == {"b", "c"}


def test_subscribers_of_a_topic() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.replace("alice", ["a"])
    index.replace("bob", ["a", "b"])
    assert index.subscribers("a") == {"alice", "bob"}
    assert (index.topic_count, index.subscription_count) == (2, 3)
    assert index.remove("bob") == {"a", "b"}
    assert index.subscribers("a") == {"alice"}
    assert (index.topic_count, index.subscription_count) == (1, 1)


def test_changing_ignores_what_is_so_already() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.change("alice", ["a", "a"], ["b"])
    index.change("alice", ["a"], [])
    assert index.subscription_count == 1
    index.change("alice", ["a"], ["a"])
    assert index.topics("alice") == {"a"}, "removed first, then added"


def test_nothing_is_kept_of_who_wants_nothing() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.replace("alice", ["a"])
    index.replace("alice", [])
    assert index.remove("alice") == set()
    assert index.remove("stranger") == set()
    assert not index._by_topic
    assert not index._by_subscriber
    assert index.subscription_count == 0
