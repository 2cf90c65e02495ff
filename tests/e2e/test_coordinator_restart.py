"""The coordinator is killed and started again: nobody loses a packet, and everybody is back where it was."""

from __future__ import annotations

import asyncio
import time

from rtcbroker import ClientState
from tests.support.cluster import cluster
from tests.support.poll import until
from tests.support.talk import collect, heard_by_all, spread


async def test_packets_flow_while_the_coordinator_is_away_and_aliases_are_kept() -> None:
    """Servers are back under their old aliases within two seconds of its return; the reliable channel lost nothing meanwhile."""
    async with cluster(2) as made, spread(made, 2) as (ann, bob), bob.subscribe("square") as packets:
        await heard_by_all(ann, "square", [packets])
        servers = {ann.server, bob.server}
        before = (ann.alias, bob.alias)

        async def publish() -> int:
            sent = 0
            while not stop.is_set():
                await ann.publish("square", b"%d" % sent)
                sent += 1
                await asyncio.sleep(0.01)
            return sent

        stop = asyncio.Event()
        publisher = asyncio.create_task(publish())
        made.coordinator.kill()
        await until(lambda: _coordinator_known(made, False), 10, "the servers have noticed")
        assert (ann.state, bob.state) == (ClientState.CONNECTED, ClientState.CONNECTED)
        made.coordinator.spawn()
        await made.coordinator.ready()
        returned = time.monotonic()
        await until(lambda: _coordinator_known(made, True), 10, "the servers are back")
        assert time.monotonic() - returned < 2.0
        stop.set()
        sent = await publisher
        bodies: list[bytes] = []
        while len(bodies) < sent:
            bodies += [packet.body for packet in await collect(packets, 1) if packet.body != b"anyone?"]
        assert bodies == [b"%d" % number for number in range(sent)]
        # A newcomer sees the same servers by the same names.
        async with spread(made, 2) as newcomers:
            assert {client.server for client in newcomers} == servers
        assert (ann.alias, bob.alias) == before
        assert await made.servers[0].metric("rtcbroker_peers", role="server", state="active") == 1


async def _coordinator_known(made: object, wanted: bool) -> bool:
    known = [await server.metric("rtcbroker_coordinator_connected") for server in made.servers]  # type: ignore[attr-defined]
    return known == [float(wanted)] * 2
