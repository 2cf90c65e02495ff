"""The client over real links: both ways of driving them, both channels, candidates, losses and returns."""

from __future__ import annotations

import asyncio
import time

import pytest

from protocol import signalling
from protocol.codes import Code
from rtcbroker import Client, ClientOptions, ClientState, NotConnected
from tests.support.fake_coordinator import FakeCoordinator, LinkServer
from tests.support.poll import until
from transport import IceServer
from transport.listener import Listener


@pytest.mark.parametrize("fast", [True, False])
async def test_two_clients_talk_on_both_channels(coordinator: FakeCoordinator, server: LinkServer, fast: bool) -> None:
    options = ClientOptions(fast=fast)
    async with (
        Client(coordinator.url, token="alice", options=options) as alice,
        Client(coordinator.url, token="bob", options=options) as bob,
        bob.subscribe("room/1") as packets,
    ):
        for reliable in (True, False):
            await alice.publish("room/1", b"hello", reliable=reliable, identity=True)
            packet = await asyncio.wait_for(anext(packets), 5)
            assert packet == ("room/1", alice.alias, b"hello", "alice", packet.role, reliable)
        assert 0 < await bob.ping() < 5


async def test_many_and_large_packets_arrive_complete_and_in_order(coordinator: FakeCoordinator, server: LinkServer) -> None:
    async with (
        Client(coordinator.url) as alice,
        Client(coordinator.url) as bob,
        bob.subscribe("a", queue=10_000) as packets,
    ):
        sizes = [0, 10, 1_000, 60_000] * 100
        for number, size in enumerate(sizes):
            await alice.publish("a", b"%d " % number + bytes(size))
        for number, size in enumerate(sizes):
            packet = await asyncio.wait_for(anext(packets), 10)
            assert packet.body == b"%d " % number + bytes(size)


async def test_what_was_sent_before_closing_arrives(coordinator: FakeCoordinator, server: LinkServer) -> None:
    async with Client(coordinator.url) as client:
        for _ in range(50):
            await client.publish("a", bytes(10_000))
    assert len(server.published) == 50


async def test_candidates_are_trickled_where_there_are_ice_servers(coordinator: FakeCoordinator, server: LinkServer) -> None:
    # Nobody answers there; the host candidate alone will do, and nothing waits for the other.
    options = ClientOptions(ice_servers=(IceServer("stun:127.0.0.1:9"),))
    began = time.monotonic()
    async with Client(coordinator.url, options=options) as client:
        assert time.monotonic() - began < 3
        await until(lambda: server.candidates >= 1, 5, "a candidate is trickled")
        await client.ping()


async def test_a_server_that_dies_is_left_within_seconds(coordinator: FakeCoordinator, server: LinkServer) -> None:
    listener = await Listener.open(bind=["127.0.0.1"])
    other = LinkServer(6, listener)
    coordinator.add(other)
    async with Client(coordinator.url) as client, client.subscribe("a") as packets:
        assert client.server == 5
        server.is_dead = True  # silent, as after kill -9: nothing tells the client but the coordinator
        del coordinator.servers[5]
        began = time.monotonic()
        await coordinator.tell(client.alias, signalling.peer_gone(5))
        await until(lambda: client.server == 6 and packets.acknowledged("a") is not None, 5, "it is on the other server")
        assert time.monotonic() - began < 3
    await listener.close()


async def test_a_server_that_stops_is_noticed_at_once(coordinator: FakeCoordinator, server: LinkServer) -> None:
    async with Client(coordinator.url, options=ClientOptions(connect_timeout=2.0)) as client:
        del coordinator.servers[5]
        await server.listener.close()
        await until(lambda: client.state is ClientState.RECONNECTING, 5, "the link is lost")
        with pytest.raises(NotConnected):
            await client.ping()


async def test_the_coordinator_goes_and_comes_back(coordinator: FakeCoordinator, server: LinkServer) -> None:
    async with Client(coordinator.url) as client, Client(coordinator.url) as other, client.subscribe("a") as packets:
        alias = client.alias
        states: list[ClientState] = []
        client.on_state(lambda state, cause: states.append(state))
        await coordinator.stop()
        await other.publish("a", b"meanwhile")
        assert (await asyncio.wait_for(anext(packets), 5)).body == b"meanwhile"
        await coordinator.start()
        await until(lambda: alias in coordinator.sockets, 10, "the client is back under its alias")
        assert coordinator.requests[-1].query["v"] == "2"
        proofs = {request.query["alias"]: request.query["resume"] for request in coordinator.requests if "alias" in request.query}
        assert proofs[str(alias)] == f"proof of {alias}"
        assert states == []


async def test_thirty_clients_at_once(coordinator: FakeCoordinator, server: LinkServer) -> None:
    clients = [Client(coordinator.url) for _ in range(30)]
    await asyncio.gather(*(client.connect() for client in clients))
    assert len({client.alias for client in clients}) == 30
    await asyncio.gather(*(client.close() for client in clients))
    await until(lambda: not server.clients, 10, "all have left")


async def test_a_server_that_refuses_is_passed_over(coordinator: FakeCoordinator, server: LinkServer) -> None:
    class Full:
        alias = 4
        coordinator: FakeCoordinator

        async def signal(self, message: signalling.Signal) -> None:
            await self.coordinator.tell(101, signalling.refused(101, 4, Code.SERVER_FULL))

    del coordinator.servers[5]
    coordinator.add(Full())
    coordinator.add(server)
    async with Client(coordinator.url) as client:
        assert client.server == 5
