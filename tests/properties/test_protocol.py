"""What holds of the protocol for any input: decoders raise nothing but their own error, and what is written reads back."""

from __future__ import annotations

import contextlib
import gzip as standard_gzip
import json
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message
from hypothesis import example, given
from hypothesis import strategies as st

from protocol import operations, packets, signalling
from protocol.batch import SenderIdentity, batch, decode_group, frame_of, group_frame
from protocol.codes import Code, Retry, describe, retry_verdict
from protocol.errors import ProtocolError, TopicError
from protocol.ice import IceGrant, IceServer, parse_ice_url
from protocol.limits import (
    MAX_ALIAS,
    MAX_DRAIN_S,
    MAX_ICE_TEXT_BYTES,
    MAX_REASON_BYTES,
    MAX_REPORT_TEXT_BYTES,
    MAX_TOPIC_BYTES,
    PeerLimits,
)
from protocol.operations import check_drain, check_publish, check_revoke
from protocol.packets import check_move, decode_packet, gunzip, gzip, subscription_topics
from protocol.pb import broker_pb2 as pb
from protocol.signalling import (
    CandidateInit,
    check_report,
    decode_signal,
    ice_grant,
    read_candidate,
    read_description,
    refusal_code,
    request_id_of,
)
from protocol.text import cut, is_unicode
from protocol.topics import PatternSet, check_topic
from tests.support.strategies import any_text, json_values

# ---------------------------------------------------------------------------------------------------------------- what is fed

uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
bodies = st.binary(max_size=50)
codes = st.sampled_from(Code)
roles = st.sampled_from([pb.UNKNOWN_ROLE, pb.CLIENT, pb.COMMUNICATION_SERVER, pb.COMMUNICATION_SERVER_HUB])
capabilities = st.lists(st.sampled_from([pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS, pb.SUBSCRIPTION_UPDATES, pb.MOVES, pb.UPLINKS]))

# Few characters, so that topics and patterns meet; all the special ones among them.
segments = st.sampled_from(["", "a", "b", "*", "**", "a*"])
slashed = st.lists(segments, min_size=1, max_size=5).map("/".join)


def is_topic(text: str) -> bool:
    try:
        return check_topic(text) == text
    except TopicError:
        return False


def is_pattern(text: str) -> bool:
    try:
        return PatternSet([text]) is not None
    except TopicError:
        return False


topics = slashed.filter(is_topic)
patterns = slashed.filter(is_pattern)

candidates = st.builds(
    CandidateInit, texts, st.none() | texts, st.none() | st.integers(0, 65_535), st.none() | texts.filter(bool)
)
senders = st.builds(SenderIdentity, uint64, bodies, roles)
records = st.lists(st.tuples(uint64, bodies), min_size=1, max_size=5)

