"""Subscriptions as an application sees them, against a cluster in memory."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
import weakref

import pytest

from protocol.codes import Code
from protocol.errors import RtcBrokerError
from rtcbroker import Client, ClientClosed, ClientOptions, Drop, NotConnected, Packet, RequestTimeout, SubscriptionRefused
from tests.support.fake_cluster import URL, FakeCluster, FakePeer
from tests.support.poll import until


def peer(cluster: FakeCluster, index: int = 0) -> FakePeer:
    return cluster.servers[5].clients[index]


async def test_entering_returns_when_the_server_has_the_topics(cluster: FakeCluster) -> None:
    async with Client(URL) as client:
        before = time.monotonic()
        async with client.subscribe("a", "b", "a") as packets:
            assert peer(cluster).sets == [(1, ["a", "b"])]
            assert packets.topics == {"a", "b"}
            when = packets.acknowledged("a")
            assert when is not None
            assert before - 0.01 <= when <= time.monotonic() + 0.01
            assert packets.acknowledged("never") is None
        await until(lambda: peer(cluster).topics == set(), 5, "the topics are unsubscribed")


async def test_packets_come_in_order_and_never_ones_own(cluster: FakeCluster) -> None:
    async with Client(URL) as me, Client(URL) as other, me.subscribe("a") as packets:
        await me.publish("a", b"mine")
        for number in range(3):
            await other.publish("a", b"%d" % number)
        assert [(await anext(packets)).body for _ in range(3)] == [b"0", b"1", b"2"]
        assert me.stats.received == 3


async def test_subscriptions_that_share_a_topic_each_get_every_packet(cluster: FakeCluster) -> None:
    async with Client(URL) as me, Client(URL) as other, me.subscribe("a", "b") as one:
        async with me.subscribe("b", "c") as two:
            assert peer(cluster).sets == [(1, ["a", "b"]), (2, ["a", "b", "c"])]
            await other.publish("b", b"x")
            assert (await anext(one)).body == (await anext(two)).body == b"x"
        await until(lambda: peer(cluster).topics == {"a", "b"}, 5, "only what nobody holds is unsubscribed")
        assert me.stats.received == 1


async def test_several_opened_in_one_turn_make_one_message(cluster: FakeCluster) -> None:
    async with Client(URL) as client:
        subscriptions = [client.subscribe(f"room/{number}") for number in range(10)]
        await asyncio.gather(*(subscription.__aenter__() for subscription in subscriptions))
        assert len(peer(cluster).sets) == 1
        await asyncio.gather(*(subscription.__aexit__(None, None, None) for subscription in subscriptions))
        await until(lambda: len(peer(cluster).sets) == 2, 5, "one message for leaving too")


async def test_a_reader_that_is_too_slow_loses_the_oldest(cluster: FakeCluster) -> None:
    async with Client(URL) as me, Client(URL) as other, me.subscribe("a", queue=2) as packets:
        for number in range(5):
            await other.publish("a", b"%d" % number)
        await until(lambda: packets.dropped == 3, 5, "three were dropped")
        assert [(await anext(packets)).body for _ in range(2)] == [b"3", b"4"]
        assert me.stats.dropped == {Drop.QUEUE: 3}
        assert repr(packets) == "<Subscription to 1 topics, 0 waiting, 3 dropped>"


async def test_a_callback_gets_packets_at_once(cluster: FakeCluster) -> None:
    found: list[Packet] = []
    async with Client(URL) as me, Client(URL) as other, me.subscribe("a", callback=found.append) as packets:
        await other.publish("a", b"x", reliable=False)
        await until(lambda: found, 5, "the callback was called")
        assert found == [Packet("a", other.alias, b"x", reliable=False)]
        with pytest.raises(RuntimeError, match="callback"):
            await anext(packets)


async def test_a_callback_that_raises_is_logged_once_and_counted(cluster: FakeCluster, caplog: pytest.LogCaptureFixture) -> None:
    def broken(packet: Packet) -> None:
        raise ValueError("a fault of the application")

    found: list[Packet] = []
    async with (
        Client(URL) as me,
        Client(URL) as other,
        me.subscribe("a", callback=broken),
        me.subscribe("a", callback=found.append),
    ):
        with caplog.at_level(logging.ERROR):
            for _ in range(3):
                await other.publish("a", b"x")
            await until(lambda: len(found) == 3, 5, "the other subscription is not harmed")
    assert me.stats.dropped == {Drop.CALLBACK: 3}
    assert caplog.text.count("a subscription's callback raised") == 1


async def test_a_refused_topic_refuses_the_whole_of_it(cluster: FakeCluster) -> None:
    cluster.servers[5].forbidden = frozenset({"secret"})
    async with Client(URL) as client:
        with pytest.raises(SubscriptionRefused) as error:
            async with client.subscribe("a", "secret"):
                raise AssertionError
        assert error.value.topics == {"secret": Code.NOT_ALLOWED}
        await until(lambda: peer(cluster).sets[-1][1] == [], 5, "nothing of it is kept")


async def test_a_part_may_be_refused_where_that_is_allowed(cluster: FakeCluster) -> None:
    cluster.servers[5].forbidden = frozenset({"secret"})
    async with Client(URL) as client, client.subscribe("a", "secret", partial=True) as packets:
        assert packets.refused == {"secret": Code.NOT_ALLOWED}
        assert packets.topics == {"a", "secret"}
        assert packets.acknowledged("secret") is None


async def test_topics_change_in_one_message(cluster: FakeCluster) -> None:
    async with Client(URL) as me, Client(URL) as other, me.subscribe("a", "b", "c") as packets:
        await packets.update(add=["d", "e", "b"], remove=["a", "c", "never"])
        assert peer(cluster).sets[1:] == [(2, ["b", "d", "e"])]
        assert packets.topics == {"b", "d", "e"}
        await other.publish("a", b"not mine any more")
        await other.publish("d", b"x")
        assert (await anext(packets)).topic == "d"
        await packets.update(add=["b"], remove=["a"])  # nothing to do, nothing sent
        assert len(peer(cluster).sets) == 2


async def test_a_topic_that_moves_from_one_subscription_to_another_stays_in_force(cluster: FakeCluster) -> None:
    async with Client(URL) as client, client.subscribe("a") as one, client.subscribe("b") as two:
        when = one.acknowledged("a")
        await one.update(remove=["a"], wait=False)
        await two.update(add=["a"])
        assert two.acknowledged("a") == pytest.approx(when, abs=1e-3)
        assert peer(cluster).sets[-1][1] == ["a", "b"]
        assert one.acknowledged("a") is None


async def test_a_change_may_go_on_by_itself(cluster: FakeCluster) -> None:
    errors: list[RtcBrokerError] = []
    cluster.servers[5].forbidden = frozenset({"secret"})
    async with Client(URL) as client, client.subscribe("a") as packets:
        client.on_error(errors.append)
        await packets.update(add=["b", "secret"], wait=False)
        assert packets.acknowledged("b") is None
        await until(lambda: packets.acknowledged("b") is not None, 5, "the new topic is in force")
        assert isinstance(errors[0], SubscriptionRefused)
        assert packets.refused == {"secret": Code.NOT_ALLOWED}


async def test_refused_topics_of_a_change_are_left_out(cluster: FakeCluster) -> None:
    cluster.servers[5].forbidden = frozenset({"secret"})
    async with Client(URL) as client, client.subscribe("a") as packets:
        with pytest.raises(SubscriptionRefused):
            await packets.update(add=["b", "secret"])
        assert packets.topics == {"a", "b"}
        await packets.update(add=["c"])
        assert peer(cluster).sets[-1][1] == ["a", "b", "c"]


async def test_an_acknowledgement_that_does_not_come_is_told_and_nothing_is_kept(cluster: FakeCluster) -> None:
    async with Client(URL, options=ClientOptions(subscribe_timeout=0.05)) as client:
        cluster.servers[5].acknowledges = False
        with pytest.raises(RequestTimeout, match="subscribe to 1 topics"):
            await client.subscribe("a").__aenter__()
        await until(lambda: peer(cluster).sets[-1][1] == [], 5, "nothing of it is kept")


async def test_without_a_connection_subscribing_waits_for_one(cluster: FakeCluster) -> None:
    options = ClientOptions(subscribe_timeout=0.5, backoff_base=0.001, backoff_cap=0.01)
    async with Client(URL, options=options) as client, client.subscribe("a"):
        cluster.servers[5].refuses = Code.SERVER_FULL
        cluster.servers[5].close(Code.SERVER_STOPPING)
        await until(lambda: client.server == 0, 5, "the connection is lost")
        with pytest.raises(NotConnected):
            await client.subscribe("b").__aenter__()
        cluster.servers[5].refuses = None
        async with client.subscribe("c"):
            assert peer(cluster).sets[-1][1] == ["a", "c"]


async def test_a_subscription_is_entered_once(cluster: FakeCluster) -> None:
    async with Client(URL) as client:
        subscription = client.subscribe("a")
        with pytest.raises(RuntimeError, match="not open"):
            await subscription.update(add=["b"])
        async with subscription:
            pass
        with pytest.raises(RuntimeError, match="once"):
            await subscription.__aenter__()


async def test_a_subscription_that_is_over_is_forgotten(cluster: FakeCluster) -> None:
    async with Client(URL) as client:
        subscription = client.subscribe("a")
        async with subscription:
            pass
        over = weakref.ref(subscription)
        del subscription
        gc.collect()
        assert over() is None


async def test_reading_ends_with_the_subscription(cluster: FakeCluster) -> None:
    async with Client(URL) as client:
        subscription = client.subscribe("a")
        await subscription.__aenter__()

        async def read() -> list[Packet]:
            return [packet async for packet in subscription]

        readers = [asyncio.create_task(read()) for _ in range(2)]
        await asyncio.sleep(0)
        await subscription.__aexit__(None, None, None)
        assert await asyncio.gather(*readers) == [[], []]


async def test_a_reader_that_is_cancelled_leaves_the_others_alone(cluster: FakeCluster) -> None:
    async with Client(URL) as me, Client(URL) as other, me.subscribe("a") as packets:
        first, second = asyncio.create_task(anext(packets)), asyncio.create_task(anext(packets))
        await asyncio.sleep(0)
        first.cancel()
        await other.publish("a", b"x")
        assert (await asyncio.wait_for(second, 5)).body == b"x"


async def test_what_arrived_before_the_client_was_closed_can_still_be_read(cluster: FakeCluster) -> None:
    me = Client(URL)
    await me.connect()
    subscription = me.subscribe("a")
    await subscription.__aenter__()
    async with Client(URL) as other:
        await other.publish("a", b"x")
        await until(lambda: me.stats.received, 5, "it arrived")
    await me.close()
    assert [packet.body async for packet in subscription] == [b"x"]
    await subscription.__aexit__(None, None, None)


async def test_a_client_told_not_to_come_back_tells_its_readers(cluster: FakeCluster) -> None:
    async with Client(URL, token="fixed") as me, me.subscribe("a") as packets:
        reading = asyncio.create_task(anext(packets))
        await asyncio.sleep(0)
        cluster.servers[5].close(Code.TOKEN_EXPIRED)
        with pytest.raises(ClientClosed) as error:
            await reading
        assert error.value.code == Code.TOKEN_EXPIRED
        with pytest.raises(ClientClosed):
            await me.subscribe("b").__aenter__()
        with pytest.raises(ClientClosed):
            await packets.update(add=["b"])
