"""The backplane in memory keeps what every backplane has to keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coordinator.core.cluster import (
    MAX_REVOCATIONS,
    Claim,
    Deed,
    Disconnect,
    Forward,
    Release,
    Revocation,
    Revoked,
    ServerDown,
    ServerState,
    ServerUp,
)
from coordinator.io.backplane import MemoryBackplane, MemoryCluster
from protocol.tokens import TokenRole

CLIENT, SERVER = TokenRole.CLIENT, TokenRole.COMMUNICATION_SERVER
STATE = ServerState(7, SERVER, True)
FORWARD = Forward(7, 8, CLIENT, 2, b"frame")


class Recorder:
    """A coordinator that only writes down what it is told."""

    def __init__(self, here: bool = True) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.here = here

    def claimed(self, key: int, alias: int, granted: bool) -> None:
        self.told.append(("claimed", key, alias, granted))

    def evicted(self, key: int) -> None:
        self.told.append(("evicted", key))

    def forwarded(self, forward: Forward, on_missing: Callable[[Forward], None]) -> None:
        self.told.append(("forwarded", forward))
        if not self.here:
            on_missing(forward)

    def undeliverable(self, forward: Forward) -> None:
        self.told.append(("undeliverable", forward))

    def server_up(self, state: ServerState, node: str) -> None:
        self.told.append(("up", state.alias))

    def server_down(self, alias: int, node: str) -> None:
        self.told.append(("down", alias))

    def server_reported(self, alias: int, frame: bytes, node: str) -> None:
        self.told.append(("reported", alias, frame, node))

    def revoked(self, revocation: Revocation) -> None:
        self.told.append(("revoked", revocation))

    def disconnected(self, disconnect: Disconnect) -> None:
        self.told.append(("disconnected", disconnect))

    def done(self, deed: Deed) -> None:
        self.told.append(("done", deed))

    def rejoined(self) -> None:
        self.told.append(("rejoined",))

    def news(self) -> list[tuple[Any, ...]]:
        told, self.told = self.told, []
        return told


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


async def node(cluster: MemoryCluster, *, here: bool = True) -> tuple[MemoryBackplane, Recorder]:
    backplane, recorder = cluster.backplane(), Recorder(here)
    await backplane.start(recorder)
    return backplane, recorder


def claim(key: int, alias: int = 7, **how: bool) -> Claim:
    return Claim(key, alias, CLIENT, "alice", **how)


async def test_an_alias_has_one_holder(cluster: MemoryCluster) -> None:
    (one, first), (two, second) = await node(cluster), await node(cluster)
    one.perform(claim(1, takes_free=True))
    two.perform(claim(1, takes_free=True))
    assert first.news() == [("claimed", 1, 7, True)]
    assert second.news() == [("claimed", 1, 7, False)]


async def test_the_claimer_hears_before_the_holder_that_gives_way(cluster: MemoryCluster) -> None:
    one, first = await node(cluster)
    one.perform(claim(1, takes_free=True))
    one.perform(claim(2, proven=True))
    assert first.news() == [("claimed", 1, 7, True), ("claimed", 2, 7, True), ("evicted", 1)]


async def test_a_holder_elsewhere_gives_way_too(cluster: MemoryCluster) -> None:
    (one, first), (two, second) = await node(cluster), await node(cluster)
    one.perform(claim(5, takes_free=True))
    two.perform(claim(6, proven=True))
    assert first.news() == [("claimed", 5, 7, True), ("evicted", 5)]
    assert second.news() == [("claimed", 6, 7, True)]


async def test_only_the_holder_releases(cluster: MemoryCluster) -> None:
    (one, first), (two, second) = await node(cluster), await node(cluster)
    one.perform(claim(1, takes_free=True))
    two.perform(Release(1, 7))
    one.perform(Release(2, 7))
    two.perform(claim(3, takes_free=True))
    assert second.news() == [("claimed", 3, 7, False)]
    one.perform(Release(1, 7))
    one.perform(Release(1, 7))
    two.perform(claim(3, takes_free=True))
    assert second.news() == [("claimed", 3, 7, True)]
    assert len(first.news()) == 1


async def test_servers_are_told_to_all_others(cluster: MemoryCluster) -> None:
    (one, first), (_, second) = await node(cluster), await node(cluster)
    one.perform(ServerUp(STATE))
    _, third = await node(cluster)
    one.perform(ServerDown(7))
    one.perform(ServerDown(7))
    assert first.news() == []
    assert second.news() == third.news() == [("up", 7), ("down", 7)]


async def test_a_server_that_moved_is_not_taken_down_by_where_it_was(cluster: MemoryCluster) -> None:
    (one, _), (two, second) = await node(cluster), await node(cluster)
    one.perform(ServerUp(STATE))
    two.perform(ServerUp(STATE))
    second.news()
    one.perform(ServerDown(7))
    assert second.news() == []


async def test_a_frame_goes_to_the_holder_or_comes_back(cluster: MemoryCluster) -> None:
    (one, first), (two, second) = await node(cluster), await node(cluster)
    one.perform(FORWARD)
    assert first.news() == [("undeliverable", FORWARD)]
    two.perform(claim(1, takes_free=True))
    second.news()
    one.perform(FORWARD)
    assert (first.news(), second.news()) == ([], [("forwarded", FORWARD)])
    second.here = False
    one.perform(FORWARD)
    assert (first.news(), second.news()) == ([("undeliverable", FORWARD)], [("forwarded", FORWARD)])
    two.perform(FORWARD)  # the core looks among its own peers first: it is not here
    assert second.news() == [("undeliverable", FORWARD)]


async def test_who_leaves_takes_everything_along(cluster: MemoryCluster) -> None:
    (one, _), (two, second) = await node(cluster), await node(cluster)
    one.perform(claim(1, takes_free=True))
    one.perform(ServerUp(STATE))
    second.news()
    await one.close()
    await one.close()
    assert second.news() == [("down", 7)]
    two.perform(claim(2, takes_free=True))
    assert second.news() == [("claimed", 2, 7, True)]
    one.perform(FORWARD)
    one.perform(claim(3, proven=True))
    assert second.news() == []


async def test_revocations_are_told_to_all_others_also_to_those_that_come_later(cluster: MemoryCluster) -> None:
    (one, first), (two, second) = await node(cluster), await node(cluster)
    made, lifted = Revocation("subject", "alice", 100.0, 1.0), Revocation("subject", "alice", 100.0, 2.0, lifted=True)
    other = Revocation("jti", "alice", 90.0, 1.0)
    one.perform(Revoked(made))
    one.perform(Revoked(other))
    two.perform(Revoked(lifted))
    one.perform(Revoked(made))  # told once more, too late
    await one.close()
    _, third = await node(cluster)
    assert first.news() == [("revoked", lifted)]
    assert second.news() == [("revoked", made), ("revoked", other), ("revoked", made)]
    assert sorted(third.news(), key=str) == [("revoked", other), ("revoked", lifted)]


async def test_revocations_that_have_ended_are_not_kept_nor_more_than_there_may_be(cluster: MemoryCluster) -> None:
    one, _ = await node(cluster)
    one.perform(Revoked(Revocation("subject", "ended", 5.0, 1.0)))
    for number in range(MAX_REVOCATIONS + 3):
        one.perform(Revoked(Revocation("jti", str(number), 100.0, 6.0)))
    _, late = await node(cluster)
    assert [told[1].value for told in late.news()] == [str(number) for number in range(3, MAX_REVOCATIONS + 3)]


async def test_a_disconnection_is_told_to_those_that_are_there(cluster: MemoryCluster) -> None:
    (one, first), (_, second) = await node(cluster), await node(cluster)
    one.perform(Disconnect(subject="alice"))
    _, third = await node(cluster)
    assert (first.news(), second.news(), third.news()) == ([], [("disconnected", Disconnect(subject="alice"))], [])


async def test_alone_it_is_a_cluster_of_its_own() -> None:
    backplane, recorder = MemoryBackplane(), Recorder()
    await backplane.start(recorder)
    backplane.perform(claim(1, takes_free=True))
    assert recorder.news() == [("claimed", 1, 7, True)]
    assert backplane.problem() is None
