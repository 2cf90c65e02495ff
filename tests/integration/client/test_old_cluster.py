"""Against a cluster that knows Part 1 only: an old coordinator, and a server made of plain aiortc."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from protocol.errors import MessageTooLarge
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from rtcbroker import Client, ClientOptions
from tests.support.fake_coordinator import FakeCoordinator, OldServer
from tests.support.poll import until

OPTIONS = ClientOptions(old_server_after=0.3)


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[tuple[FakeCoordinator, OldServer]]:
    coordinator, server = FakeCoordinator(is_old=True), OldServer(5)
    await coordinator.start()
    coordinator.add(server)
    yield coordinator, server
    await server.close()
    await coordinator.stop()


async def test_two_clients_talk(cluster: tuple[FakeCoordinator, OldServer]) -> None:
    coordinator, server = cluster
    async with (
        Client(coordinator.url, token="alice", options=OPTIONS) as alice,
        Client(coordinator.url, options=OPTIONS) as bob,
        bob.subscribe("room/1") as packets,
    ):
        assert packets.acknowledged("room/1") is not None
        await until(lambda: server._topics.get(bob.alias), 5, "the server has the subscription")
        for reliable in (True, False):
            await alice.publish("room/1", b"hello", reliable=reliable)
            packet = await asyncio.wait_for(anext(packets), 5)
            assert packet == ("room/1", alice.alias, b"hello", None, None, reliable)
        await alice.publish("room/1", b"it is me", identity=True)
        packet = await asyncio.wait_for(anext(packets), 5)
        assert (packet.identity, packet.role) == ("known to the server", TokenRole.CLIENT)
        # With two topics an old server's packet might be of either.
        await packets.update(add=["room/2"])
        await until(lambda: server._topics[bob.alias] == {"room/1", "room/2"}, 5, "the server has the new set")
        await alice.publish("room/2", b"where?")
        assert (await asyncio.wait_for(anext(packets), 5)).topic == ""
        assert await alice.ping() < 5


async def test_it_is_sent_nothing_it_does_not_know(cluster: tuple[FakeCoordinator, OldServer]) -> None:
    coordinator, server = cluster
    async with (
        Client(coordinator.url, token="alice", options=OPTIONS) as client,
        client.subscribe(*(f"room/{number}" for number in range(500))),
    ):
        for number in range(5):  # in one loop turn, and still one by one
            await client.publish("a", b"%d" % number)
        await client.ping()
    kinds = [packet.type for _, packet in server.messages]
    assert kinds[:2] == [pb.AUTH, pb.SUBSCRIPTION]
    assert kinds.count(pb.TOPIC) == 5
    assert set(kinds) <= {pb.AUTH, pb.SUBSCRIPTION, pb.TOPIC, pb.PING}
    auth = server.messages[0][1]
    assert isinstance(auth, pb.AuthMessage)
    assert auth.body == b"alice"
    request = coordinator.requests[0]
    assert request.path == "/connect"
    assert "alias" not in request.query


async def test_what_its_buffer_does_not_hold_is_refused_here(cluster: tuple[FakeCoordinator, OldServer]) -> None:
    coordinator, _ = cluster
    async with Client(coordinator.url, options=OPTIONS) as client:
        with pytest.raises(MessageTooLarge):
            await client.publish("a", bytes(5_120))
