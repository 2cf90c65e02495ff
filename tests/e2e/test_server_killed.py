"""A comm server is killed with -9: its clients are elsewhere at once, and nobody remembers it."""

from __future__ import annotations

import functools
import time

from rtcbroker import ClientState
from tests.support.cluster import Server, cluster
from tests.support.poll import until
from tests.support.talk import collect, heard_by_all, spread


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
            dead, old = made.process_of(moving.server), moving.server
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


async def _links(server: Server, count: int) -> bool:
    return await server.metric("rtcbroker_peers", role="server", state="active") == count
