"""The backplane on Redis decides as the rule says, and tells what the backplane in memory tells, whatever is asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from coordinator.core.cluster import (
    Claim,
    ClusterOutput,
    Disconnect,
    Forward,
    Holder,
    Release,
    Revocation,
    Revoked,
    ServerDown,
    ServerReported,
    ServerState,
    ServerUp,
    may_have,
)
from coordinator.io.redis.messages import decode_revocation
from coordinator.io.redis.steps import SCRIPT, Step, reclaim, step_of
from protocol.tokens import TokenRole
from tests.support.backplanes import BackplaneCluster, memory_cluster, redis_cluster
from tests.support.redis_server import RedisServer, redis_server

pytestmark = [pytest.mark.needs("redis-server"), pytest.mark.timeout(180)]

LEASE_MS = 60_000
PHASES = [Phase.generate, Phase.shrink]
ROLES = st.sampled_from([TokenRole.CLIENT, TokenRole.COMMUNICATION_SERVER, TokenRole.COMMUNICATION_SERVER_HUB])
SUBJECTS = st.sampled_from(["", "a", "b", "a b", "\n", "ä"])


def claims(alias: st.SearchStrategy[int], key: st.SearchStrategy[int]) -> st.SearchStrategy[Claim]:
    return st.builds(Claim, key, alias, ROLES, SUBJECTS, st.booleans(), st.booleans(), st.booleans(), st.booleans())


def on_redis(example: Callable[[RedisServer], Awaitable[None]]) -> None:
    async def run() -> None:
        async with redis_server() as server:
            await example(server)

    asyncio.run(run())


def holder_of(claim: Claim, node: str) -> Holder:
    """Who holds the alias once it was granted."""
    return Holder(node, claim.key, claim.role, claim.subject)


class Script:
    """The script without a backplane: steps, and inboxes."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    async def clear(self, *nodes: str) -> None:
        """Nothing but these coordinators."""
        await self._server.call("FLUSHALL")
        for node in nodes:
            await self.take(("enter", node, LEASE_MS, "same"))

    async def take(self, step: Step) -> Any:
        return await self._server.call("EVAL", SCRIPT, 1, "", *step)

    async def inbox(self, node: str) -> list[str]:
        found = await self._server.call("LPOP", f"inbox:{node}", 100)
        return [message.decode().split("\n")[0] for message in found or []]


def test_the_script_decides_as_the_rule_says() -> None:
    async def example(server: RedisServer) -> None:
        script = Script(server)

        async def decide(claim: Claim, holder: Claim | None, same_node: bool) -> None:
            await script.clear("one.1", "two.1")
            node = "one.1" if same_node else "two.1"
            if holder is not None:
                await script.take(reclaim(holder, node, 1.0, None))
            await script.take(step_of(claim, "one.1"))
            granted = may_have(claim, holder_of(holder, node) if holder is not None else None)
            told = await script.inbox("one.1")
            assert f"claimed 1 7 {int(granted)}" in [message.rpartition(" ")[0] for message in told]
            others = told if same_node else await script.inbox("two.1")
            assert ("evicted 2 7" in others) == (granted and holder is not None)

        await for_each(decide, claims(st.just(7), st.just(1)), st.none() | claims(st.just(7), st.just(2)), st.booleans())

    on_redis(example)


def test_of_two_that_hold_an_alias_the_later_one_is_judged_as_if_it_had_asked() -> None:
    async def example(server: RedisServer) -> None:
        script = Script(server)

        async def decide(first: Claim, second: Claim, first_told_first: bool) -> None:
            await script.clear("one.1", "two.1")
            steps = [reclaim(first, "one.1", 1.0, None), reclaim(second, "two.1", 2.0, None)]
            for step in steps if first_told_first else reversed(steps):
                await script.take(step)
            granted = may_have(second, holder_of(first, "one.1"))
            one, two = await script.inbox("one.1"), await script.inbox("two.1")
            assert ("evicted 1 7" in one, "evicted 2 7" in two) == (granted, not granted)

        await for_each(decide, claims(st.just(7), st.just(1)), claims(st.just(7), st.just(2)), st.booleans())

    on_redis(example)


