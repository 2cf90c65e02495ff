"""Things clients do in end-to-end tests."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Iterable

from rtcbroker import Client, ClientOptions, Packet, Subscription
from tests.support.cluster import Cluster
from tests.support.poll import until


@contextlib.asynccontextmanager
async def clients(made: Cluster, count: int, options: ClientOptions | None = None) -> AsyncIterator[list[Client]]:
    """So many connected clients, each with a token of its own."""
    async with contextlib.AsyncExitStack() as stack:
        joined = [Client(made.url, token=functools.partial(made.token, f"client-{n}"), options=options) for n in range(count)]
        await asyncio.gather(*(stack.enter_async_context(client) for client in joined))
        yield joined


@contextlib.asynccontextmanager
async def spread(made: Cluster, count: int) -> AsyncIterator[list[Client]]:
    """`count` clients, at least one on each comm server: the choice is random, so more are made until it is so."""
    async with contextlib.AsyncExitStack() as stack:
        chosen: dict[int, Client] = {}
        spare: list[Client] = []
        for number in range(100):
            client = await stack.enter_async_context(Client(made.url, token=made.token(f"client-{number}")))
            if client.server in chosen:
                spare.append(client)
            chosen.setdefault(client.server, client)
            if len(chosen) == len(made.servers) and len(chosen) + len(spare) >= count:
                break
        assert len(chosen) == len(made.servers), "a hundred random choices never hit one of the servers"
        picked = [*chosen.values(), *spare][:count]
        for client in [*chosen.values(), *spare]:
            if client not in picked:
                await client.close()
        yield picked


async def collect(packets: Subscription, count: int, seconds: float = 10.0) -> list[Packet]:
    """The next `count` packets."""
    found: list[Packet] = []
    async with asyncio.timeout(seconds):
        while len(found) < count:
            found.append(await anext(packets))
    return found


async def heard_by_all(publisher: Client, topic: str, readers: Iterable[Subscription], seconds: float = 10.0) -> None:
    """Publish until every reader has heard something of it: from then on interest has spread to wherever they are."""
    waiting = [asyncio.ensure_future(anext(reader)) for reader in readers]

    async def all_heard() -> bool:
        await publisher.publish(topic, b"anyone?")
        return all(task.done() for task in waiting)

    try:
        await until(all_heard, seconds, "everyone hears the publisher", interval=0.1)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