measures = st.floats(0.0, allow_infinity=False)
names = texts.filter(bool)
seconds = st.floats(0.0, MAX_DRAIN_S)
reports = st.builds(
    pb.ServerReportMessage,
    version=texts.filter(lambda text: len(text.encode()) <= MAX_REPORT_TEXT_BYTES),
    uptime=measures,
    clients=uint32,
    packets_in=uint64,
    drops=st.lists(st.builds(pb.ReasonCount, reason=st.sampled_from(["stale", "queue full"]), count=uint64), max_size=3),
    latency_p50=st.none() | measures,
    cpu=measures,
    links=st.lists(st.builds(pb.LinkTraffic, alias=uint64, bytes_in=uint64), max_size=3),
    busiest=st.lists(st.builds(pb.TopicTraffic, topic=slashed, records_per_second=measures), max_size=3),
    events=st.lists(st.builds(pb.PeerEvent, alias=uint64, code=uint32, role=roles), max_size=3),
    events_lost=uint32,
)
hosts = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True) | st.ip_addresses(v=4).map(str)
ports = st.just("") | st.integers(1, 65_535).map(":{}".format)
turn_transports = st.sampled_from(["", "?transport=udp", "?transport=tcp"])
ice_urls = st.builds("{}:{}{}".format, st.sampled_from(["stun", "stuns"]), hosts, ports) | st.builds(
    "{}:{}{}{}".format,
    st.sampled_from(["turn", "turns"]),
    hosts | st.ip_addresses(v=6).map("[{}]".format),
    ports,
    turn_transports,
)
ice_texts = texts.filter(lambda text: len(text.encode()) <= MAX_ICE_TEXT_BYTES)
grants = st.builds(
    IceGrant,
    st.lists(st.builds(IceServer, st.lists(ice_urls, min_size=1, max_size=3), ice_texts, ice_texts), max_size=4).map(tuple),
    st.none() | st.integers(1, 2**32 - 1).map(float),
)
signals = st.one_of(
    st.builds(
        signalling.welcome, uint64, st.lists(uint64), resume=texts, auth_required=st.booleans(), ice=grants, request_id=texts
    ),
    grants.map(signalling.ice_servers),
    st.builds(signalling.connect, uint64, uint64, roles, texts),
    st.builds(signalling.offer, uint64, texts, uint64),
    st.builds(signalling.answer, uint64, texts, uint64),
    st.builds(signalling.candidate, uint64, candidates, uint64),
    st.builds(signalling.refused, uint64, uint64, codes),
    st.builds(signalling.server_status, clients=uint32, max_clients=uint32, draining=st.booleans(), cpu=st.floats(width=32)),
    st.builds(signalling.peer_gone, uint64),
    reports.map(signalling.server_report),
    st.builds(operations.publish, topics, bodies, reliable=st.booleans(), identity=bodies, role=roles),
    st.builds(operations.revoke, subject=names, until=measures.filter(bool)),
    st.builds(operations.revoke, jti=names, until=measures.filter(bool)),
    st.builds(operations.lift, jti=names),
    st.builds(operations.disconnect, subject=names),
    st.builds(operations.disconnect, alias=st.integers(1, MAX_ALIAS)),
    st.builds(operations.drain, seconds),
)


@st.composite
def group_frames(draw: st.DrawFn) -> bytes:
    drawn = draw(records)
    return group_frame(
        draw(texts), [alias for alias, _ in drawn], [body for _, body in drawn], draw(st.lists(senders, max_size=2))
    )


batches = st.lists(group_frames(), max_size=4).map(batch)
subscriptions = st.builds(packets.subscription, st.lists(slashed), version=uint64, gzip_over=st.none() | st.integers(0, 20))
limits = st.builds(PeerLimits, uint32, uint32, uint32, st.floats(), uint32)
data_packets = st.one_of(
    batches,
    subscriptions,
    st.builds(packets.ping, st.floats()),
    st.builds(packets.auth, roles, texts, capabilities),
    st.builds(packets.ready, uint64, capabilities, limits),
    st.builds(packets.topic, texts, bodies, uint64),
    st.builds(packets.topic_fw, uint64, bodies),
    st.builds(packets.topic_identity, texts, bodies, uint64, bodies, roles),
    st.builds(packets.topic_identity_fw, uint64, bodies, roles, bodies),
    st.builds(packets.error, codes, texts, texts),
    st.builds(packets.close, codes, texts),
    st.builds(packets.move, codes, seconds, texts),
    st.builds(packets.subscribed, uint64, st.lists(st.tuples(texts, codes))),
    st.builds(packets.subscription_update, uint64, st.lists(texts), st.lists(texts)),
)


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """Something valid with some bytes changed, cut out or put in, or two of it spliced: it gets further than noise does."""
    data = bytearray(draw(valid))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 3)))
        data[start:end] = draw(st.binary(max_size=3) | valid)
    return bytes(data)


def json_objects(*members: str, values: st.SearchStrategy[Any] = json_values) -> st.SearchStrategy[bytes]:
    """JSON objects of some of these members with any values at all, as bytes."""
    return st.dictionaries(st.sampled_from(members), values).map(lambda value: json.dumps(value).encode())


def only_protocol_errors(decode: Callable[[], object]) -> None:
    try:
        decode()
    except ProtocolError as raised:
        error = raised
    else:
        return
    assert str(error).isprintable()
    # It can be told: the answer is a message that reads back.
    assert decode_packet(packets.error(error.code, error.detail)) is not None


# -------------------------------------------------------------------------------------------------- decoders on anything at all


def decode_everything(data: bytes) -> None:
    """Decode a packet and what is in it, as a server that takes it from a client and one that takes it from a server."""
    packet = decode_packet(data)
    if isinstance(packet, pb.SubscriptionMessage):
        subscription_topics(packet)
    elif isinstance(packet, pb.MoveMessage):
        check_move(packet)
    elif isinstance(packet, pb.TopicBatchFrames):
        for from_server in (True, False):
            for group in packet.groups:
                decode_group(group, from_server=from_server)


