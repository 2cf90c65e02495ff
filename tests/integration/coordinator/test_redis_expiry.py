"""Nothing of a cluster that is gone for good stays on its Redis; nothing goes that a cluster which is off for a night will want."""

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
from coordinator.io.redis.steps import DONE, SCRIPT, Step, back, reclaim, step_of
from protocol.tokens import TokenRole
from tests.support.backplanes import LEASE_S, Node, redis_backplane
from tests.support.poll import until
from tests.support.redis_server import RedisServer, redis_server

DAY_S = 24 * 3600
SOON_S = 600
"""A time to live that no key is given."""

SERVER = TokenRole.COMMUNICATION_SERVER
CLAIM = Claim(1, 7, TokenRole.CLIENT, "alice", takes_free=True)
SERVER_CLAIM = Claim(2, 8, SERVER, "", proven=True)
STATE = ServerState(8, SERVER, True)
FORWARD = Forward(7, 8, TokenRole.CLIENT, 1, b"frame")


@pytest.fixture(params=[pytest.param("redis", marks=pytest.mark.needs("redis-server")), "valkey"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[RedisServer]:
    program = request.getfixturevalue("tools").valkey_server if request.param == "valkey" else "redis-server"
    async with redis_server(program=program) as found:
        yield found


async def lives(server: RedisServer) -> dict[str, int]:
    """How long each key has to live, in seconds; -1: for ever."""
    found: dict[str, int] = {}
    cursor = 0
    while True:
        cursor, keys = await server.call("SCAN", cursor)
        for key in keys:
            found[key.decode().partition(":")[2]] = await server.call("TTL", key)
        if int(cursor) == 0:
            return found


async def take(server: RedisServer, step: Step) -> Any:
    """One step of a coordinator that never reads its inbox."""
    return await server.call("EVAL", SCRIPT, 1, "{test}:", *step)


def revoked(until_s: float, value: str = "x") -> Revoked:
    return Revoked(Revocation("jti", value, time.time() + until_s, 1.0))


async def test_whatever_a_step_writes_expires(server: RedisServer) -> None:
    steps: list[Step] = [
        ("enter", "a.1", 60_000, "fingerprint"),
        ("enter", "b.1", 60_000, "fingerprint"),
        ("mark", "a.1"),
        *(step_of(output, "a.1") for output in (CLAIM, SERVER_CLAIM, ServerUp(STATE), ServerUp(replace(STATE, alias=9)))),
        *(step_of(output, "b.1") for output in (replace(CLAIM, alias=10), FORWARD, ServerReported(8, b"report"))),
        back(FORWARD, "a.1", "b.1"),
        reclaim(replace(CLAIM, alias=11), "a.1", time.time(), None),
        *(step_of(output, "a.1") for output in (Disconnect("alice"), Deed("alice", "did it"), revoked(60))),
        *(step_of(output, "a.1") for output in (Release(1, 7), ServerDown(8))),
        ("renew", "a.1", 60_000),
        ("leave", "b.1"),
        ("enter", "a.2", 60_000, "fingerprint"),
        ("retire", "a.2"),
    ]
    seen: set[str] = set()
    for step in steps:
        answer = await take(server, step)
        assert step[0] in ("enter", "renew") or answer == DONE, step
        for key, seconds in (await lives(server)).items():
            assert DAY_S - SOON_S < seconds <= DAY_S + 1, (step, key)
            seen.add(key.partition(":")[0])
    assert seen == {"nodes", "renewed", "fingerprint", "aliases", "held", "servers", "inbox", "revocations", "revoked"}


async def test_the_aliases_of_the_dead_can_be_freed_as_long_as_they_are_known(server: RedisServer) -> None:
    """More of them than a step frees: what is left says so for as long as the aliases stay."""
    await take(server, ("enter", "a.1", 60_000, "fingerprint"))
    await server.call("SADD", "{test}:held:a.1", *range(1, 5_000))
    await take(server, ("leave", "a.1"))
    found = await lives(server)
    assert found["gone"] > DAY_S - SOON_S
    assert found["held:a.1"] > DAY_S - SOON_S


async def test_a_revocation_outlives_them(server: RedisServer) -> None:
    await take(server, ("enter", "a.1", 60_000, "fingerprint"))
    for days, stays in ((3, 3), (2, 3), (7, 7)):
        await take(server, step_of(revoked(days * DAY_S, f"for {days} days"), "a.1"))
        found = await lives(server)
        for key in ("revocations", "revoked"):
            assert abs(found[key] - stays * DAY_S) < SOON_S
        assert found["aliases" if "aliases" in found else "nodes"] <= DAY_S
    await take(server, ("renew", "a.1", 60_000))
    assert abs((await lives(server))["revocations"] - 7 * DAY_S) < SOON_S
    await take(server, step_of(revoked(1e300, "for ever"), "a.1"))
    assert (await lives(server))["revocations"] > 7 * DAY_S


async def test_coordinators_that_live_put_it_off_and_what_they_leave_expires(server: RedisServer) -> None:
    nodes = [Node(redis_backplane(server.url, prefix="test")) for _ in range(2)]
    for node in nodes:
        await node.backplane.start(node)
    nodes[0].perform(CLAIM, SERVER_CLAIM, ServerUp(STATE), revoked(3600))
    for node in nodes:
        await node.settled()
    found = await lives(server)
    assert {"aliases", "servers", "nodes", "renewed", "fingerprint", "revocations", "revoked"} < set(found)
    for key in found:
        await server.call("EXPIRE", f"{{test}}:{key}", 60)

    async def all_put_off() -> bool:
        return all(seconds > DAY_S - SOON_S for seconds in (await lives(server)).values())

    await until(all_put_off, 10 * LEASE_S, "every key has a day again")
    assert set(await lives(server)) >= set(found) - {key for key in found if key.startswith("inbox:")}
    for node in nodes:
        await node.backplane.close()
    left = await lives(server)
    assert set(left) == {"fingerprint", "renewed", "revocations", "revoked"}
    assert all(0 < seconds <= DAY_S + 1 for seconds in left.values())


async def test_a_cluster_all_of_whose_keys_have_expired_heals_by_itself(server: RedisServer) -> None:
    """The clock of the host was set forward by more than a day: for those who live it is a Redis that has lost its data."""
    node = Node(redis_backplane(server.url, prefix="test"))
    await node.backplane.start(node)
    node.perform(CLAIM)
    await node.settled()
    for key in await server.keys():
        await server.call("PEXPIRE", key, 1)
    await until(lambda: ("rejoined",) in node.told, 10 * LEASE_S, "it has told everything anew")
    await node.settled()
    assert await server.call("HEXISTS", "{test}:aliases", "7") == 1
    await node.backplane.close()
