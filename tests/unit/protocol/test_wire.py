"""The wire, pinned bit for bit: numbers and types from the schema, and bytes written by hand.

Part 1 is what peers out there have always spoken. A test that fails here means that they no longer understand us: the schema is wrong,
not the test.
"""

from __future__ import annotations

import struct

import pytest
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from protocol.pb import broker_pb2 as pb
from tests.support.schema import ENUMS, MESSAGES, describe, fields

PART_1_ENUMS = {
    "MessageType": {
        "UNKNOWN_MESSAGE_TYPE": 0,
        "WELCOME": 1,
        "CONNECT": 2,
        "WEBRTC_OFFER": 3,
        "WEBRTC_ANSWER": 4,
        "WEBRTC_ICE_CANDIDATE": 5,
        "PING": 6,
        "SUBSCRIPTION": 7,
        "AUTH": 8,
        "TOPIC": 9,
        "TOPIC_FW": 10,
        "TOPIC_IDENTITY": 11,
        "TOPIC_IDENTITY_FW": 12,
        "CONNECTION_REFUSED": 13,
        "ERROR": 14,
    },
    "Role": {"UNKNOWN_ROLE": 0, "CLIENT": 1, "COMMUNICATION_SERVER": 2, "COMMUNICATION_SERVER_HUB": 3},
    "Format": {"UNKNOWN_FORMAT": 0, "PLAIN": 1, "GZIP": 2},
    "ConnectionRefusedReason": {"UNKNOWN_REASON": 0, "SERVER_FULL": 1, "AUTH_FAILED": 2},
}

# Field 1 of each is `type: MessageType`.
PART_1_MESSAGES: dict[str, dict[str, str]] = {
    "CoordinatorMessage": {},
    "MessageHeader": {},
    "WelcomeMessage": {"alias": "2 uint64", "available_servers": "3 repeated uint64"},
    "ConnectMessage": {"from_alias": "2 uint64", "to_alias": "3 uint64"},
    "WebRtcMessage": {"from_alias": "2 uint64", "to_alias": "3 uint64", "data": "4 bytes"},
    "ConnectionRefusedMessage": {
        "from_alias": "2 uint64",
        "to_alias": "3 uint64",
        "reason": "4 ConnectionRefusedReason",
        "data": "5 bytes",
    },
    "PingMessage": {"time": "2 double"},
    "SubscriptionMessage": {"format": "2 Format", "topics": "3 bytes"},
    "AuthMessage": {"role": "2 Role", "body": "3 bytes"},
    "TopicMessage": {"from_alias": "2 uint64", "topic": "3 string", "body": "4 bytes"},
    "TopicFWMessage": {"from_alias": "2 uint64", "body": "3 bytes"},
    "TopicIdentityMessage": {
        "from_alias": "2 uint64",
        "topic": "3 string",
        "identity": "4 bytes",
        "role": "5 Role",
        "body": "6 bytes",
    },
    "TopicIdentityFWMessage": {"from_alias": "2 uint64", "identity": "3 bytes", "role": "4 Role", "body": "5 bytes"},
    "ErrorMessage": {},
}

PART_2_TYPES = {
    "READY": 100,
    "TOPIC_BATCH": 101,
    "SUBSCRIBED": 102,
    "SUBSCRIPTION_UPDATE": 103,
    "CLOSE": 104,
    "MOVE": 105,
    "SYNC": 106,
    "SYNCED": 107,
    "UPLINK": 108,
    "SERVER_STATUS": 110,
    "PEER_GONE": 111,
    "SERVER_REPORT": 112,
    "ICE_SERVERS": 113,
    "PUBLISH": 114,
    "REVOKE": 115,
    "DRAIN": 116,
}

# All fields that Part 2 adds to messages of Part 1.
PART_2_FIELDS = {
    "WelcomeMessage": {
        "resume": "100 string",
        "auth_required": "101 bool",
        "ice_servers": "102 repeated IceServer",
        "ice_lifetime": "103 uint32",
        "request_id": "104 string",
        "hubs": "105 bool",
        "ending": "106 repeated uint64",
    },
    "ConnectMessage": {"from_role": "100 Role", "request_id": "101 string"},
    "ConnectionRefusedMessage": {"code": "100 uint32"},
    "SubscriptionMessage": {"version": "100 uint64"},
    "AuthMessage": {"capabilities": "100 repeated Capability"},
    "ErrorMessage": {"code": "100 uint32", "reason": "101 string", "topic": "102 string"},
}