@given(st.binary() | mutated(data_packets))
@example(b"\x08\x65\x12" + bytes([200, 1]) + b"\x0b" * 100 + b"\x0c" * 100)
def test_packets_of_any_bytes(data: bytes) -> None:
    only_protocol_errors(lambda: decode_everything(data))


@given(st.binary() | mutated(signals))
def test_signals_of_any_bytes(frame: bytes) -> None:
    def decode() -> None:
        signal = decode_signal(frame)
        if isinstance(signal, pb.ConnectionRefusedMessage):
            describe(refusal_code(signal))
        elif isinstance(signal, pb.ServerReportMessage):
            check_report(signal)
        elif isinstance(signal, pb.PublishMessage):
            check_publish(signal)
        elif isinstance(signal, pb.RevokeMessage):
            check_revoke(signal)
        elif isinstance(signal, pb.DrainMessage):
            check_drain(signal)
        elif isinstance(signal, pb.WelcomeMessage | pb.ConnectMessage):
            assert request_id_of(signal).isascii()

    only_protocol_errors(decode)


@given(
    st.binary()
    | json_objects("type", "sdp", values=json_values | st.just("offer"))
    | mutated(st.just(b'{"type":"offer","sdp":"v=0"}'))
)
def test_descriptions_of_any_bytes(data: bytes) -> None:
    def decode() -> None:
        assert is_unicode(read_description(data, "offer"))

    only_protocol_errors(decode)


@given(st.binary() | json_objects("candidate", "sdpMid", "sdpMLineIndex", "usernameFragment", "x"))
def test_candidates_of_any_bytes(data: bytes) -> None:
    def decode() -> None:
        init = read_candidate(data)
        # What was read can be sent on, and says the same.
        message = pb.WebRtcMessage.FromString(signalling.candidate(1, init))
        assert read_candidate(message.data) == init
        assert is_unicode("".join(filter(None, (init.candidate, init.sdp_mid, init.username_fragment))))

    only_protocol_errors(decode)


@given(st.binary() | mutated(st.binary().map(gzip)), st.integers(0, 100))
def test_gunzip_of_any_bytes(data: bytes, max_bytes: int) -> None:
    def decode() -> None:
        assert len(gunzip(data, max_bytes)) <= max_bytes

    only_protocol_errors(decode)


@given(any_text)
def test_topics_of_any_text(text: str) -> None:
    only_protocol_errors(lambda: check_topic(text))
    only_protocol_errors(lambda: PatternSet([text]))


# ---------------------------------------------------------------------------------------------------------- there and back


def same(one: Message | None, other: Message | None) -> bool:
    """Equal, or equal but for a NaN, which equals nothing."""
    return one == other or (one is not None and other is not None and repr(one) == repr(other))


@given(data_packets)
def test_a_packet_reads_back_and_is_written_the_same(data: bytes) -> None:
    packet = decode_packet(data)
    assert packet is not None
    assert packet.SerializeToString() == data
    assert same(decode_packet(packet.SerializeToString()), packet)


@given(signals)
def test_a_signal_reads_back_and_is_written_the_same(frame: bytes) -> None:
    signal = decode_signal(frame)
    assert signal is not None
    assert signal.SerializeToString() == frame


@given(data_packets)
def test_the_order_of_fields_does_not_matter(data: bytes) -> None:
    """The type comes first from every encoder we know, and is found wherever it is."""
    assert same(decode_packet(data[2:] + data[:2]), decode_packet(data))


@given(st.lists(slashed.filter(bool)), st.none() | st.integers(0, 20))
def test_a_subscription_set_reads_back(names: list[str], gzip_over: int | None) -> None:
    packet = decode_packet(packets.subscription(names, gzip_over=gzip_over))
    assert isinstance(packet, pb.SubscriptionMessage)
    assert subscription_topics(packet) == names


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=5), st.integers(0, 9))
def test_members_of_any_gzip_are_one_text(members: list[bytes], level: int) -> None:
    zipped, text = b"".join(standard_gzip.compress(member, level) for member in members), b"".join(members)
    assert gunzip(zipped, len(text)) == standard_gzip.decompress(zipped) == text


