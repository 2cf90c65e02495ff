"""Limits: that they agree with each other and with the programs they were made for."""

from __future__ import annotations

import inspect

from aiohttp import web_protocol

from protocol import limits, packets, signalling
from protocol.batch import BATCH_HEADER_BYTES, SenderIdentity, group_frame
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import MAX_SUBJECT_BYTES


def test_every_alias_is_six_bytes_and_exact_in_javascript() -> None:
    assert limits.MAX_ALIAS < 2**53
    assert len(pb.PeerGoneMessage(alias=limits.MAX_ALIAS).SerializeToString()) == 1 + 6
    assert len(pb.PeerGoneMessage(alias=limits.MAX_ALIAS + 1).SerializeToString()) == 1 + 7


def test_the_largest_token_fits_the_request_that_brings_it() -> None:
    line = inspect.signature(web_protocol.RequestHandler).parameters["max_line_size"].default
    rest = "GET /discover?role=COMMUNICATION_SERVER_HUB&v=2&alias=4398046511103&access_token= HTTP/1.1" + "&resume=" + "x" * 64
    assert limits.MAX_TOKEN_BYTES + len(rest) + 512 <= line


def test_the_largest_token_fits_auth() -> None:
    auth = packets.auth(pb.CLIENT, "x" * limits.MAX_TOKEN_BYTES, [pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS])
    assert len(auth) <= limits.MAX_MESSAGE_BYTES


def test_a_welcome_for_an_old_client_lists_hundreds_of_servers() -> None:
    welcome = signalling.welcome(limits.MAX_ALIAS, [limits.MAX_ALIAS] * 500, resume="x" * 64, auth_required=True)
    assert len(welcome) <= limits.OLD_PEER_SIGNAL_BYTES


def test_answers_to_the_worst_request_fit_a_message() -> None:
    assert len(packets.error(Code.BAD_TOPIC, "x" * 2**20, "y" * 2**20)) <= limits.OLD_CLIENT_MESSAGE_BYTES
    assert len(packets.close(Code.BAD_TOPIC, "x" * 2**20)) <= limits.OLD_CLIENT_MESSAGE_BYTES
    refused = [("x" * limits.MAX_TOPIC_BYTES, Code.NOT_ALLOWED)] * limits.MAX_TOPICS
    assert len(packets.subscribed(1, refused)) <= limits.MAX_MESSAGE_BYTES


def test_an_unreliable_batch_has_room_for_the_longest_topic_and_a_record() -> None:
    frame = group_frame("t" * limits.MAX_TOPIC_BYTES, [limits.MAX_ALIAS], [b"x" * 500])
    assert BATCH_HEADER_BYTES + len(frame) <= limits.UNRELIABLE_BATCH_BYTES


def test_what_a_peer_may_do_by_default_is_what_we_say_everywhere() -> None:
    told = limits.PeerLimits()
    assert (told.max_message_bytes, told.max_topic_bytes, told.max_topics) == (
        limits.MAX_CLIENT_MESSAGE_BYTES,
        limits.MAX_TOPIC_BYTES,
        limits.MAX_TOPICS,
    )
    assert (told.packets_per_second, told.packets_burst) == (0.0, 0)


def test_the_largest_packet_of_a_client_can_be_passed_on_with_everything_a_server_adds() -> None:
    topic = "t" * limits.MAX_TOPIC_BYTES
    fixed = len(packets.topic_identity(topic, b"")) + 2  # the length of a long body takes two bytes more
    body = b"x" * (limits.MAX_CLIENT_MESSAGE_BYTES - fixed - 2)
    assert limits.MAX_CLIENT_MESSAGE_BYTES - 4 <= len(packets.topic_identity(topic, body)) <= limits.MAX_CLIENT_MESSAGE_BYTES
    sender = SenderIdentity(limits.MAX_ALIAS, b"s" * MAX_SUBJECT_BYTES, pb.CLIENT)
    frame = group_frame(topic, [limits.MAX_ALIAS], [body], [sender], identity=True)
    assert BATCH_HEADER_BYTES + len(frame) <= limits.MAX_MESSAGE_BYTES
