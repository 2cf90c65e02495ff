"""Packets reach every subscriber once, wherever it is: one server, a mesh of three, a star around a hub."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

import pytest

from rtcbroker import Client, Subscription
from tests.support.cluster import Cluster, cluster
from tests.support.poll import until
from tests.support.talk import spread

PACKETS = 20


async def subscribed_everywhere(made: Cluster, readers: int) -> None:
    """Every server knows every reader: its own as a client, the others' as their server's interest."""

    async def check() -> bool:
        counts = [await server.metric("rtcbroker_subscriptions") for server in made.servers]
        links = [await server.metric("rtcbroker_peers", role="server", state="active") for server in made.servers]
        hubs = [await server.metric("rtcbroker_peers", role="hub", state="active") for server in made.servers]
        return sum(counts) == readers + sum(links) + sum(hubs)

    await until(check, 15, "interest in the topic has reached every server")


async def talk(made: Cluster, people: list[Client]) -> None:
    """Everyone publishes on both channels; everyone else gets each packet exactly once, in order on the reliable channel."""
    async with contextlib.AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(client.subscribe("square")) for client in people]
        await subscribed_everywhere(made, len(people))
        for number in range(PACKETS):
            for client in people:
                await client.publish("square", b"%d" % number, reliable=True)
                await client.publish("square", b"u%d" % number, reliable=False)
        wanted = (len(people) - 1) * PACKETS * 2
        heard = await asyncio.gather(*(gather(reader, wanted) for reader in readers))
        for client, packets in zip(people, heard, strict=True):
            others = {other.alias for other in people if other is not client}
            assert Counter(sender for sender, _, _ in packets) == dict.fromkeys(others, 2 * PACKETS)
            for other in others:
                reliable = [body for sender, body, is_reliable in packets if sender == other and is_reliable]
                assert reliable == [b"%d" % number for number in range(PACKETS)]
                assert {body for sender, body, kind in packets if sender == other and not kind} == {
                    b"u%d" % number for number in range(PACKETS)
                }
        for reader in readers:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await anext(reader)


async def gather(reader: Subscription, count: int) -> list[tuple[int, bytes, bool]]:
    """The next `count` packets: sender, body, channel."""
    async with asyncio.timeout(15):
        return [(packet.sender, packet.body, packet.reliable) for packet in [await anext(reader) for _ in range(count)]]


async def test_single_server() -> None:
    """Four clients of one server."""
    async with cluster(1) as made, spread(made, 4) as people:
        await talk(made, people)


async def test_mesh_of_three() -> None:
    """Six clients over three servers, each linked with the others: one hop, nothing twice."""
    async with cluster(3) as made, spread(made, 6) as people:
        assert len({client.server for client in people}) == 3
        await talk(made, people)


async def test_star_with_a_hub() -> None:
    """Two servers and a hub between them: the servers have no link with one another, and still everyone hears everyone once."""
    async with cluster(0) as made:
        await made.add_server(hub="true")
        for _ in range(2):
            await made.add_server()
        await made.meshed(links=4)
        async with spread(made, 6) as people:
            assert len({client.server for client in people}) == 3
            await talk(made, people)


async def test_a_hub_that_comes_later_turns_the_mesh_into_a_star() -> None:
    """Links between plain servers end once there is a hub to talk through."""
    async with cluster(2) as made:
        assert await made.servers[0].metric("rtcbroker_peers", role="server", state="active") == 1
        await made.add_server(hub="true")
        await made.meshed(links=4)
        async with spread(made, 3) as people:
            await talk(made, people)