@given(texts, st.sampled_from(["offer", "answer"]))
def test_a_description_reads_back(sdp: str, kind: str) -> None:
    frame = (signalling.offer if kind == "offer" else signalling.answer)(1, "v=0" + sdp)
    assert read_description(pb.WebRtcMessage.FromString(frame).data, kind) == "v=0" + sdp


@given(grants)
def test_ice_servers_read_back(grant: IceGrant) -> None:
    message = decode_signal(signalling.ice_servers(grant))
    assert isinstance(message, pb.IceServersMessage)
    assert ice_grant(message) == grant


@given(any_text | st.builds("{}{}".format, ice_urls, any_text))
def test_a_url_of_an_ice_server_is_one_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        url = parse_ice_url(text)
        assert 0 < url.port < 65_536
        assert url.host
        assert parse_ice_url(url.text) == url


@given(any_text, st.integers(0, 60))
def test_a_cut_text_is_the_beginning_and_fits(text: str, max_bytes: int) -> None:
    left = cut(text, max_bytes)
    assert len(left.encode()) <= max_bytes
    assert text.encode(errors="replace").decode().startswith(left)
    assert len(left.encode()) > max_bytes - 4 or left == text.encode(errors="replace").decode()


@given(codes, st.text(st.characters(), max_size=2_000), st.text(st.characters(), max_size=2_000))
def test_any_error_can_be_told(code: Code, reason: str, name: str) -> None:
    message = pb.ErrorMessage.FromString(packets.error(code, reason, name))
    assert Code(message.code) is code
    assert message.reason
    assert len(message.reason.encode()) <= MAX_REASON_BYTES
    assert len(message.topic.encode()) <= MAX_TOPIC_BYTES


# ----------------------------------------------------------------------------------------------------------------- batches


@given(st.lists(group_frames(), max_size=6), st.data())
def test_joined_frames_are_repeated_fields(frames: list[bytes], data: st.DataObject) -> None:
    """However the frames are told apart, joined and joined again, receivers read the groups one after the other."""
    alone = [pb.TopicBatchMessage.FromString(batch([frame])).groups[0] for frame in frames]
    split = data.draw(st.integers(0, len(frames)))
    assert list(pb.TopicBatchMessage.FromString(batch(frames)).groups) == alone
    assert list(pb.TopicBatchMessage.FromString(batch(frames[:split]) + b"".join(frames[split:])).groups) == alone
    packet = decode_packet(batch(frames))
    assert isinstance(packet, pb.TopicBatchFrames)
    assert [frame_of(group) for group in packet.groups] == frames
    assert [decode_group(group, from_server=True) for group in packet.groups] == alone


# ---------------------------------------------------------------------------------------------------------------- patterns


def matches(pattern: str, topic: str) -> bool:
    """What the grammar says, word by word."""
    last = pattern.rpartition("/")[2]
    if last not in ("*", "**"):
        return topic == pattern
    start = pattern[: -len(last)]
    rest = topic[len(start) :]
    return topic.startswith(start) and rest != "" and (last == "**" or "/" not in rest)


@given(st.lists(patterns, max_size=4), topics)
def test_a_pattern_set_matches_as_the_grammar_says(chosen: Sequence[str], topic: str) -> None:
    assert (topic in PatternSet(chosen)) == any(matches(pattern, topic) for pattern in chosen)


@given(st.lists(patterns), st.randoms())
def test_the_order_of_patterns_does_not_matter(chosen: list[str], random: Any) -> None:
    shuffled = list(chosen)
    random.shuffle(shuffled)
    assert PatternSet(chosen) == PatternSet(shuffled)
    assert hash(PatternSet(chosen)) == hash(PatternSet(shuffled))


@given(texts)
def test_a_topic_survives_a_subscription_set(text: str) -> None:
    if is_topic(text):
        packet = decode_packet(packets.subscription([text, text]))
        assert isinstance(packet, pb.SubscriptionMessage)
        assert subscription_topics(packet) == [text, text]


# ------------------------------------------------------------------------------------------------------------------- codes


@given(st.integers())
def test_any_number_has_a_verdict_and_a_description(code: int) -> None:
    assert describe(code).startswith(f"{code} ")
    assert describe(code).endswith(f"({retry_verdict(code).value})")
    if not 4_100 <= code < 4_400:
        assert retry_verdict(code) is Retry.SAME
