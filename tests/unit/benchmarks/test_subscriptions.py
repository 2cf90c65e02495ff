"""One client changes one topic: measured on a small crowd, and judged by what its server says to whom."""

from __future__ import annotations

import pytest

from benchmarks import subscriptions
from commserver.core.interest import Interest
from protocol.pb import broker_pb2 as pb


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "TOPICS", 300)


def test_a_change_is_acknowledged_and_told_as_an_update() -> None:
    outcome = subscriptions.run(changes=20)
    assert outcome.problems == []
    document = outcome.document
    assert document["change_us"] > 0
    assert document["change_us_few_topics"] > 0
    assert 0 < document["told_bytes"] < 100


def test_whole_sets_do_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Interest, "_update", Interest._whole)
    outcome = subscriptions.run(changes=2)
    assert outcome.problems == ["the linked server did not hear of a change by one SUBSCRIPTION_UPDATE"]


def test_the_crowd_is_as_large_as_it_says() -> None:
    crowd = subscriptions.Crowd()
    link = crowd.join(pb.CLIENT, subscriptions.CAPABILITIES)
    crowd.subscribe(link, ["a", "b"])
    assert (crowd.broker.topic_count, crowd.broker.subscription_count, crowd.broker.peers.client_count) == (2, 2, 1)
