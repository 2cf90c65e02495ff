"""The killer with a cluster that only writes down what it is asked."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest

from simulation.core.kills import Kill
from simulation.core.outages import Death
from simulation.io.children import ChildError
from simulation.io.killer import Killer
from simulation.io.spawn import Cluster


class FakeCluster:
    """Its servers have the aliases 21 and 22; what is revived gets the next."""

    def __init__(self) -> None:
        self.aliases: dict[int, str] = {21: "server/1", 22: "server/2"}
        self.hosts = {"127.0.0.1:9090": "coordinator/1", "127.0.0.1:9091": "coordinator/2"}
        self.done: list[str] = []
        self.error: ChildError | None = None

    async def names(self) -> dict[int, str]:
        return dict(self.aliases)

    async def kill(self, process: str) -> float:
        self.done.append(f"kill {process}")
        self.aliases = {alias: name for alias, name in self.aliases.items() if name != process}
        return 42.0

    async def revive(self, process: str) -> Any:
        if self.error is not None:
            raise self.error
        self.done.append(f"revive {process}")
        if process.startswith("server/"):
            self.aliases[23] = process
        return process


def killer(cluster: FakeCluster, revive_s: float | None, *kills: Kill) -> tuple[Killer, list[object]]:
    revived: list[object] = []
    made = Killer(
        cast(Cluster, cluster), kills, revive_s, before_kill=lambda: cluster.done.append("look"), on_revived=revived.append
    )
    return made, revived


async def test_nothing_to_kill() -> None:
    found, _ = killer(FakeCluster(), None)
    await found.run(0.0, 1.0)
    assert (found.deaths, found.names) == ([], {})


async def test_it_remembers_whom_it_killed_and_under_which_alias_clients_knew_it() -> None:
    cluster, now = FakeCluster(), time.monotonic()
    found, _ = killer(cluster, None, Kill("redis", 0.0), Kill("server/2", 0.05))
    await found.run(now, now + 10.0)
    assert time.monotonic() >= now + 0.05
    assert cluster.done == ["look", "kill redis", "look", "kill server/2"], "who is dead cannot be asked what it cost"
    assert found.deaths == [Death("redis", 42.0), Death("server/2", 42.0, 22)]
    assert found.names == {21: "server/1", 22: "server/2"}


async def test_of_a_coordinator_it_remembers_what_clients_dial() -> None:
    cluster, now = FakeCluster(), time.monotonic()
    found, _ = killer(cluster, None, Kill("coordinator/2", 0.0))
    await found.run(now, now + 10.0)
    assert found.deaths == [Death("coordinator/2", 42.0, host="127.0.0.1:9091")]
    assert found.hosts == cluster.hosts


async def test_what_is_revived_has_another_alias_and_the_same_name() -> None:
    cluster, now = FakeCluster(), time.monotonic()
    found, revived = killer(cluster, 0.05, Kill("server/2", 0.0), Kill("redis", 0.0))
    await found.run(now, now + 10.0)
    assert revived == ["server/2"]
    assert {revival.process for revival in found.revivals} == {"redis", "server/2"}
    assert all(revival.at >= now + 0.05 for revival in found.revivals)
    assert found.names == {21: "server/1", 22: "server/2", 23: "server/2"}


async def test_after_the_end_nothing_is_revived() -> None:
    cluster, now = FakeCluster(), time.monotonic()
    found, _ = killer(cluster, 1.0, Kill("redis", 0.0))
    await found.run(now, now + 0.5)
    assert cluster.done == ["look", "kill redis"]


async def test_a_server_that_does_not_say_who_it_is_is_not_killed() -> None:
    cluster = FakeCluster()
    cluster.aliases.clear()
    found, _ = killer(cluster, None, Kill("server/1", 0.0))
    with pytest.raises(ChildError, match=r"^server/1 does not say under which alias"):
        await found.run(0.0, 10.0)
    assert cluster.done == []


async def test_one_that_does_not_come_back_ends_the_others() -> None:
    cluster, now = FakeCluster(), time.monotonic()
    cluster.error = ChildError("redis: was not ready")
    found, _ = killer(cluster, 0.01, Kill("redis", 0.0), Kill("server/1", 50.0))
    async with asyncio.timeout(5.0):
        with pytest.raises(ChildError, match="was not ready"):
            await found.run(now, now + 60.0)
