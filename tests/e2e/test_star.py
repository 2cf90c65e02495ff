"""A star with two hubs and three plain servers: hubs are killed and come back under traffic."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import pairwise

import pytest

from rtcbroker import Client, Packet
from tests.support.cluster import Cluster, Server, cluster
from tests.support.poll import until
from tests.support.talk import spread

HUBS, PLAIN = 2, 3
STAR_ENDS = 2 * (HUBS * PLAIN + 1)
PAUSE_S = 0.05


class Talk:
    """Everyone says a number every PAUSE_S, reliably, and hears the others."""

    def __init__(self, people: list[Client]) -> None:
        self.people = people
        self.heard: dict[Client, list[tuple[float, int, bytes]]] = {client: [] for client in people}
        self.said = 0

    def hear(self, client: Client, packet: Packet) -> None:
        self.heard[client].append((time.monotonic(), packet.sender, packet.body))

    async def go_on(self, seconds: float) -> None:
        """For so long; what could not be said for want of a connection is not said."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.said += 1
            for client in self.people:
                client.publish_nowait("square", b"%d" % self.said)
            await asyncio.sleep(PAUSE_S)

    def gap(self, client: Client, sender: int, since: float) -> float:
        """The longest time `client` heard nothing of `sender`, from then until now."""
        times = [since, *(at for at, who, _ in self.heard[client] if who == sender and at > since), time.monotonic()]
        return max(later - earlier for earlier, later in pairwise(times))

    def twice(self) -> dict[tuple[int, bytes], int]:
        """What anybody heard more than once."""
        found: dict[tuple[int, bytes], int] = {}
        for packets in self.heard.values():
            counts = Counter((sender, body) for _, sender, body in packets)
            found |= {what: count for what, count in counts.items() if count > 1}
        return found


async def star(made: Cluster) -> tuple[list[Server], list[Server]]:
    hubs = [await made.add_server(hub="true") for _ in range(HUBS)]
    plain = [await made.add_server() for _ in range(PLAIN)]
    await made.meshed(links=STAR_ENDS)
    return hubs, plain


@pytest.mark.timeout(120)
async def test_a_hub_is_killed_under_traffic_and_comes_back_and_then_the_other() -> None:
    """People at plain servers hear nothing twice and are never without each other for three seconds; people at the dead hub move."""
    async with cluster(0) as made:
        hubs, plain = await star(made)
        async with spread(made, HUBS + PLAIN) as people:
            at_plain = [client for client in people if made.process_of(client.server) in plain]
            assert len(at_plain) == PLAIN
            talk = Talk(at_plain)
            subscriptions = [
                client.subscribe("square", callback=lambda packet, client=client: talk.hear(client, packet))  # type: ignore[misc]  # a default binds it
                for client in at_plain
            ]
            for subscription in subscriptions:
                await subscription.__aenter__()
            try:
                await until(lambda: heard_everyone(talk), 15, "everyone hears everyone", interval=PAUSE_S)
                for hub in hubs:
                    since = time.monotonic()
                    hub.kill()
                    await talk.go_on(6)
                    for client in at_plain:
                        for other in at_plain:
                            assert client is other or talk.gap(client, other.alias, since) < 3.0
                    hub.spawn()
                    await hub.ready()
                    since = time.monotonic()
                    await talk.go_on(3)
                    await made.meshed(links=STAR_ENDS)
                    for client in at_plain:
                        for other in at_plain:
                            assert client is other or talk.gap(client, other.alias, since) < 1.0, "a hub's return is not noticed"
                assert talk.twice() == {}
            finally:
                for subscription in subscriptions:
                    await subscription.__aexit__(None, None, None)


async def heard_everyone(talk: Talk) -> bool:
    await talk.go_on(PAUSE_S)
    return all(len({sender for _, sender, _ in packets}) == len(talk.people) - 1 for packets in talk.heard.values())


@pytest.mark.timeout(90)
async def test_plain_servers_that_never_met_find_each_other_when_the_last_hub_is_killed() -> None:
    """They came after the hub, so the coordinator named it alone to them."""
    async with cluster(0) as made:
        hub = await made.add_server(hub="true")
        plain = [await made.add_server() for _ in range(2)]
        await made.meshed(links=4)
        async with spread(made, 3) as people:
            one, other = (next(c for c in people if made.process_of(c.server) is server) for server in plain)
            heard: list[bytes] = []
            async with other.subscribe("t", callback=lambda packet: heard.append(packet.body)):
                await until(lambda: said_and_heard(one, heard), 10, "they hear each other by the hub", interval=0.1)
                hub.kill()
                killed = time.monotonic()
                heard.clear()
                await until(lambda: linked(plain), 10, "the plain servers are linked")
                await until(lambda: said_and_heard(one, heard), 10, "they hear each other without the hub", interval=0.05)
                assert time.monotonic() - killed < 3.0


async def said_and_heard(one: Client, heard: list[bytes]) -> bool:
    await one.publish("t", b"?")
    return bool(heard)


async def linked(plain: list[Server]) -> bool:
    counts = [await server.metric("rtcbroker_peers", role="server", state="active") for server in plain]
    return counts == [1, 1]
