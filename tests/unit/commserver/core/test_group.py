"""Each form of a group, made once."""

from __future__ import annotations

import pytest

from commserver.core.group import Group, group_of_server
from protocol import batch, packets
from protocol.batch import SenderIdentity
from protocol.errors import DecodeError
from protocol.pb import broker_pb2 as pb

ZOE = SenderIdentity(7, b"zoe", pb.CLIENT)


def raw_group(message: bytes) -> bytes:
    (raw,) = pb.TopicBatchFrames.FromString(message).groups
    return raw


def test_a_batch_holds_every_record() -> None:
    message = pb.TopicBatchMessage.FromString(Group("t", (7, 8), (b"a", b"b"), (ZOE,)).message())
    (group,) = message.groups
    assert (group.topic, list(group.from_alias), list(group.body), group.identity) == ("t", [7, 8], [b"a", b"b"], True)
    assert [(sender.alias, sender.identity, sender.role) for sender in group.senders] == [(7, b"zoe", pb.CLIENT)]


def test_old_clients_get_a_packet_each_with_the_identity_where_it_is_known() -> None:
    group = Group("t", (7, 8), (b"a", b"b"), (ZOE,))
    assert group.old_client() == [packets.topic_identity_fw(7, b"zoe", pb.CLIENT, b"a"), packets.topic_fw(8, b"b")]


def test_old_servers_get_the_alias_filled_in() -> None:
    group = Group("t", (7, 8), (b"a", b"b"), (ZOE,))
    assert group.old_server() == [packets.topic_identity("t", b"a", 7, b"zoe", pb.CLIENT), packets.topic("t", b"b", 8)]


def test_each_form_is_made_once() -> None:
    group = Group("t", (7,), (b"a",))
    assert group.message() is group.message()
    assert group.old_client() is group.old_client()
    assert group.old_server() is group.old_server()


def test_a_group_of_a_server_is_passed_on_as_it_came() -> None:
    raw = raw_group(Group("t", (7, 8), (b"a", b"b"), (ZOE,)).message()) + b"\xfa\x01\x03new"  # and a field of a newer version
    group = group_of_server(raw)
    assert (group.topic, list(group.aliases), list(group.bodies), list(group.senders)) == ("t", [7, 8], [b"a", b"b"], [ZOE])
    assert raw_group(group.message()) == raw


@pytest.mark.parametrize("raw", [b"\xff", raw_group(batch.batch([batch.group_frame("t", (1, 2), (b"a",))]))])
def test_a_broken_group_is_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        group_of_server(raw)