PART_2_MESSAGES = {
    "ServerStatusMessage": {
        "type": "1 MessageType",
        "clients": "2 uint32",
        "max_clients": "3 uint32",
        "draining": "4 bool",
        "cpu": "5 float",
        "linking": "6 bool",
    },
    "PeerGoneMessage": {"type": "1 MessageType", "alias": "2 uint64"},
    "ServerReportMessage": {
        "type": "1 MessageType",
        "version": "2 string",
        "uptime": "3 double",
        "clients": "4 uint32",
        "topics": "5 uint32",
        "subscriptions": "6 uint32",
        "packets_in": "7 uint64",
        "packets_out": "8 uint64",
        "bytes_in": "9 uint64",
        "bytes_out": "10 uint64",
        "records_relayed": "11 uint64",
        "deliveries": "12 uint64",
        "drops": "13 repeated ReasonCount",
        "latency_p50": "14 optional double",
        "latency_p99": "15 optional double",
        "cpu": "16 double",
        "memory": "17 uint64",
        "links": "18 repeated LinkTraffic",
        "busiest": "19 repeated TopicTraffic",
        "events": "20 repeated PeerEvent",
        "events_lost": "21 uint32",
    },
    "IceServersMessage": {"type": "1 MessageType", "ice_servers": "2 repeated IceServer", "ice_lifetime": "3 uint32"},
    "PublishMessage": {
        "type": "1 MessageType",
        "topic": "2 string",
        "body": "3 bytes",
        "reliable": "4 bool",
        "identity": "5 bytes",
        "role": "6 Role",
    },
    "RevokeMessage": {
        "type": "1 MessageType",
        "subject": "2 string",
        "jti": "3 string",
        "alias": "4 uint64",
        "until": "5 double",
        "lifted": "6 bool",
    },
    "DrainMessage": {"type": "1 MessageType", "seconds": "2 double"},
    "IceServer": {"urls": "1 repeated string", "username": "2 string", "credential": "3 string"},
    "ReasonCount": {"reason": "1 string", "count": "2 uint64"},
    "LinkTraffic": {
        "alias": "1 uint64",
        "bytes_in": "2 uint64",
        "bytes_out": "3 uint64",
        "packets_in": "4 uint64",
        "packets_out": "5 uint64",
    },
    "TopicTraffic": {
        "topic": "1 string",
        "subscribers": "2 uint32",
        "records_per_second": "3 double",
        "deliveries_per_second": "4 double",
    },
    "PeerEvent": {"kind": "1 Kind", "alias": "2 uint64", "code": "3 uint32", "role": "4 Role"},
    "CloseMessage": {"type": "1 MessageType", "code": "2 uint32", "reason": "3 string"},
    "MoveMessage": {
        "type": "1 MessageType",
        "code": "2 uint32",
        "reason": "3 string",
        "seconds": "4 double",
        "servers": "5 repeated uint64",
    },
    "SyncMessage": {"type": "1 MessageType", "number": "2 uint64"},
    "UplinkMessage": {"type": "1 MessageType", "hub": "2 uint64", "passes_on": "3 bool"},
    "ReadyMessage": {
        "type": "1 MessageType",
        "alias": "2 uint64",
        "capabilities": "3 repeated Capability",
        "limits": "4 Limits",
    },
    "Limits": {
        "max_message_bytes": "1 uint32",
        "max_topic_bytes": "2 uint32",
        "max_topics": "3 uint32",
        "packets_per_second": "4 double",
        "packets_burst": "5 uint32",
    },
    "TopicBatchMessage": {"type": "1 MessageType", "groups": "2 repeated TopicGroup"},
    "TopicBatchFrames": {"type": "1 MessageType", "groups": "2 repeated bytes"},
    "TopicGroup": {
        "topic": "1 string",
        "from_alias": "2 repeated uint64",
        "body": "3 repeated bytes",
        "identity": "4 bool",
        "senders": "5 repeated Sender",
        "origin": "6 uint64",
        "serial": "7 uint64",
    },
    "Sender": {"alias": "1 uint64", "identity": "2 bytes", "role": "3 Role"},
    "SubscribedMessage": {
        "type": "1 MessageType",
        "version": "2 uint64",
        "refused": "3 repeated RefusedTopic",
        "refused_more": "4 uint32",
    },
    "RefusedTopic": {"topic": "1 string", "code": "2 uint32"},
    "SubscriptionUpdateMessage": {
        "type": "1 MessageType",
        "version": "2 uint64",
        "added": "3 repeated string",
        "removed": "4 repeated string",
    },
}

