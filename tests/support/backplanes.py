"""Clusters without coordinators, of either backplane: what is asked of it, and what it tells."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from coordinator.core.cluster import Claim, ClusterOutput, Deed, Disconnect, Forward, Revocation, ServerState
from coordinator.io.backplane import Backplane, MemoryCluster
from coordinator.io.redis.address import Address
from coordinator.io.redis.backplane import RedisBackplane
from protocol.tokens import TokenRole
from tests.support.poll import until
from tests.support.redis_server import RedisServer

LEASE_S = 1.5
ANSWER_S = 10.0
_marks = itertools.count(1)
MARK_KEYS = 1_000_000
"""Sockets from there on are those of :meth:`Node.settled`."""

MakeCluster = Callable[[], AbstractAsyncContextManager["BackplaneCluster"]]


class Node:
    """One coordinator's backplane, and what it was told; a peer is here unless `missing` is set."""

    def __init__(self, backplane: Backplane) -> None:
        self.backplane = backplane
        self.told: list[tuple[Any, ...]] = []
        self.missing = False
        self._answered: set[int] = set()

    def perform(self, *outputs: ClusterOutput) -> None:
        """Carry out these."""
        for output in outputs:
            self.backplane.perform(output)

    async def settled(self) -> None:
        """Wait until all that was asked here has been done, and all that this node is to be told of it has been told."""
        key = MARK_KEYS + next(_marks)
        self.backplane.perform(Claim(key, key, TokenRole.CLIENT, "", takes_free=True))
        await until(lambda: key in self._answered, ANSWER_S, "the backplane answers", interval=0.001)

    def news(self) -> list[tuple[Any, ...]]:
        """What was told since the last time."""
        told, self.told = self.told, []
        return told

    def claimed(self, key: int, alias: int, granted: bool) -> None:
        if key > MARK_KEYS:
            self._answered.add(key)
        else:
            self.told.append(("claimed", key, alias, granted))

    def evicted(self, key: int) -> None:
        self.told.append(("evicted", key))

    def forwarded(self, forward: Forward, on_missing: Callable[[Forward], None]) -> None:
        self.told.append(("forwarded", forward))
        if self.missing:
            on_missing(forward)

    def undeliverable(self, forward: Forward) -> None:
        self.told.append(("undeliverable", forward))

    def server_up(self, state: ServerState, node: str) -> None:
        self.told.append(("up", state))

    def server_down(self, alias: int, node: str) -> None:
        self.told.append(("down", alias))

    def server_reported(self, alias: int, frame: bytes, node: str) -> None:
        self.told.append(("reported", alias, frame))

    def revoked(self, revocation: Revocation) -> None:
        self.told.append(("revoked", revocation))

    def disconnected(self, disconnect: Disconnect) -> None:
        self.told.append(("disconnected", disconnect))

    def done(self, deed: Deed) -> None:
        self.told.append(("done", deed))

    def rejoined(self) -> None:
        self.told.append(("rejoined",))


class BackplaneCluster:
    """Nodes on one backplane."""

    def __init__(self, make: Callable[[], Backplane]) -> None:
        self._make = make
        self.nodes: list[Node] = []

    async def node(self) -> Node:
        """One more."""
        node = Node(self._make())
        await node.backplane.start(node)
        self.nodes.append(node)
        return node

    async def settled(self) -> None:
        """Wait until everything has been done and told; what comes back from one node to another takes two rounds."""
        for _ in range(3):
            for node in self.nodes:
                await node.settled()

    async def news(self) -> list[list[tuple[Any, ...]]]:
        """What each was told, once everything is."""
        await self.settled()
        return [node.news() for node in self.nodes]

    async def leave(self, node: Node) -> None:
        """It leaves in order."""
        self.nodes.remove(node)
        await node.backplane.close()

    async def close(self) -> None:
        """All leave."""
        for node in list(self.nodes):
            await self.leave(node)


@asynccontextmanager
async def memory_cluster() -> AsyncIterator[BackplaneCluster]:
    """In memory."""
    shared = MemoryCluster()
    cluster = BackplaneCluster(shared.backplane)
    yield cluster
    await cluster.close()


@asynccontextmanager
async def redis_cluster(server: RedisServer, lease_s: float = LEASE_S) -> AsyncIterator[BackplaneCluster]:
    """On Redis, beside all others there."""
    prefix = f"test-{secrets.token_hex(4)}"
    cluster = BackplaneCluster(lambda: redis_backplane(server.url, prefix=prefix, lease_s=lease_s))
    try:
        yield cluster
    finally:
        await cluster.close()


def redis_backplane(
    url: str, *, prefix: str = "test", lease_s: float = LEASE_S, fingerprint: str = "same", **more: Any
) -> RedisBackplane:
    """One coordinator's."""
    return RedisBackplane(Address(url, **more), prefix=prefix, lease_s=lease_s, fingerprint=fingerprint)
