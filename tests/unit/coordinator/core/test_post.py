"""The way out: outputs in order, ends put off."""

from __future__ import annotations

import pytest

from coordinator.core.admission import Admission
from coordinator.core.config import CoordinatorConfig
from coordinator.core.outputs import Close, Wake
from coordinator.core.post import Post
from coordinator.core.registry import Peer, Registry
from coordinator.core.stats import Stats, kind_name
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole


@pytest.fixture
def stats() -> Stats:
    return Stats()


@pytest.fixture
def post(stats: Stats) -> Post:
    return Post(stats)


@pytest.fixture
def peer() -> Peer:
    registry = Registry(CoordinatorConfig(resume_key=b"", outbox_frames=2))
    return registry.add(1, Admission(TokenRole.CLIENT), 0.0)


def test_a_peer_is_woken_when_something_begins_to_wait(post: Post, peer: Peer) -> None:
    post.send(peer, b"a")
    post.send(peer, b"b")
    assert post.drain() == [Wake(1)]
    assert post.drain() == []
    assert [peer.outbox.pop(), peer.outbox.pop()] == [b"a", b"b"]
    post.send(peer, b"c")
    assert post.drain() == [Wake(1)]


def test_a_slow_peer_is_closed_and_what_waited_is_dropped(post: Post, peer: Peer, stats: Stats) -> None:
    for frame in (b"a", b"b", b"c", b"d"):
        post.send(peer, frame)
    assert post.drain() == [Wake(1), Close(1, Code.SLOW_CONSUMER, Code.SLOW_CONSUMER.reason)]
    assert len(peer.outbox) == 0
    assert stats.closed == {Code.SLOW_CONSUMER: 1}
    assert post.next_doomed() is peer
    assert post.next_doomed() is None


def test_an_end_comes_once(post: Post, peer: Peer, stats: Stats) -> None:
    post.close(peer, Code.TIMEOUT)
    post.close(peer, Code.INTERNAL, "again")
    assert post.drain() == [Close(1, Code.TIMEOUT, Code.TIMEOUT.reason)]
    assert stats.closed.total() == 1


def test_an_end_may_say_more(post: Post, peer: Peer) -> None:
    post.close(peer, Code.BAD_MESSAGE, "not a ConnectMessage")
    assert post.drain() == [Close(1, Code.BAD_MESSAGE, "not a ConnectMessage")]


def test_kinds_have_names() -> None:
    assert kind_name(pb.WEBRTC_ICE_CANDIDATE) == "webrtc_ice_candidate"
    assert kind_name(9_999) == "unknown"