PARTS = {"Limits", "Sender", "RefusedTopic", "ReasonCount", "LinkTraffic", "TopicTraffic", "PeerEvent", "IceServer"}
"""What stands inside messages, and has its sample there."""

# ----------------------------------------------------------------------------------------------------------------- schema


def test_the_package_is_named_as_it_always_was() -> None:
    assert pb.DESCRIPTOR.package == "protocol"


@pytest.mark.parametrize(("name", "values"), PART_1_ENUMS.items())
def test_an_enum_of_part_1(name: str, values: dict[str, int]) -> None:
    old = {value: number for value, number in ENUMS[name].items() if number < 100}
    assert old == values


@pytest.mark.parametrize(("name", "expected"), PART_1_MESSAGES.items())
def test_a_message_of_part_1(name: str, expected: dict[str, str]) -> None:
    old = {field.name: describe(field) for field in MESSAGES[name].fields if field.number < 100}
    assert old == {"type": "1 MessageType", **expected}


@pytest.mark.parametrize("name", PART_1_MESSAGES)
def test_what_part_2_adds_to_a_message_is_numbered_from_100(name: str) -> None:
    new = {field.name: describe(field) for field in MESSAGES[name].fields if field.number >= 100}
    assert new == PART_2_FIELDS.get(name, {})


def test_new_types_are_numbered_from_100_and_fit_one_byte() -> None:
    new = {name: number for name, number in ENUMS["MessageType"].items() if number >= 100}
    assert new == PART_2_TYPES
    assert max(new.values()) < 128


def test_old_enums_only_grow_from_100() -> None:
    for name, values in PART_1_ENUMS.items():
        assert all(number >= 100 for value, number in ENUMS[name].items() if value not in values)


def test_the_enums_of_part_2() -> None:
    assert set(ENUMS) == {*PART_1_ENUMS, "Capability", "PeerEvent.Kind"}
    assert ENUMS["PeerEvent.Kind"] == {"UNKNOWN_KIND": 0, "JOINED": 1, "LEFT": 2, "REFUSED": 3}
    assert ENUMS["Capability"] == {
        "UNKNOWN_CAPABILITY": 0,
        "BATCH": 1,
        "SUBSCRIBE_ACK": 2,
        "ERRORS": 3,
        "SUBSCRIPTION_UPDATES": 4,
        "MOVES": 5,
        "UPLINKS": 6,
    }


@pytest.mark.parametrize(("name", "expected"), PART_2_MESSAGES.items())
def test_a_message_of_part_2(name: str, expected: dict[str, str]) -> None:
    assert fields(MESSAGES[name]) == expected


def test_every_message_is_pinned() -> None:
    assert set(MESSAGES) == {*PART_1_MESSAGES, *PART_2_MESSAGES}


def test_field_1_of_every_message_is_its_type() -> None:
    for name in set(MESSAGES) - PARTS - {"TopicGroup"}:
        assert describe(MESSAGES[name].fields_by_number[1]) == "1 MessageType"


def test_lists_of_numbers_are_packed() -> None:
    repeated = [field for message in MESSAGES.values() for field in message.fields if field.is_repeated]
    assert all(field.is_packed for field in repeated if field.type in (FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_ENUM))


# ------------------------------------------------------------------------------------------------------------------ bytes


