"""What every backplane keeps, held against each: the one in memory, and the one on a real Redis and on a real Valkey."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from coordinator.core.cluster import (
    Claim,
    Deed,
    Disconnect,
    Forward,
    Release,
    Revocation,
    Revoked,
    ServerDown,
    ServerReported,
    ServerState,
    ServerUp,
)
from protocol.tokens import TokenRole
from tests.support.backplanes import BackplaneCluster, memory_cluster, redis_cluster
from tests.support.redis_server import redis_server

CLIENT, SERVER = TokenRole.CLIENT, TokenRole.COMMUNICATION_SERVER
STATE = ServerState(7, SERVER, True, clients=3, max_clients=9, draining=True, cpu=0.25, linking=True)
FORWARD = Forward(7, 8, CLIENT, 2, b"a frame\nof\x00 bytes \xff")


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.needs("redis-server")), "valkey"])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[BackplaneCluster]:
    if request.param == "memory":
        async with memory_cluster() as made:
            yield made
        return
    program = request.getfixturevalue("tools").valkey_server if request.param == "valkey" else "redis-server"
    async with redis_server(program=program) as server, redis_cluster(server) as made:
        yield made


def _new(alias: int) -> ServerState:
    return ServerState(alias, SERVER, True, linking=True)


def claim(key: int, alias: int = 7, **how: Any) -> Claim:
    return replace(Claim(key, alias, CLIENT, "alice"), **how)


async def test_an_alias_has_one_holder(cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    one.perform(claim(1, takes_free=True))
    await one.settled()
    two.perform(claim(1, takes_free=True))
    assert await cluster.news() == [[("claimed", 1, 7, True)], [("claimed", 1, 7, False)]]


async def test_of_many_claims_at_once_one_is_granted(cluster: BackplaneCluster) -> None:
    nodes = [await cluster.node() for _ in range(3)]
    for alias in range(1, 51):
        for node in nodes:
            node.perform(claim(alias, alias, takes_free=True))
    told = await cluster.news()
    granted = [alias for node in told for _, _, alias, granted in node if granted]
    assert sorted(granted) == list(range(1, 51))
    assert [len(node) for node in told] == [50, 50, 50]


async def test_the_claimer_hears_before_the_holder_that_gives_way(cluster: BackplaneCluster) -> None:
    one = await cluster.node()
    one.perform(claim(1, takes_free=True), claim(2, proven=True))
    assert await cluster.news() == [[("claimed", 1, 7, True), ("claimed", 2, 7, True), ("evicted", 1)]]


async def test_a_holder_elsewhere_gives_way_too(cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    one.perform(claim(5, takes_free=True))
    await one.settled()
    two.perform(claim(6, takes_own=True))
    assert await cluster.news() == [[("claimed", 5, 7, True), ("evicted", 5)], [("claimed", 6, 7, True)]]
    one.perform(Release(5, 7), claim(8, takes_free=True))
    assert await cluster.news() == [[("claimed", 8, 7, False)], []]


@pytest.mark.parametrize("subject", ["bob", "", "alice "])
async def test_only_the_same_subject_takes_its_own(cluster: BackplaneCluster, subject: str) -> None:
    one = await cluster.node()
    one.perform(claim(1, takes_free=True), claim(2, takes_own=True, subject=subject))
    assert await cluster.news() == [[("claimed", 1, 7, True), ("claimed", 2, 7, False)]]


async def test_subjects_are_any_text(cluster: BackplaneCluster) -> None:
    one, subject = await cluster.node(), "1 \n2  \x00ü\U0001f600 " * 20
    one.perform(claim(1, takes_free=True, subject=subject), claim(2, takes_own=True, subject=subject))
    assert await cluster.news() == [[("claimed", 1, 7, True), ("claimed", 2, 7, True), ("evicted", 1)]]


async def test_only_the_holder_releases(cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    one.perform(claim(1, takes_free=True))
    await one.settled()
    two.perform(Release(1, 7))
    one.perform(Release(2, 7))
    await cluster.settled()
    two.perform(claim(3, takes_free=True))
    assert (await cluster.news())[1] == [("claimed", 3, 7, False)]
    one.perform(Release(1, 7), Release(1, 7))
    await one.settled()
    two.perform(claim(3, takes_free=True))
    assert await cluster.news() == [[], [("claimed", 3, 7, True)]]


async def test_servers_are_told_to_all_others_and_to_those_that_come_later(cluster: BackplaneCluster) -> None:
    one, _ = await cluster.node(), await cluster.node()
    one.perform(ServerUp(STATE))
    await one.settled()
    await cluster.node()
    one.perform(ServerDown(7), ServerDown(7))
    assert await cluster.news() == [[], [("up", STATE), ("down", 7)], [("up", STATE), ("down", 7)]]


async def test_a_server_is_told_in_the_step_that_gives_it_its_alias(cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    for alias in range(1, 51):
        one.perform(claim(alias, alias, role=SERVER, takes_free=True, part2=True))
        two.perform(claim(alias, 100 + alias, role=SERVER, takes_free=True, part2=True))
    first, second = await cluster.news()
    assert len(first) == len(second) == 100
    for alias in range(1, 51):
        # Of two that come at the same time, at least one is in the other's WELCOME.
        here, there = ("up", _new(100 + alias)), ("up", _new(alias))
        assert first.index(here) < first.index(("claimed", alias, alias, True)) or second.index(there) < second.index(
            ("claimed", alias, 100 + alias, True)
        )


async def test_a_server_that_comes_back_has_its_links_and_an_old_one_never_says(cluster: BackplaneCluster) -> None:
    one, _ = await cluster.node(), await cluster.node()
    one.perform(claim(1, 8, role=SERVER, proven=True, part2=True), claim(2, 9, role=SERVER, takes_free=True))
    _, told = await cluster.news()
    assert told == [("up", ServerState(8, SERVER, True)), ("up", ServerState(9, SERVER, False))]


async def test_a_server_that_was_gone_before_it_had_its_alias_goes_down(cluster: BackplaneCluster) -> None:
    one, _ = await cluster.node(), await cluster.node()
    one.perform(claim(1, role=SERVER, takes_free=True), Release(1, 7), ServerDown(7))
    assert await cluster.news() == [[("claimed", 1, 7, True)], [("up", ServerState(7, SERVER, False)), ("down", 7)]]


async def test_a_server_that_moved_is_not_taken_down_by_where_it_was(cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    one.perform(claim(1, role=SERVER, takes_free=True), ServerUp(STATE))
    await one.settled()
    two.perform(claim(1, role=SERVER, proven=True), ServerUp(STATE))
    first, second = await cluster.news()
    assert [told[0] for told in first] == ["claimed", "evicted", "up", "up"]
    assert [told[0] for told in second] == ["up", "up", "claimed"]
    one.perform(Release(1, 7), ServerDown(7))
    assert await cluster.news() == [[], []]


async def test_a_frame_goes_to_the_holder_or_comes_back(cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    one.perform(FORWARD)
    assert await cluster.news() == [[("undeliverable", FORWARD)], []]
    two.perform(claim(1, takes_free=True))
    await cluster.news()
    one.perform(FORWARD)
    assert await cluster.news() == [[], [("forwarded", FORWARD)]]
    two.missing = True
    one.perform(FORWARD)
    assert await cluster.news() == [[("undeliverable", FORWARD)], [("forwarded", FORWARD)]]
    two.perform(FORWARD)  # the core looks among its own peers first: it is not here
    assert await cluster.news() == [[], [("undeliverable", FORWARD)]]


async def test_frames_keep_their_order(cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    two.perform(claim(1, takes_free=True))
    await cluster.news()
    frames = [Forward(7, 8, SERVER, 5, b"%d" % number) for number in range(1_000)]
    one.perform(*frames)
    assert await cluster.news() == [[], [("forwarded", frame) for frame in frames]]


async def test_reports_are_told_to_all_others(cluster: BackplaneCluster) -> None:
    one, _, _ = await cluster.node(), await cluster.node(), await cluster.node()
    one.perform(ServerReported(7, b"\x08\n\x00"))
    told = [("reported", 7, b"\x08\n\x00")]
    assert await cluster.news() == [[], told, told]


async def test_who_leaves_takes_everything_along(cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    one.perform(claim(1, takes_free=True), ServerUp(STATE), claim(2, 9, role=SERVER, takes_free=True))
    await cluster.news()
    await cluster.leave(one)
    await one.backplane.close()
    (told,) = await cluster.news()
    assert sorted(told) == [("down", 7), ("down", 9)]
    two.perform(claim(2, takes_free=True), claim(3, 9, takes_free=True))
    one.perform(FORWARD, claim(3, proven=True))
    assert await cluster.news() == [[("claimed", 2, 7, True), ("claimed", 3, 9, True)]]
    assert one.news() == []


async def test_revocations_are_told_to_all_others_also_to_those_that_come_later(cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    until = time.time() + 60
    made, lifted = Revocation("subject", "älice 1", until, 1.5), Revocation("subject", "älice 1", until, 2.5, lifted=True)
    other = Revocation("jti", "älice 1", until - 1, 1.25)
    one.perform(Revoked(made), Revoked(other))
    await cluster.settled()
    two.perform(Revoked(lifted))
    first, second = await cluster.news()
    assert (first, second) == ([("revoked", lifted)], [("revoked", made), ("revoked", other)])
    one.perform(Revoked(made))  # told once more, too late
    await cluster.leave(one)
    late = await cluster.node()
    await cluster.settled()
    assert sorted(late.news(), key=str) == [("revoked", other), ("revoked", lifted)]


async def test_a_deed_is_told_to_those_that_are_there(cluster: BackplaneCluster) -> None:
    one, _ = await cluster.node(), await cluster.node()
    deed = Deed("älice \n", "asked server 7 to drain", 7)
    one.perform(deed, Deed("", "published to 'a'"))
    await one.settled()
    await cluster.node()
    assert await cluster.news() == [[], [("done", deed), ("done", Deed("", "published to 'a'"))], []]


async def test_a_disconnection_is_told_to_those_that_are_there(cluster: BackplaneCluster) -> None:
    one, _ = await cluster.node(), await cluster.node()
    one.perform(Disconnect(subject="alice"), Disconnect(alias=5))
    await one.settled()
    await cluster.node()
    assert await cluster.news() == [[], [("disconnected", Disconnect("alice")), ("disconnected", Disconnect(alias=5))], []]


async def test_all_is_well(cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    await cluster.settled()
    for node in (one, two):
        assert node.backplane.problem() is None
        assert node.backplane.degraded() is None
        assert node.backplane.away() is None
        stats = node.backplane.stats()
        assert (stats.up, stats.waiting, stats.outages, sum(stats.dropped.values())) == (True, 0, 0, 0)
    assert two.backplane.stats().coordinators == 2
