"""From messages to whoever subscribed: once each, with the sender's identity, never one's own."""

from __future__ import annotations

import pytest

from protocol import packets
from protocol.batch import SenderIdentity, batch, group_frame
from protocol.errors import DecodeError
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from rtcbroker.core.delivery import Delivery
from rtcbroker.core.packet import Packet
from rtcbroker.core.stats import ClientStats, Drop

ME = 7


class World:
    def __init__(self) -> None:
        self.stats = ClientStats()
        self.delivery = Delivery(self.stats)
        self.delivery.alias = ME
        self.found: dict[str, list[Packet]] = {}

    def subscribe(self, name: str, *topics: str) -> None:
        self.found[name] = []
        self.delivery.attach(topics, self.found[name].append)

    def batch(self, *groups: bytes, reliable: bool = True) -> None:
        message = packets.decode_packet(batch(groups))
        assert isinstance(message, pb.TopicBatchFrames)
        self.delivery.batch(message, reliable)

    def single(self, message: bytes, reliable: bool = False) -> None:
        packet = packets.decode_packet(message)
        assert isinstance(packet, pb.TopicFWMessage | pb.TopicIdentityFWMessage)
        self.delivery.single(packet, reliable)


def test_a_batch_goes_to_everyone_who_wants_its_topics() -> None:
    world = World()
    world.subscribe("first", "a", "b")
    world.subscribe("second", "b")
    world.batch(group_frame("a", [1, 2], [b"x", b"y"]), group_frame("b", [3], [b"z"]), reliable=False)
    x, y, z = Packet("a", 1, b"x", reliable=False), Packet("a", 2, b"y", reliable=False), Packet("b", 3, b"z", reliable=False)
    assert world.found == {"first": [x, y, z], "second": [z]}
    assert world.stats.received == 3


def test_ones_own_packets_are_dropped_from_a_batch() -> None:
    world = World()
    world.subscribe("all", "a")
    world.batch(group_frame("a", [ME, 1, ME], [b"mine", b"theirs", b"mine"]))
    assert [packet.body for packet in world.found["all"]] == [b"theirs"]
    assert world.stats.received == 1


def test_identities_belong_to_their_senders() -> None:
    world = World()
    world.subscribe("all", "a")
    senders = [SenderIdentity(1, "Änne".encode(), pb.CLIENT), SenderIdentity(2, b"\xff", pb.COMMUNICATION_SERVER)]
    world.batch(group_frame("a", [1, 2, 3, ME], [b"x", b"y", b"z", b"mine"], senders))
    assert world.found["all"] == [
        Packet("a", 1, b"x", "Änne", TokenRole.CLIENT),
        Packet("a", 2, b"y", "\ufffd", TokenRole.COMMUNICATION_SERVER),
        Packet("a", 3, b"z"),
    ]


def test_a_topic_that_is_not_subscribed_any_more_is_counted() -> None:
    world = World()
    world.batch(group_frame("late", [1, 2], [b"x", b"y"]))
    assert world.stats.dropped[Drop.NOT_SUBSCRIBED] == 2
    assert world.stats.received == 0


def test_a_group_that_is_none_is_an_error() -> None:
    world = World()
    world.subscribe("all", "a")
    with pytest.raises(DecodeError):
        world.batch(group_frame("a", [1], [b"x"]), group_frame("a", [1], [b"x", b"y"]))
    assert [packet.body for packet in world.found["all"]] == [b"x"]


def test_an_old_servers_packet_belongs_to_the_only_topic() -> None:
    world = World()
    world.subscribe("first", "a")
    world.subscribe("second", "a")
    world.single(packets.topic_fw(3, b"x"))
    packet = Packet("a", 3, b"x", reliable=False)
    assert world.found == {"first": [packet], "second": [packet]}
    assert world.stats.received == 1


def test_an_old_servers_packet_may_be_of_any_topic_where_there_are_several() -> None:
    world = World()
    world.subscribe("first", "a", "b")
    world.subscribe("second", "c")
    world.single(packets.topic_identity_fw(3, b"bob", pb.CLIENT, b"x"), reliable=True)
    packet = Packet("", 3, b"x", "bob", TokenRole.CLIENT)
    assert world.found == {"first": [packet], "second": [packet]}


def test_an_old_servers_packet_nobody_wants_is_counted() -> None:
    world = World()
    world.single(packets.topic_fw(3, b"x"))
    assert world.stats.dropped[Drop.NOT_SUBSCRIBED] == 1


def test_detaching_one_of_several_leaves_the_others() -> None:
    world = World()
    found: list[Packet] = []
    world.subscribe("first", "a")
    world.delivery.attach(["a"], found.append)
    world.delivery.detach(["a"], found.append)
    world.batch(group_frame("a", [1], [b"x"]))
    assert len(world.found["first"]) == 1
    assert found == []


def test_a_receiver_may_unsubscribe_while_it_receives() -> None:
    world = World()
    world.subscribe("other", "a")

    def once(packet: Packet) -> None:
        world.delivery.detach(["a"], once)

    world.delivery.attach(["a"], once)
    world.batch(group_frame("a", [1], [b"x"]))
    assert len(world.found["other"]) == 1
