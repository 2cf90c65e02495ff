"""A client that is refused takes the next server of its list, then asks the coordinator again."""

from __future__ import annotations

import asyncio

import pytest

from protocol.codes import Code
from rtcbroker import Client, ClientOptions, ConnectError
from tests.support.cluster import Cluster, cluster
from tests.support.poll import until
from tests.support.talk import clients


async def test_full_servers_send_clients_to_the_next_one() -> None:
    """Three servers with room for two each: six clients that come at once all find a place."""
    async with cluster(3, max_peers="2") as made, clients(made, 6) as people:
        places = [client.server for client in people]
        assert sorted(places.count(server) for server in set(places)) == [2, 2, 2]


async def test_when_everything_is_full_the_client_says_so_and_a_patient_one_waits() -> None:
    """The refusal has its code; a client that goes on trying joins as soon as somebody leaves."""
    async with cluster(1, max_peers="1") as made, Client(made.url, token=made.token("first")) as first:
        impatient = Client(made.url, token=made.token("second"), options=ClientOptions(connect_timeout=2.0))
        with pytest.raises(ConnectError) as error:
            await impatient.connect()
        assert error.value.code in (Code.SERVER_FULL, Code.NO_SERVERS)
        welcomed = await _welcomed(made)
        patient = Client(made.url, token=made.token("third"), options=ClientOptions(connect_timeout=20.0))
        joining = asyncio.create_task(patient.connect())

        async def answered() -> bool:
            return await _welcomed(made) > welcomed

        await until(answered, 10, "the patient client was let in, and told of no server, or of one that is full")
        assert not joining.done()
        server = first.server
        await first.close()
        await joining
        assert patient.server == server
        await patient.close()


async def _welcomed(made: Cluster) -> float:
    return await made.coordinator.metric("rtcbroker_coordinator_joins_total", role="client")
