"""The backplane on Redis while Redis, a coordinator or the network between them is away, and when it is back."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from coordinator.core.cluster import (
    Claim,
    Disconnect,
    Forward,
    Release,
    Revocation,
    Revoked,
    ServerReported,
    ServerState,
    ServerUp,
)
from coordinator.io.redis.backplane import RedisBackplane
from coordinator.io.redis.link import QUEUE_REPORTS, QUEUE_STEPS, READ_MESSAGES, Link
from protocol.tokens import TokenRole
from tests.support.backplanes import BackplaneCluster, Node, redis_backplane, redis_cluster
from tests.support.balancer import Balancer, balancer
from tests.support.poll import until
from tests.support.redis_server import RedisServer, redis_server

pytestmark = pytest.mark.needs("redis-server")

CLIENT, SERVER = TokenRole.CLIENT, TokenRole.COMMUNICATION_SERVER
STATE = ServerState(7, SERVER, True, clients=3)
NOTICED_S = 6.0
"""That Redis does not answer is noticed within 2.5 seconds."""
BACK_S = 10.0
LEASE_S = 3.0


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    async with redis_server() as made:
        yield made


@pytest.fixture
async def cluster(server: RedisServer) -> AsyncIterator[BackplaneCluster]:
    async with redis_cluster(server, LEASE_S) as made:
        yield made


@pytest.fixture
async def cable(server: RedisServer) -> AsyncIterator[Balancer]:
    async with balancer(lambda: [server.port]) as made:
        yield made


def claim(key: int, alias: int = 7, **how: Any) -> Claim:
    return replace(Claim(key, alias, CLIENT, "alice"), **how)


def server_claim(key: int, alias: int = 7, **how: Any) -> Claim:
    return claim(key, alias, role=SERVER, part2=True, **how)


async def alone(*nodes: Node) -> None:
    for node in nodes:
        await until(functools.partial(is_alone, node), NOTICED_S, "it notices")


async def together(*nodes: Node) -> None:
    for node in nodes:
        await until(functools.partial(is_together, node), BACK_S, "it is back")


def is_alone(node: Node) -> bool:
    return node.backplane.degraded() is not None


def is_together(node: Node) -> bool:
    return node.backplane.degraded() is None


async def test_without_redis_claims_are_decided_here_and_frames_come_back(server: RedisServer, cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    one.perform(server_claim(1, takes_free=True))
    await cluster.news()
    server.kill()
    await alone(one, two)
    assert one.backplane.problem() is None, "peers can join"
    assert f"127.0.0.1:{server.port} is away" in str(one.backplane.degraded())
    assert one.backplane.away() == one.backplane.degraded()
    assert not one.backplane.stats().up
    two.perform(
        claim(1, 8, takes_free=True), claim(2, 8, takes_own=True), claim(3, 8, takes_free=True), Forward(7, 8, CLIENT, 2, b"x")
    )
    two.perform(ServerReported(9, b""), Disconnect("bob"))
    told = [
        ("claimed", 1, 8, True),
        ("claimed", 2, 8, True),
        ("evicted", 1),
        ("claimed", 3, 8, False),
        ("undeliverable", Forward(7, 8, CLIENT, 2, b"x")),
    ]
    assert (one.news(), two.news()) == ([], told)
    assert two.backplane.stats().dropped["away"] == 3


async def test_a_redis_that_comes_back_with_nothing_is_told_everything(server: RedisServer, cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    one.perform(server_claim(1, takes_free=True), ServerUp(STATE), claim(2, 8, takes_free=True), claim(3, 9, takes_free=True))
    two.perform(Revoked(Revocation("jti", "x", time.time() + 60, 1.0)))
    await cluster.news()
    server.kill()
    await alone(one, two)
    one.perform(Release(3, 9), claim(4, 10, takes_free=True))
    two.perform(server_claim(1, 11, takes_free=True), ServerUp(replace(STATE, alias=11)))
    await server.start()
    await together(one, two)
    first, second = await cluster.news()
    assert ("up", replace(STATE, alias=11)) in first
    assert ("up", STATE) in second
    assert ("rejoined",) in first
    assert ("rejoined",) in second
    assert not [told for told in [*first, *second] if told[0] in ("down", "evicted")]
    late = await cluster.node()
    late.perform(*(claim(key, alias, takes_free=True) for key, alias in enumerate((7, 8, 9, 10, 11), 1)))
    await late.settled()
    told = late.news()
    assert {each[2]: each[3] for each in told if each[0] == "claimed"} == {7: False, 8: False, 9: True, 10: False, 11: False}
    assert {each[1] for each in told if each[0] == "up"} == {STATE, replace(STATE, alias=11)}
    assert [each[1].value for each in told if each[0] == "revoked"] == ["x"]
    assert [node.backplane.stats().outages for node in (one, two, late)] == [1, 1, 0]


async def test_a_redis_that_stands_still_is_noticed_and_nobody_is_dead_afterwards(
    server: RedisServer, cluster: BackplaneCluster
) -> None:
    one, two = await cluster.node(), await cluster.node()
    one.perform(server_claim(1, takes_free=True), ServerUp(STATE))
    await cluster.news()
    server.pause()
    try:
        began = time.monotonic()
        two.perform(claim(5, 8, takes_free=True))
        await until(lambda: two.told, NOTICED_S, "a claim that was on its way is decided here")
        assert two.news() == [("claimed", 5, 8, True)]
        await alone(one, two)
        # Longer than a lease: who renewed last before that is not to be taken for dead.
        await until(lambda: time.monotonic() - began > LEASE_S + 1, BACK_S, "a lease has passed")
    finally:
        server.resume()
    await together(one, two)
    first, second = await cluster.news()
    assert [told[0] for told in first] == ["rejoined"]
    assert {told[0] for told in second} == {"up", "rejoined"}
    one.perform(claim(6, 8, takes_free=True))
    await one.settled()
    assert one.news() == [("claimed", 6, 8, False)]


async def test_what_waits_for_a_redis_that_stands_still_is_bounded(server: RedisServer, cluster: BackplaneCluster) -> None:
    (one,) = [await cluster.node()]
    await cluster.settled()
    server.pause()
    try:
        began = time.monotonic()
        for number in range(QUEUE_STEPS + 100):
            one.perform(Forward(7, 8, CLIENT, 5, b"%d" % number))
        one.perform(ServerReported(7, b""))
        assert time.monotonic() - began < 1.0, "nothing waits"
        stats = one.backplane.stats()
        assert QUEUE_REPORTS < stats.waiting <= QUEUE_STEPS
        assert stats.dropped["queue full"] == 101
        one.perform(claim(1, takes_free=True))  # which must not get lost
        await alone(one)
        assert one.backplane.stats().waiting == 0
        assert ("claimed", 1, 7, True) in one.news()
    finally:
        server.resume()
    await together(one)
    await cluster.settled()


async def test_a_coordinator_that_dies_is_gone_within_a_lease(cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    one.perform(server_claim(1, takes_free=True), ServerUp(STATE), claim(2, 8, takes_free=True))
    await cluster.news()
    began = time.monotonic()
    await die(one)
    cluster.nodes.remove(one)
    two.perform(claim(1, 8, proven=True))
    await two.settled()
    assert two.news() == [("claimed", 1, 8, True)], "a proof counts at once"
    await until(lambda: two.told, 2 * LEASE_S, "its server goes down")
    assert two.news() == [("down", 7)]
    assert time.monotonic() - began > LEASE_S / 2
    two.perform(server_claim(3, takes_free=True))
    await two.settled()
    assert two.news() == [("claimed", 3, 7, True)]
    await until(lambda: two.backplane.stats().coordinators == 1, LEASE_S, "one is left")


async def die(node: Node) -> None:
    """As if the process had been killed."""
    backplane = node.backplane
    assert isinstance(backplane, RedisBackplane)
    link, backplane._link = backplane._link, None
    await backplane.close()
    assert link is not None
    await link.close()


async def test_a_coordinator_that_was_cut_off_gives_way_to_who_came_later(
    server: RedisServer, cluster: BackplaneCluster, cable: Balancer
) -> None:
    two = await cluster.node()
    far = Node(redis_backplane(f"redis://127.0.0.1:{cable.port}", prefix=prefix_of(two), lease_s=LEASE_S))
    await far.backplane.start(far)
    cluster.nodes.append(far)
    far.perform(server_claim(1, takes_free=True), ServerUp(STATE))
    far.perform(claim(2, 8, takes_free=True), claim(3, 9, takes_free=True), claim(4, 10, takes_free=True))
    await cluster.news()
    cable.cut()
    await alone(far)
    await until(lambda: ("down", 7) in two.told, 3 * LEASE_S, "it is taken for dead")
    # The server and one client come back here, with proofs; of another one somebody else gets the alias, since it is free now.
    two.perform(
        server_claim(1, proven=True), ServerUp(STATE), claim(2, 8, proven=True), claim(3, 9, takes_free=True, subject="bob")
    )
    await two.settled()
    two.news()
    cable.mend()
    await together(far)
    news = await cluster.news()
    kept, gone = news[1], [told for told in news[1] if told[0] == "evicted"]
    assert sorted(gone) == [("evicted", 1), ("evicted", 2)]
    assert kept.index(("evicted", 1)) < len(kept) - 1 - kept[::-1].index(("up", STATE)), "it learns where its server is now"
    assert ("rejoined",) in kept
    assert [told for told in news[0] if told[0] == "evicted"] == [("evicted", 3)], "the rule: who was there first stays"


async def test_an_outage_of_one_is_no_outage_of_the_others(
    server: RedisServer, cluster: BackplaneCluster, cable: Balancer
) -> None:
    one = await cluster.node()
    far = Node(redis_backplane(f"redis://127.0.0.1:{cable.port}", prefix=prefix_of(one), lease_s=LEASE_S))
    await far.backplane.start(far)
    cluster.nodes.append(far)
    one.perform(server_claim(1, takes_free=True), ServerUp(STATE))
    await cluster.settled()
    cable.cut()
    await alone(far)
    cable.mend()
    await together(far)
    assert one.backplane.stats().outages == 0
    assert "down" not in {told[0] for told in far.news()}


async def test_a_server_that_is_not_told_of_again_is_gone_after_a_lease(server: RedisServer, cluster: BackplaneCluster) -> None:
    one, two = await cluster.node(), await cluster.node()
    one.perform(server_claim(1, takes_free=True), ServerUp(STATE))
    await cluster.news()
    await die(one)
    cluster.nodes.remove(one)
    server.kill()
    await alone(two)
    await server.start()
    await together(two)
    assert ("down", 7) not in two.told
    await until(lambda: ("down", 7) in two.told, 2 * LEASE_S, "it goes down")


async def test_a_coordinator_may_start_before_redis(server: RedisServer) -> None:
    server.kill()
    one = Node(redis_backplane(server.url))
    await one.backplane.start(one)
    try:
        assert one.backplane.degraded() is not None
        one.perform(claim(1, takes_free=True))
        assert one.news() == [("claimed", 1, 7, True)]
        await server.start()
        await together(one)
        two = Node(redis_backplane(server.url))
        await two.backplane.start(two)
        two.perform(claim(1, takes_free=True))
        await two.settled()
        assert two.news() == [("claimed", 1, 7, False)]
        await two.backplane.close()
    finally:
        await one.backplane.close()


async def test_who_does_not_read_loses_frames_but_nothing_else(server: RedisServer, cable: Balancer) -> None:
    async with redis_cluster(server, lease_s=60.0) as cluster:
        one = await cluster.node()
        prefix = prefix_of(one)
        far = Node(redis_backplane(f"redis://127.0.0.1:{cable.port}", prefix=prefix, lease_s=60.0))
        await far.backplane.start(far)
        cluster.nodes.append(far)
        far.perform(claim(1, takes_free=True))
        await far.settled()
        cable.cut()
        for number in range(5_000):
            one.perform(Forward(7, 8, CLIENT, 5, b"%d" % number))
        await one.settled()
        # What had been read before the cable was cut, at most one look into the inbox, is in its buffers.
        assert one.backplane.stats().dropped["inbox full"] >= 5_000 - 4_096 - 2 * READ_MESSAGES
        (inbox,) = [key for key in await server.keys() if f"{{{prefix}}}:inbox:{name_of(far)}" in key]
        assert 4_000 <= await server.call("LLEN", inbox) <= 4_096
        cable.mend()


async def test_who_does_not_read_at_all_is_put_out(server: RedisServer, cable: Balancer) -> None:
    async with redis_cluster(server, lease_s=60.0) as cluster:
        one = await cluster.node()
        far = Node(redis_backplane(f"redis://127.0.0.1:{cable.port}", prefix=prefix_of(one), lease_s=60.0))
        await far.backplane.start(far)
        cluster.nodes.append(far)
        far.perform(claim(1, takes_free=True))
        await far.settled()
        cable.cut()
        for _ in range(9):
            for number in range(2_000):
                one.perform(ServerUp(replace(STATE, alias=9, clients=number)))
            await one.settled()
        assert not [key for key in await server.keys() if name_of(far) in key and "inbox" in key]
        one.perform(claim(1, takes_free=True))
        await one.settled()
        assert one.news() == [("claimed", 1, 7, True)]
        await alone(far)
        cable.mend()
        await together(far)
        await until(lambda: ("evicted", 1) in one.told, BACK_S, "the rule decides: who was there first stays")


async def test_who_leaves_while_a_lost_link_is_being_closed_closes_it(
    server: RedisServer, cluster: BackplaneCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, closed = asyncio.Event(), list[Link]()
    close = Link.close

    async def slow(link: Link, *, leave: bool = False) -> None:
        first = not begun.is_set()
        begun.set()
        if first:
            await asyncio.sleep(60.0)
        await close(link, leave=leave)
        closed.append(link)

    node = await cluster.node()
    backplane = node.backplane
    assert isinstance(backplane, RedisBackplane)
    link = backplane._link
    monkeypatch.setattr(Link, "close", slow)
    server.kill()
    await begun.wait()
    await cluster.leave(node)
    assert closed == [link]


def prefix_of(node: Node) -> str:
    """Of its cluster."""
    assert isinstance(node.backplane, RedisBackplane)
    return node.backplane._prefix


def name_of(node: Node) -> str:
    """On Redis, without the number of its link."""
    assert isinstance(node.backplane, RedisBackplane)
    return node.backplane._name
