"""A comm server is killed with -9: its clients are elsewhere at once, and nobody remembers it."""

from __future__ import annotations

import functools
import time

from rtcbroker import ClientState
from tests.support.cluster import Cluster, Server, cluster
from tests.support.poll import until
from tests.support.talk import collect, heard_by_all, spread


async def server_of(made: Cluster, alias: int, candidates: list[Server]) -> Server:
    """The process behind an alias: the only one whose end of the client's link is there."""
    for server in candidates:
        if await server.metric("rtcbroker_peers", role="client", state="active") == 1:
            return server
    raise AssertionError(f"no server has the client of {alias}")


async def test_clients_move_within_three_seconds_and_their_subscriptions_work_again() -> None:
    """The coordinator forgets the dead server at once; the others drop its link and its interest."""
    async with cluster(3) as made, spread(made, 3) as people:
        moving = people[0]
        others = people[1:]
        names = {client.server for client in people}
        assert len(names) == 3
        # Two clients go to the same subject, so that the process of the moving client can be told: it alone subscribes to "mine".
        async with moving.subscribe("mine") as packets, others[0].subscribe("theirs") as still:
            await heard_by_all(others[1], "mine", [packets])
            await heard_by_all(others[1], "theirs", [still])
            dead, old = await process_of(made, moving.server), moving.server
            dead.kill()
            killed = time.monotonic()
            await until(
                lambda: (
                    moving.state is ClientState.CONNECTED and moving.server != old and packets.acknowledged("mine") is not None
                ),
                10,
                "the client is on another server, subscribed",
            )
            assert time.monotonic() - killed < 3.0
            await heard_by_all(others[1], "mine", [packets])
            await heard_by_all(moving, "theirs", [still])
            alive = [server for server in made.servers if server is not dead]
            for server in alive:
                await until(functools.partial(_links, server, 1), 5, "the dead server's link is dropped")
            assert await made.coordinator.metric("rtcbroker_coordinator_peers", role="server") == 2
            await others[1].publish("theirs", b"last")
            while (await collect(still, 1))[0].body != b"last":
                pass


async def process_of(made: Cluster, alias: int) -> Server:
    """Which process has this alias: each logs the alias it was given."""
    for server in made.servers:
        if f"knows us as {alias}" in server.log.read_text():
            return server
    raise AssertionError(f"no process is {alias}")


async def _links(server: Server, count: int) -> bool:
    return await server.metric("rtcbroker_peers", role="server", state="active") == count