def length(data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([len(data)]) + data


# 300 is ac 02 as a varint, 5 is 05.
SAMPLES: list[tuple[Message, bytes]] = [
    (pb.CoordinatorMessage(type=pb.WELCOME), b"\x08\x01"),
    (pb.MessageHeader(type=pb.TOPIC_IDENTITY_FW), b"\x08\x0c"),
    (pb.WelcomeMessage(type=pb.WELCOME, alias=5), b"\x08\x01\x10\x05"),
    (pb.WelcomeMessage(type=pb.WELCOME, alias=5, available_servers=[300, 1]), b"\x08\x01\x10\x05\x1a\x03\xac\x02\x01"),
    (pb.ConnectMessage(type=pb.CONNECT, from_alias=300, to_alias=5), b"\x08\x02\x10\xac\x02\x18\x05"),
    (pb.WebRtcMessage(type=pb.WEBRTC_OFFER, from_alias=5, to_alias=300, data=b"{}"), b"\x08\x03\x10\x05\x18\xac\x02\x22\x02{}"),
    (pb.WebRtcMessage(type=pb.WEBRTC_ANSWER, to_alias=5, data=b"{}"), b"\x08\x04\x18\x05\x22\x02{}"),
    (pb.WebRtcMessage(type=pb.WEBRTC_ICE_CANDIDATE, to_alias=5, data=b"{}"), b"\x08\x05\x18\x05\x22\x02{}"),
    (
        pb.ConnectionRefusedMessage(type=pb.CONNECTION_REFUSED, from_alias=5, to_alias=6, reason=pb.SERVER_FULL, data=b"x"),
        b"\x08\x0d\x10\x05\x18\x06\x20\x01\x2a\x01x",
    ),
    (pb.PingMessage(type=pb.PING, time=1.5), b"\x08\x06\x11" + struct.pack("<d", 1.5)),
    (pb.SubscriptionMessage(type=pb.SUBSCRIPTION, format=pb.PLAIN, topics=b"a b"), b"\x08\x07\x10\x01\x1a\x03a b"),
    (pb.SubscriptionMessage(type=pb.SUBSCRIPTION, format=pb.GZIP, topics=b"\x1f\x8b"), b"\x08\x07\x10\x02\x1a\x02\x1f\x8b"),
    (pb.AuthMessage(type=pb.AUTH, role=pb.CLIENT, body=b"token"), b"\x08\x08\x10\x01\x1a\x05token"),
    (pb.TopicMessage(type=pb.TOPIC, from_alias=5, topic="t", body=b"hi"), b"\x08\x09\x10\x05\x1a\x01t\x22\x02hi"),
    (pb.TopicFWMessage(type=pb.TOPIC_FW, from_alias=5, body=b"hi"), b"\x08\x0a\x10\x05\x1a\x02hi"),
    (
        pb.TopicIdentityMessage(type=pb.TOPIC_IDENTITY, from_alias=5, topic="t", identity=b"al", role=pb.CLIENT, body=b"hi"),
        b"\x08\x0b\x10\x05\x1a\x01t\x22\x02al\x28\x01\x32\x02hi",
    ),
    (
        pb.TopicIdentityFWMessage(type=pb.TOPIC_IDENTITY_FW, from_alias=5, identity=b"al", role=pb.CLIENT, body=b"hi"),
        b"\x08\x0c\x10\x05\x1a\x02al\x20\x01\x2a\x02hi",
    ),
    (pb.ErrorMessage(type=pb.ERROR), b"\x08\x0e"),
    # Part 2: field 100 is the tag a0 06 (varint) or a2 06 (length), 101 a8 06 or aa 06, 102 b2 06, 103 b8 06, 104 c2 06.
    (pb.WelcomeMessage(type=pb.WELCOME, resume="r", auth_required=True), b"\x08\x01\xa2\x06\x01r\xa8\x06\x01"),
    (
        pb.WelcomeMessage(
            type=pb.WELCOME, ice_servers=[pb.IceServer(urls=["a", "b"], username="u", credential="c")], ice_lifetime=300
        ),
        b"\x08\x01\xb2\x06" + length(b"\x0a\x01a\x0a\x01b\x12\x01u\x1a\x01c") + b"\xb8\x06\xac\x02",
    ),
    (pb.WelcomeMessage(type=pb.WELCOME, request_id="r"), b"\x08\x01\xc2\x06\x01r"),
    (
        pb.ConnectMessage(type=pb.CONNECT, from_role=pb.COMMUNICATION_SERVER, request_id="r"),
        b"\x08\x02\xa0\x06\x02\xaa\x06\x01r",
    ),
    (pb.ConnectionRefusedMessage(type=pb.CONNECTION_REFUSED, code=4100), b"\x08\x0d\xa0\x06\x84\x20"),
    (pb.SubscriptionMessage(type=pb.SUBSCRIPTION, version=5), b"\x08\x07\xa0\x06\x05"),
    (pb.AuthMessage(type=pb.AUTH, capabilities=[pb.BATCH, pb.SUBSCRIBE_ACK]), b"\x08\x08\xa2\x06\x02\x01\x02"),
    (pb.ErrorMessage(type=pb.ERROR, code=4300, reason="r", topic="t"), b"\x08\x0e\xa0\x06\xcc\x21\xaa\x06\x01r\xb2\x06\x01t"),
    (pb.CloseMessage(type=pb.CLOSE, code=4100, reason="r"), b"\x08\x68\x10\x84\x20\x1a\x01r"),
    (
        pb.MoveMessage(type=pb.MOVE, code=4101, reason="r", seconds=1.5),
        b"\x08\x69\x10\x85\x20\x1a\x01r\x21" + struct.pack("<d", 1.5),
    ),
    (pb.SyncMessage(type=pb.SYNC, number=300), b"\x08\x6a\x10\xac\x02"),
    (pb.SyncMessage(type=pb.SYNCED, number=5), b"\x08\x6b\x10\x05"),
    (pb.UplinkMessage(type=pb.UPLINK, hub=300, passes_on=True), b"\x08\x6c\x10\xac\x02\x18\x01"),
    (
        pb.ReadyMessage(
            type=pb.READY, alias=5, capabilities=[pb.BATCH], limits=pb.Limits(max_topics=300, packets_per_second=1.5)
        ),
        b"\x08\x64\x10\x05\x1a\x01\x01\x22" + length(b"\x18\xac\x02\x21" + struct.pack("<d", 1.5)),
    ),
    (
        pb.TopicBatchMessage(type=pb.TOPIC_BATCH, groups=[pb.TopicGroup(topic="t", from_alias=[5, 300], body=[b"hi", b""])]),
        b"\x08\x65\x12" + length(b"\x0a\x01t\x12\x03\x05\xac\x02\x1a\x02hi\x1a\x00"),
    ),
    (pb.TopicBatchFrames(type=pb.TOPIC_BATCH, groups=[b"\x0a\x01t", b""]), b"\x08\x65\x12\x03\x0a\x01t\x12\x00"),
    (
        pb.TopicGroup(identity=True, senders=[pb.Sender(alias=5, identity=b"al", role=pb.CLIENT)]),
        b"\x20\x01\x2a" + length(b"\x08\x05\x12\x02al\x18\x01"),
    ),
    (
        pb.SubscribedMessage(type=pb.SUBSCRIBED, version=5, refused=[pb.RefusedTopic(topic="t", code=4300)], refused_more=300),
        b"\x08\x66\x10\x05\x1a" + length(b"\x0a\x01t\x10\xcc\x21") + b"\x20\xac\x02",
    ),
    (
        pb.SubscriptionUpdateMessage(type=pb.SUBSCRIPTION_UPDATE, version=5, added=["a", "b"], removed=["c"]),
        b"\x08\x67\x10\x05\x1a\x01a\x1a\x01b\x22\x01c",
    ),
    (
        pb.ServerStatusMessage(type=pb.SERVER_STATUS, clients=5, max_clients=300, draining=True, cpu=0.5),
        b"\x08\x6e\x10\x05\x18\xac\x02\x20\x01\x2d" + struct.pack("<f", 0.5),
    ),
    (pb.PeerGoneMessage(type=pb.PEER_GONE, alias=300), b"\x08\x6f\x10\xac\x02"),
    (
        pb.IceServersMessage(type=pb.ICE_SERVERS, ice_servers=[pb.IceServer(urls=["a"])], ice_lifetime=300),
        b"\x08\x71\x12\x03\x0a\x01a\x18\xac\x02",
    ),
    (
        pb.PublishMessage(type=pb.PUBLISH, topic="t", body=b"hi", reliable=True, identity=b"al", role=pb.CLIENT),
        b"\x08\x72\x12\x01t\x1a\x02hi\x20\x01\x2a\x02al\x30\x01",
    ),
    (pb.RevokeMessage(type=pb.REVOKE, subject="s", until=1.5), b"\x08\x73\x12\x01s\x29" + struct.pack("<d", 1.5)),
    (pb.RevokeMessage(type=pb.REVOKE, jti="j", lifted=True), b"\x08\x73\x1a\x01j\x30\x01"),
    (pb.RevokeMessage(type=pb.REVOKE, alias=300), b"\x08\x73\x20\xac\x02"),
    (pb.DrainMessage(type=pb.DRAIN, seconds=1.5), b"\x08\x74\x11" + struct.pack("<d", 1.5)),
    (
        pb.ServerReportMessage(
            type=pb.SERVER_REPORT,
            version="v",
            uptime=1.5,
            clients=1,
            topics=2,
            subscriptions=3,
            packets_in=4,
            packets_out=5,
            bytes_in=6,
            bytes_out=7,
            records_relayed=8,
            deliveries=300,
        ),
        b"\x08\x70\x12\x01v\x19" + struct.pack("<d", 1.5) + bytes.fromhex("2001 2802 3003 3804 4005 4806 5007 5808 60ac02"),
    ),
    (
        pb.ServerReportMessage(
            type=pb.SERVER_REPORT,
            drops=[pb.ReasonCount(reason="r", count=300)],
            latency_p50=0.0,  # there, though it is the default: something was relayed
            latency_p99=0.5,
            cpu=0.25,
            memory=300,
        ),
        b"\x08\x70\x6a"
        + length(b"\x0a\x01r\x10\xac\x02")
        + b"\x71"
        + struct.pack("<d", 0.0)
        + b"\x79"
        + struct.pack("<d", 0.5)
        + b"\x81\x01"
        + struct.pack("<d", 0.25)
        + b"\x88\x01\xac\x02",
    ),
    (
        pb.ServerReportMessage(
            type=pb.SERVER_REPORT,
            links=[pb.LinkTraffic(alias=300, bytes_in=1, bytes_out=2, packets_in=3, packets_out=4)],
            busiest=[pb.TopicTraffic(topic="t", subscribers=5, records_per_second=1.5, deliveries_per_second=6.5)],
            events=[pb.PeerEvent(kind=pb.PeerEvent.REFUSED, alias=300, code=4300, role=pb.CLIENT)],
            events_lost=5,
        ),
        b"\x08\x70\x92\x01"
        + length(bytes.fromhex("08ac02 1001 1802 2003 2804"))
        + b"\x9a\x01"
        + length(b"\x0a\x01t\x10\x05\x19" + struct.pack("<d", 1.5) + b"\x21" + struct.pack("<d", 6.5))
        + b"\xa2\x01"
        + length(bytes.fromhex("0803 10ac02 18cc21 2001"))
        + b"\xa8\x01\x05",
    ),
]


@pytest.mark.parametrize(("message", "data"), SAMPLES, ids=[f"{type(m).__name__}-{data.hex()}" for m, data in SAMPLES])
def test_a_message_is_these_bytes(message: Message, data: bytes) -> None:
    assert message.SerializeToString(deterministic=True) == data
    assert type(message).FromString(data) == message


def test_every_message_that_is_sent_has_a_sample() -> None:
    assert {type(message).__name__ for message, _ in SAMPLES} == set(MESSAGES) - PARTS


def old_schema() -> dict[str, type[Message]]:
    """The messages of Part 1 as an old peer has them, without anything of Part 2."""
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    file.name, file.package = "old.proto", "old"
    kept = [message for message in file.message_type if message.name in PART_1_MESSAGES]
    for message in kept:
        old = [field for field in message.field if field.number < 100]
        del message.field[:]
        message.field.extend(old)
        for field in filter(lambda field: field.type_name, message.field):
            field.type_name = field.type_name.replace(".protocol.", ".old.")
    del file.message_type[:]
    file.message_type.extend(kept)
    return message_factory.GetMessages([file])


def test_an_old_peer_skips_what_is_new_and_reads_the_rest() -> None:
    old = old_schema()
    for message, data in SAMPLES:
        name = type(message).__name__
        if name in PART_1_MESSAGES:
            read = old[f"old.{name}"].FromString(data)
            for field in PART_1_MESSAGES[name]:
                assert getattr(read, field) == getattr(message, field)
        elif name in PART_2_MESSAGES and "type" in PART_2_MESSAGES[name]:
            assert old["old.MessageHeader"].FromString(data).type >= 100  # type: ignore[attr-defined]  # has the field
