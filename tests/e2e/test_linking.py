"""A comm server that has just come gets clients when its links stand, and soon where they cannot be made."""

from __future__ import annotations

import time

import aiohttp

from commserver.core.linking import LINKING_S
from protocol.pb import broker_pb2 as pb
from tests.support.cluster import START_S, Cluster, Server, cluster
from tests.support.poll import until


async def offered(made: Cluster, http: aiohttp.ClientSession) -> int:
    """How many servers a client that comes now is told of."""
    async with http.ws_connect(f"{made.url}/connect?v=2&access_token={made.token()}") as socket:
        return len(pb.WelcomeMessage.FromString(await socket.receive_bytes(timeout=START_S)).available_servers)


async def known(made: Cluster) -> float:
    """How many servers the coordinator knows, whatever it thinks of them."""
    return await made.coordinator.metric("rtcbroker_coordinator_servers")


async def started(made: Cluster, **options: str) -> Server:
    """A server whose process is up; nothing is known of its links."""
    server = made.server("commserver", coordinator=made.url, bind="127.0.0.1", **options)
    server.spawn()
    await server.ready()
    return server


async def test_no_client_is_sent_to_a_server_before_it_is_linked() -> None:
    async with cluster(2) as made, aiohttp.ClientSession() as http:
        assert await offered(made, http) == 2
        server = await started(made)

        async def all_offered() -> bool:
            return await offered(made, http) == 3

        await until(all_offered, START_S, "clients are told of it", interval=0.005)
        assert await server.metric("rtcbroker_peers", role="server", state="active") == 2
        assert (await server.page("/readyz"))[0] == 200


async def test_a_server_that_cannot_be_linked_is_better_than_none() -> None:
    async with cluster(1) as made, aiohttp.ClientSession() as http:
        server = await started(made, ice_transport_policy="relay")  # and there is no relay
        came = time.monotonic()

        async def both_known() -> bool:
            return await known(made) == 2

        await until(both_known, START_S, "the coordinator knows both")
        assert await offered(made, http) == 1
        assert await server.page("/readyz") == (503, "links to the other servers are being made\n")

        async def is_offered() -> bool:
            return await offered(made, http) == 2

        await until(is_offered, LINKING_S + 5, "it is given to clients all the same")
        assert time.monotonic() - came > LINKING_S - 1
        assert (await server.page("/readyz"))[0] == 200
        assert "not linked with all other servers" in server.log.read_text()
