"""SIGTERM: take nobody new, tell clients to move, exit 0 in time."""

from __future__ import annotations

import time

from rtcbroker import ClientState
from tests.support.cluster import cluster
from tests.support.poll import until
from tests.support.talk import heard_by_all, spread


async def test_a_stopping_server_sends_its_clients_elsewhere() -> None:
    """The client is on the other server, subscribed; the process ended cleanly."""
    async with cluster(2) as made, spread(made, 2) as (ann, bob), ann.subscribe("square") as packets:
        old = ann.server
        stopping = next(server for server in made.servers if f"knows us as {old}" in server.log.read_text())
        began = time.monotonic()
        assert await stopping.terminate() == 0
        assert time.monotonic() - began < 10.0
        await until(
            lambda: (
                ann.state is ClientState.CONNECTED and ann.server == bob.server and packets.acknowledged("square") is not None
            ),
            5,
            "the client has moved",
        )
        await heard_by_all(bob, "square", [packets])
        assert "Traceback" not in stopping.log.read_text()


async def test_a_stopping_coordinator_exits_zero_and_leaves_the_packets_alone() -> None:
    """Its sockets close with a code; links live on."""
    async with cluster(1) as made, spread(made, 2) as (ann, bob), ann.subscribe("square") as packets:
        assert await made.coordinator.terminate() == 0
        await heard_by_all(bob, "square", [packets])
        assert ann.state is ClientState.CONNECTED
        assert "Traceback" not in made.coordinator.log.read_text()
