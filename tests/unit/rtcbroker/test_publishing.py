"""Publishing as an application sees it, against a cluster in memory."""

from __future__ import annotations

import asyncio

import pytest

from protocol.codes import Code
from protocol.errors import MessageTooLarge, TopicError
from protocol.limits import MAX_CLIENT_MESSAGE_BYTES, PeerLimits
from rtcbroker import (
    Client,
    ClientClosed,
    ClientOptions,
    ClientState,
    Drop,
    NotConnected,
    RequestTimeout,
)
from tests.support.fake_cluster import URL, FakeCluster
from tests.support.poll import until

QUICK = ClientOptions(subscribe_timeout=0.05, publish_timeout=0.05, close_timeout=0.05, backoff_base=0.001, backoff_cap=0.01)


async def test_what_is_published_in_one_turn_leaves_in_one_message(cluster: FakeCluster) -> None:
    server = cluster.servers[5]
    async with Client(URL) as client:
        for number in range(5):
            await client.publish("a", b"%d" % number)
        assert client.publish_nowait("a", "5")
        assert client.publish_nowait("b", bytearray(b"6"), reliable=False)
        await until(lambda: len(server.published) == 7, 5, "everything is published")
        assert server.messages == 2  # one a channel
        assert [body for _, body, reliable in server.published if reliable] == [b"0", b"1", b"2", b"3", b"4", b"5"]
        assert server.published[-1] == ("b", b"6", False)
        assert client.stats.sent == 7


async def test_receivers_learn_who_it_was_if_the_sender_wants_it(cluster: FakeCluster) -> None:
    async with Client(URL, token="alice") as alice, Client(URL) as bob, bob.subscribe("a") as heard:
        await alice.publish("a", b"hello", identity=True)
        packet = await anext(heard)
        assert (packet.sender, packet.identity, packet.body) == (alice.alias, "alice", b"hello")
        await alice.publish("a", b"hello", reliable=False)
        packet = await anext(heard)
        assert (packet.identity, packet.reliable) == (None, False)


@pytest.mark.parametrize("topic", ["", "a b", "a/*", "x" * 257])
async def test_a_topic_outside_the_grammar_is_refused(cluster: FakeCluster, topic: str) -> None:
    async with Client(URL) as client:
        with pytest.raises(TopicError):
            await client.publish(topic, b"")
        with pytest.raises(TopicError):
            client.subscribe("fine", topic)


async def test_a_body_is_bytes_or_text(cluster: FakeCluster) -> None:
    async with Client(URL) as client:
        with pytest.raises(TypeError, match="not int"):
            client.publish_nowait("a", 5)  # type: ignore[arg-type]  # wrong on purpose


async def test_a_body_larger_than_the_server_takes_is_refused(cluster: FakeCluster) -> None:
    cluster.add_server(5, limits=PeerLimits(max_message_bytes=2_000))
    async with Client(URL) as client:
        with pytest.raises(MessageTooLarge) as error:
            await client.publish("a", bytes(2_000))
        assert error.value.limit == 2_000


async def test_a_server_that_tells_no_limit_gets_no_more_than_it_can_pass_on(cluster: FakeCluster) -> None:
    cluster.add_server(5, limits=PeerLimits(max_message_bytes=0))
    async with Client(URL) as client:
        with pytest.raises(MessageTooLarge) as error:
            await client.publish("a", bytes(MAX_CLIENT_MESSAGE_BYTES))
        assert error.value.limit == MAX_CLIENT_MESSAGE_BYTES


async def test_before_connecting_nothing_can_be_published_or_subscribed(cluster: FakeCluster) -> None:
    client = Client(URL)
    with pytest.raises(NotConnected, match=r"before connect\(\)"):
        await client.publish("a", b"")
    with pytest.raises(NotConnected):
        client.publish_nowait("a", b"")
    with pytest.raises(NotConnected):
        await client.subscribe("a").__aenter__()
    with pytest.raises(NotConnected):
        await client.ping()


