"""Signalling frames: what each encoder writes, what the decoder refuses, and the JSON of offers, answers and candidates."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from protocol import signalling
from protocol.codes import Code, Retry
from protocol.errors import CandidateError, DecodeError, MessageTooLarge, SdpError
from protocol.ice import NO_ICE, IceGrant, IceServer
from protocol.limits import (
    MAX_ALIAS,
    MAX_ICE_TEXT_BYTES,
    MAX_ICE_URLS,
    MAX_REPORT_DROPS,
    MAX_REPORT_EVENTS,
    MAX_REPORT_LINKS,
    MAX_REPORT_TEXT_BYTES,
    MAX_REPORT_TOPICS,
    MAX_REQUEST_ID_BYTES,
    MAX_SIGNAL_BYTES,
    MAX_TOPIC_BYTES,
)
from protocol.pb import broker_pb2 as pb
from protocol.signalling import (
    END_OF_CANDIDATES,
    MAX_CANDIDATE_CHARS,
    CandidateInit,
    check_report,
    decode_signal,
    ice_grant,
    parse,
    read_candidate,
    read_description,
    refusal_code,
    request_id_of,
)

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"
LINE = "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host"


# --------------------------------------------------------------------------------------------------------- there and back


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (signalling.welcome(7, []), pb.WelcomeMessage(type=pb.WELCOME, alias=7)),
        (
            signalling.welcome(7, [3, 1, 2], resume="proof", auth_required=True),
            pb.WelcomeMessage(type=pb.WELCOME, alias=7, available_servers=[3, 1, 2], resume="proof", auth_required=True),
        ),
        (signalling.welcome(7, [], request_id="r-1"), pb.WelcomeMessage(type=pb.WELCOME, alias=7, request_id="r-1")),
        (
            signalling.welcome(7, [], ice=IceGrant((IceServer("turn:a", "me", "hush"),), 60.0)),
            pb.WelcomeMessage(
                type=pb.WELCOME,
                alias=7,
                ice_servers=[pb.IceServer(urls=["turn:a"], username="me", credential="hush")],
                ice_lifetime=60,
            ),
        ),
        (
            signalling.ice_servers(IceGrant((IceServer(["stun:a", "stun:b"]),))),
            pb.IceServersMessage(type=pb.ICE_SERVERS, ice_servers=[pb.IceServer(urls=["stun:a", "stun:b"])]),
        ),
        (signalling.connect(2), pb.ConnectMessage(type=pb.CONNECT, to_alias=2)),
        (
            signalling.connect(2, 1, pb.COMMUNICATION_SERVER, "r-1"),
            pb.ConnectMessage(type=pb.CONNECT, from_alias=1, to_alias=2, from_role=pb.COMMUNICATION_SERVER, request_id="r-1"),
        ),
        (
            signalling.refused(to_alias=1, from_alias=2, code=Code.SERVER_FULL),
            pb.ConnectionRefusedMessage(
                type=pb.CONNECTION_REFUSED, from_alias=2, to_alias=1, reason=pb.SERVER_FULL, code=Code.SERVER_FULL
            ),
        ),
        (
            signalling.server_status(clients=5, max_clients=10, draining=True, cpu=0.5),
            pb.ServerStatusMessage(type=pb.SERVER_STATUS, clients=5, max_clients=10, draining=True, cpu=0.5),
        ),
        (
            signalling.server_status(clients=0, max_clients=0, draining=False, cpu=0.0, linking=True),
            pb.ServerStatusMessage(type=pb.SERVER_STATUS, linking=True),
        ),
        (signalling.peer_gone(7), pb.PeerGoneMessage(type=pb.PEER_GONE, alias=7)),
        (
            signalling.server_report(pb.ServerReportMessage(version="1", clients=2, latency_p50=0.0)),
            pb.ServerReportMessage(type=pb.SERVER_REPORT, version="1", clients=2, latency_p50=0.0),
        ),
    ],
)
def test_a_frame_decodes_to_what_it_says(frame: bytes, message: signalling.Signal) -> None:
    assert decode_signal(frame) == message


@pytest.mark.parametrize(
    ("frame", "kind", "text"),
    [
        (signalling.offer(2, SDP, 1), pb.WEBRTC_OFFER, {"type": "offer", "sdp": SDP}),
        (signalling.answer(2, SDP, 1), pb.WEBRTC_ANSWER, {"type": "answer", "sdp": SDP}),
        (
            signalling.candidate(2, CandidateInit(LINE, "0", 0, "ufrag"), 1),
            pb.WEBRTC_ICE_CANDIDATE,
            {"candidate": LINE, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "ufrag"},
        ),
    ],
)
def test_webrtc_frames_carry_json(frame: bytes, kind: pb.MessageType, text: dict[str, Any]) -> None:
    message = decode_signal(frame)
    assert isinstance(message, pb.WebRtcMessage)
    assert (message.type, message.from_alias, message.to_alias) == (kind, 1, 2)
    assert json.loads(message.data) == text


def test_an_offer_reads_back() -> None:
    message = pb.WebRtcMessage.FromString(signalling.offer(2, SDP + "a=tool:ü\u2028\r\n"))
    assert (message.from_alias, message.to_alias) == (0, 2)
    assert read_description(message.data, "offer") == SDP + "a=tool:ü\u2028\r\n"


@pytest.mark.parametrize(
    "init", [END_OF_CANDIDATES, CandidateInit(LINE), CandidateInit(LINE, "", 0, None), CandidateInit(LINE, "1", 65_535, "u")]
)
def test_a_candidate_reads_back(init: CandidateInit) -> None:
    message = pb.WebRtcMessage.FromString(signalling.candidate(2, init))
    assert (message.from_alias, message.to_alias) == (0, 2)
    assert read_candidate(message.data) == init


# ------------------------------------------------------------------------------------------------------------------- reports

UINT32, UINT64 = 2**32 - 1, 2**64 - 1
LARGEST = pb.ServerReportMessage(
    version="v" * MAX_REPORT_TEXT_BYTES,
    uptime=1e9,
    clients=UINT32,
    topics=UINT32,
    subscriptions=UINT32,
    packets_in=UINT64,
    packets_out=UINT64,
    bytes_in=UINT64,
    bytes_out=UINT64,
    records_relayed=UINT64,
    deliveries=UINT64,
    memory=UINT64,
    events_lost=UINT32,
    drops=[pb.ReasonCount(reason="r" * MAX_REPORT_TEXT_BYTES, count=UINT64)] * MAX_REPORT_DROPS,
    latency_p50=1.0,
    latency_p99=1.0,
    cpu=1.0,
    links=[pb.LinkTraffic(alias=UINT64, bytes_in=UINT64, bytes_out=UINT64, packets_in=UINT64, packets_out=UINT64)]
    * MAX_REPORT_LINKS,
    busiest=[pb.TopicTraffic(topic="t" * MAX_TOPIC_BYTES, subscribers=UINT32, records_per_second=1e9, deliveries_per_second=1e12)]
    * MAX_REPORT_TOPICS,
    events=[pb.PeerEvent(kind=pb.PeerEvent.REFUSED, alias=UINT64, code=UINT32, role=pb.COMMUNICATION_SERVER_HUB)]
    * MAX_REPORT_EVENTS,
)


def test_the_largest_report_leaves_room_in_a_frame() -> None:
    frame = signalling.server_report(LARGEST)
    assert decode_signal(frame) == LARGEST
    assert len(frame) < MAX_SIGNAL_BYTES * 3 / 4
    assert max(link.ByteSize() for link in LARGEST.links) <= 64


def with_more(more: pb.ServerReportMessage) -> pb.ServerReportMessage:
    """The largest report with `more` put into it."""
    report = pb.ServerReportMessage.FromString(LARGEST.SerializeToString())
    report.MergeFrom(more)
    return report


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        (with_more(pb.ServerReportMessage(drops=[pb.ReasonCount()])), "drops are 33, at most 32"),
        (with_more(pb.ServerReportMessage(links=[pb.LinkTraffic()])), "links are 513, at most 512"),
        (with_more(pb.ServerReportMessage(busiest=[pb.TopicTraffic()])), "busiest are 11, at most 10"),
        (with_more(pb.ServerReportMessage(events=[pb.PeerEvent()])), "events are 51, at most 50"),
        (with_more(pb.ServerReportMessage(version="ä" * 33)), "version in the report has 66 bytes, at most 64"),
        (pb.ServerReportMessage(drops=[pb.ReasonCount(reason="x" * 65)]), "reason in the report has 65 bytes, at most 64"),
        (pb.ServerReportMessage(busiest=[pb.TopicTraffic(topic="x" * 257)]), "topic in the report has 257 bytes, at most 256"),
        (pb.ServerReportMessage(uptime=-1.0), "uptime is -1.0"),
        (pb.ServerReportMessage(latency_p50=math.nan), "latency_p50 is nan"),
        (pb.ServerReportMessage(latency_p99=math.inf), "latency_p99 is inf"),
        (pb.ServerReportMessage(cpu=-0.5), "cpu is -0.5"),
        (pb.ServerReportMessage(busiest=[pb.TopicTraffic(records_per_second=math.inf)]), "records_per_second is inf"),
        (pb.ServerReportMessage(busiest=[pb.TopicTraffic(deliveries_per_second=math.inf)]), "deliveries_per_second is inf"),
    ],
)
def test_a_report_over_its_limits_is_refused(report: pb.ServerReportMessage, problem: str) -> None:
    with pytest.raises(DecodeError, match=problem):
        check_report(report)
    with pytest.raises(DecodeError, match=problem):
        signalling.server_report(report)


def test_a_report_is_told_from_one_that_measured_nothing() -> None:
    report = decode_signal(signalling.server_report(pb.ServerReportMessage()))
    assert isinstance(report, pb.ServerReportMessage)
    assert not report.HasField("latency_p50")
    assert not report.HasField("latency_p99")


# ------------------------------------------------------------------------------------------------------------ what is refused


def test_a_frame_over_the_limit_is_not_read() -> None:
    fits = pb.WebRtcMessage(type=pb.WEBRTC_OFFER, data=b"x" * (MAX_SIGNAL_BYTES - 6)).SerializeToString()
    assert len(fits) == MAX_SIGNAL_BYTES
    assert decode_signal(fits) is not None
    with pytest.raises(MessageTooLarge, match="signalling frame of 65537 bytes, at most 65536"):
        decode_signal(fits + b"x")


@pytest.mark.parametrize(
    "frame", [b"", b"\x10\x01", b"\x08", b"\xff", b"\x08\x01\x12\x05", b"\x08\x02\x12\x01a\x00", b'{"type": 1}', b"\x0b" * 200]
)
def test_what_is_no_frame(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_signal(frame)


@pytest.mark.parametrize("kind", [0, 6, 7, 8, 9, 10, 11, 12, 14, 100, 101, 102, 103, 104, 105])
def test_packets_do_not_belong_to_signalling(kind: int) -> None:
    with pytest.raises(DecodeError, match=f"message type {kind} does not belong to signalling"):
        decode_signal(pb.CoordinatorMessage(type=kind).SerializeToString())  # type: ignore[arg-type]  # any number


@pytest.mark.parametrize("kind", [15, 99, 109, 117, 127, 128, 2**31 - 1, -1])
def test_a_type_never_heard_of_is_skipped(kind: int) -> None:
    assert decode_signal(pb.CoordinatorMessage(type=kind).SerializeToString() + b"\x12\x01x") is None  # type: ignore[arg-type]  # any number


def test_fields_never_heard_of_are_skipped() -> None:
    message = decode_signal(signalling.connect(2) + b"\xc2\x3e\x03new")
    assert isinstance(message, pb.ConnectMessage)
    assert message.to_alias == 2


@pytest.mark.parametrize("kind", [pb.WelcomeMessage, pb.ConnectMessage])
@pytest.mark.parametrize("text", ["0", "a" * MAX_REQUEST_ID_BYTES, "0f8fad5b-d9cb-469f-a165-70867728950e", "a.B_9"])
def test_a_join_may_have_a_name(kind: type[pb.WelcomeMessage | pb.ConnectMessage], text: str) -> None:
    assert request_id_of(kind(request_id=text)) == text


@pytest.mark.parametrize("kind", [pb.WelcomeMessage, pb.ConnectMessage])
@pytest.mark.parametrize("text", ["", "a" * (MAX_REQUEST_ID_BYTES + 1), "a b", "a\n", "\na", "ä", "a/b", "\u0663", "\x1b[31m"])
def test_a_name_that_may_not_stand_in_a_log_is_none(kind: type[pb.WelcomeMessage | pb.ConnectMessage], text: str) -> None:
    assert request_id_of(kind(request_id=text)) == ""


def test_parse_names_what_it_expected() -> None:
    with pytest.raises(DecodeError, match="not a WelcomeMessage"):
        parse(pb.WelcomeMessage, b"\xff")


# --------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("code", Code)
def test_a_refusal_keeps_its_code_and_sends_an_old_client_the_right_way(code: Code) -> None:
    message = pb.ConnectionRefusedMessage.FromString(signalling.refused(1, 2, code))
    assert refusal_code(message) == code
    assert message.reason == (pb.AUTH_FAILED if code.retry is Retry.NEVER else pb.SERVER_FULL)


@pytest.mark.parametrize(
    ("reason", "code"), [(0, Code.SERVER_FULL), (1, Code.SERVER_FULL), (2, Code.AUTH_FAILED), (3, Code.SERVER_FULL)]
)
def test_a_refusal_of_an_old_server_has_a_code_too(reason: int, code: Code) -> None:
    message = pb.ConnectionRefusedMessage(type=pb.CONNECTION_REFUSED, reason=reason)  # type: ignore[arg-type]  # 3: one to come
    assert refusal_code(message) == code


def test_a_refusal_may_have_a_code_never_heard_of() -> None:
    assert refusal_code(pb.ConnectionRefusedMessage(code=4199)) == 4199


# ------------------------------------------------------------------------------------------------------------- descriptions


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"v=0\r\n",
        b"\xff\xfe\xfd",
        b"null",
        b"[]",
        b'"offer"',
        b"1" * 5_000,
        b"[" * 50_000,
        b'{"type":"offer","sdp":' + b"[" * 50_000,
        b'{"sdp":"v=0"}',
        b'{"type":null,"sdp":"v=0"}',
        b'{"type":"answer","sdp":"v=0"}',
        b'{"type":["offer"],"sdp":"v=0"}',
        b'{"type":"offer"}',
        b'{"type":"offer","sdp":""}',
        b'{"type":"offer","sdp":null}',
        b'{"type":"offer","sdp":NaN}',
        b'{"type":"offer","sdp":["v=0"]}',
        b'{"type":"offer","sdp":"\\ud800"}',
        b'{"type":"offer","sdp":"v=0","sdp":5}',
    ],
)
def test_what_is_no_offer(data: bytes) -> None:
    with pytest.raises(SdpError) as caught:
        read_description(data, "offer")
    assert caught.value.code is Code.BAD_SDP
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def test_a_description_may_have_more_members() -> None:
    assert read_description(b'\xef\xbb\xbf {"x": NaN, "type": "answer", "sdp": "v=0", "sdpMid": 1e999}\n', "answer") == "v=0"


# --------------------------------------------------------------------------------------------------------------- candidates


@pytest.mark.parametrize(
    ("text", "init"),
    [
        ("{}", CandidateInit("")),
        ('{"candidate":null,"sdpMid":null,"sdpMLineIndex":null,"usernameFragment":null}', CandidateInit("")),
        ('{"candidate":"","sdpMid":"","usernameFragment":""}', CandidateInit("", "")),
        (f'{{"candidate":"{LINE}","sdpMid":"","sdpMLineIndex":0,"usernameFragment":null}}', CandidateInit(LINE, "", 0)),
        (f'{{"candidate":"{LINE}","sdpMLineIndex":65535,"foundation":7}}', CandidateInit(LINE, None, 65_535)),
    ],
)
def test_missing_and_null_members_are_the_same(text: str, init: CandidateInit) -> None:
    assert read_candidate(text.encode()) == init


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        f'"{LINE}"',
        '{"candidate":5}',
        '{"candidate":["x"]}',
        '{"candidate":"\\udc00"}',
        '{"sdpMid":0}',
        '{"sdpMid":"\\ud800"}',
        '{"usernameFragment":true}',
        '{"usernameFragment":"\\ud800x"}',
        '{"sdpMLineIndex":"0"}',
        '{"sdpMLineIndex":true}',
        '{"sdpMLineIndex":0.0}',
        '{"sdpMLineIndex":-1}',
        '{"sdpMLineIndex":65536}',
        '{"sdpMLineIndex":1e999}',
        '{"sdpMLineIndex":' + "9" * 4_000 + "}",
        '{"candidate":"' + "x" * (MAX_CANDIDATE_CHARS + 1) + '"}',
        '{"sdpMid":"' + "x" * (MAX_CANDIDATE_CHARS + 1) + '"}',
        '{"usernameFragment":"' + "x" * (MAX_CANDIDATE_CHARS + 1) + '"}',
    ],
)
def test_what_is_no_candidate(text: str) -> None:
    with pytest.raises(CandidateError) as caught:
        read_candidate(text.encode())
    assert caught.value.code is Code.BAD_CANDIDATE
    assert len(str(caught.value)) < 200


def test_the_longest_candidate() -> None:
    assert read_candidate(b'{"candidate":"' + b"x" * MAX_CANDIDATE_CHARS + b'"}').candidate == "x" * MAX_CANDIDATE_CHARS


# ------------------------------------------------------------------------------------------------------------ ICE servers


GRANTS = [
    NO_ICE,
    IceGrant((IceServer("stun:a"),)),
    IceGrant((IceServer(["stun:a", "stun:b"]), IceServer(["turn:c", "turns:c"], "1:me", "hush")), 3600.0),
]


@pytest.mark.parametrize("grant", GRANTS)
def test_ice_servers_read_back(grant: IceGrant) -> None:
    for frame in (signalling.welcome(7, [1, 2], resume="proof", ice=grant), signalling.ice_servers(grant)):
        message = decode_signal(frame)
        assert isinstance(message, pb.WelcomeMessage | pb.IceServersMessage)
        assert ice_grant(message) == grant


def test_a_welcome_without_ice_servers_is_what_it_always_was() -> None:
    assert signalling.welcome(7, [3], resume="r", ice=NO_ICE) == signalling.welcome(7, [3], resume="r")


def test_ice_servers_that_cannot_be_used_are_passed_over() -> None:
    long = "x" * (MAX_ICE_TEXT_BYTES + 1)
    message = pb.IceServersMessage(
        type=pb.ICE_SERVERS,
        ice_servers=[
            pb.IceServer(urls=["quic:a", "turn:a", ""], username="me", credential="hush"),
            pb.IceServer(urls=["quic:b"]),
            pb.IceServer(),
            pb.IceServer(urls=["turn:c"], username=long, credential="hush"),
            pb.IceServer(urls=["turn:c"], username="me", credential=long),
            pb.IceServer(urls=["stun:d"]),
        ],
    )
    assert ice_grant(message) == IceGrant((IceServer("turn:a", "me", "hush"), IceServer("stun:d")))


def test_no_more_ice_servers_are_taken_than_there_may_be() -> None:
    many = [pb.IceServer(urls=[f"stun:a{n}", f"stun:b{n}", f"stun:c{n}"]) for n in range(MAX_ICE_URLS)]
    grant = ice_grant(pb.WelcomeMessage(ice_servers=many))
    assert [len(server.urls) for server in grant.servers] == [3, 3, 3, 3, 3, 1]


def test_the_largest_welcome_there_can_be_fits_a_frame() -> None:
    urls = ["turn:" + "a" * (MAX_ICE_TEXT_BYTES - 5)] * MAX_ICE_URLS
    grant = IceGrant((IceServer(urls, "u" * MAX_ICE_TEXT_BYTES, "c" * MAX_ICE_TEXT_BYTES),), 3600.0)
    frame = signalling.welcome(MAX_ALIAS, range(MAX_ALIAS - 5_000, MAX_ALIAS), resume="p" * 64, auth_required=True, ice=grant)
    assert len(frame) < MAX_SIGNAL_BYTES