ALIASES = st.integers(1, 3)
KEYS = st.integers(1, 4)
STATES = st.builds(
    ServerState, ALIASES, st.just(TokenRole.COMMUNICATION_SERVER), st.booleans(), st.integers(0, 9), st.integers(0, 9)
)
REVOCATIONS = st.builds(
    Revocation,
    st.sampled_from(["subject", "jti"]),
    st.sampled_from(["a", "ä b"]),
    st.sampled_from([4e9, 4.5e9 + 0.125]),
    st.sampled_from([1.0, 2.0, 1.7e9 + 1 / 3]),
    st.booleans(),
)
OUTPUTS: st.SearchStrategy[ClusterOutput] = st.one_of(
    claims(ALIASES, KEYS),
    st.builds(Release, KEYS, ALIASES),
    st.builds(ServerUp, STATES),
    st.builds(ServerDown, ALIASES),
    st.builds(ServerReported, ALIASES, st.binary(max_size=9)),
    st.builds(Forward, ALIASES, ALIASES, ROLES, st.integers(0, 9), st.binary(max_size=9)),
    st.builds(Revoked, REVOCATIONS),
    st.builds(Disconnect, SUBJECTS, ALIASES),
)


def test_of_two_revocations_of_the_same_tokens_the_one_that_counts_is_kept() -> None:
    async def example(server: RedisServer) -> None:
        script = Script(server)

        async def decide(first: Revocation, second: Revocation) -> None:
            await script.clear("one.1", "two.1")
            await script.take(step_of(Revoked(first), "one.1"))
            await script.take(step_of(Revoked(second), "one.1"))
            counts = [first] if second.key == first.key and not second.supersedes(first) else [first, second]
            assert await script.inbox("two.1") == ["revoked"] * len(counts)
            kept = (await script.take(("enter", "late.1", LEASE_MS, "same")))[-1]
            assert {decode_revocation(each).key: decode_revocation(each) for each in kept} == {each.key: each for each in counts}

        await for_each(decide, REVOCATIONS, REVOCATIONS)

    on_redis(example)


def test_what_is_told_is_what_memory_tells() -> None:
    async def example(server: RedisServer) -> None:
        async def compare(asked: list[tuple[int, ClusterOutput]]) -> None:
            async with memory_cluster() as memory, redis_cluster(server, lease_s=60.0) as redis:
                told = [await everything_told(cluster, asked) for cluster in (memory, redis)]
            assert told[0] == told[1]

        await for_each(compare, st.lists(st.tuples(st.integers(0, 1), OUTPUTS), max_size=10), examples=50)

    on_redis(example)


async def everything_told(cluster: BackplaneCluster, asked: list[tuple[int, ClusterOutput]]) -> list[Any]:
    """By two coordinators, and one that comes last; each output is carried out before the next one is asked for."""
    nodes = [await cluster.node(), await cluster.node()]
    told: list[Any] = []
    for moment, (number, output) in enumerate(asked):
        if isinstance(output, Revoked):  # what is no news may be told or not
            output = Revoked(replace(output.revocation, made_at=float(moment)))
        nodes[number].perform(output)
        told.append(await cluster.news())
    late = await cluster.node()
    await cluster.settled()
    told.append(sorted(late.news(), key=str))
    await cluster.leave(nodes[0])
    return [*told, [sorted(news, key=str) for news in await cluster.news()]]


async def for_each(check: Callable[..., Awaitable[None]], *strategies: st.SearchStrategy[Any], examples: int = 150) -> None:
    """`check` with many examples, in the event loop that runs: hypothesis itself knows none."""
    loop = asyncio.get_running_loop()

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None, phases=PHASES)
    @given(st.tuples(*strategies))
    def each(values: tuple[Any, ...]) -> None:
        asyncio.run_coroutine_threadsafe(check(*values), loop).result(60)  # type: ignore[arg-type]  # it is a coroutine

    await asyncio.to_thread(each)
