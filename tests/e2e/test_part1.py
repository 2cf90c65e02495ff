"""A client of the old system works against our cluster unchanged (WIRE.md, Part 1)."""

from __future__ import annotations

from protocol.pb import broker_pb2 as pb
from rtcbroker import Client
from tests.support.cluster import Cluster, cluster
from tests.support.part1 import Part1Client
from tests.support.poll import until

TOPICS = ("room/1", "room/2")


async def settled(made: Cluster, subscriptions: int) -> None:
    """An old client is not told that its subscription is in force: the servers' metrics tell."""

    async def check() -> bool:
        counts = [await server.metric("rtcbroker_subscriptions") for server in made.servers]
        return sum(counts) >= subscriptions

    await until(check, 10, "the subscriptions are in force")


async def test_old_clients_subscribe_plain_and_zipped_and_relay_on_both_channels() -> None:
    """Two old clients: TOPIC comes as TOPIC_FW on the channel it was sent by, TOPIC_IDENTITY as TOPIC_IDENTITY_FW, PING comes back."""
    async with cluster(auth=False) as made, Part1Client(made.url) as ann, Part1Client(made.url) as bob:
        ann.subscribe(*TOPICS)
        bob.subscribe(*TOPICS, zipped=True)
        await settled(made, 4)
        for channel in ("reliable", "unreliable"):
            ann.send(channel, pb.TopicMessage(type=pb.TOPIC, from_alias=99, topic="room/1", body=b"hello"))
            label, data = await bob.packet()
            forwarded = pb.TopicFWMessage.FromString(data)
            assert (label, forwarded.type, forwarded.from_alias, forwarded.body) == (channel, pb.TOPIC_FW, ann.alias, b"hello")
        bob.send(
            "reliable",
            pb.TopicIdentityMessage(type=pb.TOPIC_IDENTITY, topic="room/2", identity=b"root", role=pb.CLIENT, body=b"me"),
        )
        label, data = await ann.packet()
        known = pb.TopicIdentityFWMessage.FromString(data)
        assert (label, known.type, known.from_alias, known.body) == ("reliable", pb.TOPIC_IDENTITY_FW, bob.alias, b"me")
        assert (known.identity, known.role) == (b"", pb.CLIENT)  # nobody is verified here, whatever bob says of himself
        ping = pb.PingMessage(type=pb.PING, time=12.5)
        ann.send("unreliable", ping)
        assert await ann.packet() == ("unreliable", ping.SerializeToString())
        ann.subscribe()  # an empty set clears it
        await until(lambda: _subscriptions(made, 2), 10, "the empty set is in force")
        bob.send("reliable", pb.TopicMessage(type=pb.TOPIC, topic="room/1", body=b"nobody"))
        bob.send("reliable", ping)
        assert await bob.packet() == ("reliable", ping.SerializeToString())
        assert ann.received.empty()
        assert bob.received.empty()
        assert not ann.unknown_signals + bob.unknown_signals


async def _subscriptions(made: Cluster, count: int) -> bool:
    return await made.servers[0].metric("rtcbroker_subscriptions") == count


async def test_old_and_new_clients_talk_across_two_servers_with_tokens() -> None:
    """An old client with a token in AUTH and ours hear the same, wherever each is."""
    async with (
        cluster(2) as made,
        Client(made.url, token=made.token("new")) as new,
        Part1Client(made.url, made.token("old")) as old,
        new.subscribe("room/1") as packets,
    ):
        old.subscribe("room/1")
        await settled(made, 2)
        await until(lambda: _crossed(made), 10, "both servers know both subscriptions")
        await new.publish("room/1", b"from new", identity=True)
        _, data = await old.packet()
        known = pb.TopicIdentityFWMessage.FromString(data)
        assert (known.from_alias, known.identity, known.role, known.body) == (new.alias, b"new", pb.CLIENT, b"from new")
        old.send("reliable", pb.TopicMessage(type=pb.TOPIC, topic="room/1", body=b"from old"))
        packet = await anext(packets)
        assert (packet.topic, packet.sender, packet.body, packet.reliable) == ("room/1", old.alias, b"from old", True)


async def _crossed(made: Cluster) -> bool:
    """On the same server each client is one subscription; across, each server also has the other's interest."""
    counts = [await server.metric("rtcbroker_subscriptions") for server in made.servers]
    return sorted(counts) in ([1.0, 2.0], [2.0, 2.0])


async def test_a_full_server_refuses_and_the_old_client_takes_its_next() -> None:
    """CONNECTION_REFUSED{SERVER_FULL} names the server that refused."""
    async with cluster(2, auth=False, max_peers="1") as made, Part1Client(made.url) as ann, Part1Client(made.url) as bob:
        assert ann.servers[0] != bob.servers[0]
        for refusal in ann.refusals + bob.refusals:
            assert refusal.reason == pb.SERVER_FULL