async def test_a_full_channel_makes_reliable_wait_and_drops_the_rest(cluster: FakeCluster) -> None:
    async with Client(URL) as client:
        link = cluster.servers[5].clients[0].theirs
        link.set_buffered(1_000_000, reliable=True)
        link.set_buffered(1_000_000, reliable=False)
        waiting = asyncio.create_task(client.publish("a", b"patient"))
        await client.publish("a", b"dropped", reliable=False)
        assert not client.publish_nowait("a", b"dropped")
        assert client.stats.dropped == {Drop.SEND_BUFFER: 2}
        await asyncio.sleep(0)
        assert not waiting.done()
        link.set_buffered(1_000, reliable=True)
        await asyncio.wait_for(waiting, 5)
        await until(lambda: cluster.servers[5].published == [("a", b"patient", True)], 5, "it is published")


async def test_room_that_does_not_come_is_a_time_out(cluster: FakeCluster) -> None:
    async with Client(URL, options=QUICK) as client:
        link = cluster.servers[5].clients[0].theirs
        link.set_buffered(1_000_000, reliable=True)
        with pytest.raises(RequestTimeout, match="publish to 'a'"):
            await client.publish("a", b"")
        assert client.stats.dropped == {Drop.SEND_BUFFER: 1}


async def test_a_burst_beyond_the_buffer_waits_for_the_turn_to_end_and_loses_nothing(cluster: FakeCluster) -> None:
    async with Client(URL, options=ClientOptions(reliable_buffer=1_000)) as client:
        for number in range(100):
            await asyncio.wait_for(client.publish("a", b"%100d" % number), 5)
        await until(lambda: len(cluster.servers[5].published) == 100, 5, "all is published")
        assert [int(body) for _, body, _ in cluster.servers[5].published] == list(range(100))


async def test_without_a_connection_reliable_waits_for_one(cluster: FakeCluster) -> None:
    async with Client(URL, options=ClientOptions(backoff_base=0.001, backoff_cap=0.01)) as client:
        cluster.servers[5].refuses = Code.SERVER_FULL
        cluster.servers[5].close(Code.SERVER_STOPPING)
        await until(lambda: client.state is ClientState.RECONNECTING, 5, "the connection is lost")
        waiting = asyncio.create_task(client.publish("a", b"patient"))
        await client.publish("a", b"dropped", reliable=False)
        assert client.stats.dropped == {Drop.NOT_CONNECTED: 1}
        cluster.servers[5].refuses = None
        await asyncio.wait_for(waiting, 5)
        await until(lambda: cluster.servers[5].published == [("a", b"patient", True)], 5, "it is published")
        assert client.stats.reconnects == 1


async def test_a_connection_that_does_not_come_is_told(cluster: FakeCluster) -> None:
    async with Client(URL, options=QUICK) as client:
        cluster.servers[5].refuses = Code.SERVER_FULL
        cluster.servers[5].close(Code.SERVER_STOPPING)
        await until(lambda: client.state is ClientState.RECONNECTING, 5, "the connection is lost")
        with pytest.raises(NotConnected, match=r"within 0\.05 s"):
            await client.publish("a", b"")
        assert client.stats.dropped == {Drop.NOT_CONNECTED: 1}


async def test_a_client_that_is_closed_meanwhile_ends_every_wait(cluster: FakeCluster) -> None:
    client = Client(URL)
    await client.connect()
    link = cluster.servers[5].clients[0].theirs
    link.set_buffered(1_000_000, reliable=True)
    cluster.servers[5].acknowledges = False
    waiting = [
        asyncio.create_task(client.publish("a", b"")),
        asyncio.create_task(client.subscribe("a").__aenter__()),
    ]
    await asyncio.sleep(0)
    await client.close()
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, ClientClosed)
        assert result.code == 1000
