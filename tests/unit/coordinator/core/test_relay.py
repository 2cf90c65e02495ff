"""Signalling between peers: what goes where, and what becomes of the rest."""

from __future__ import annotations

import math

import pytest

from coordinator.core.relay import destination_problem
from protocol import signalling
from protocol.codes import Code
from protocol.limits import MAX_CANDIDATES, MAX_ERRORS, MAX_SIGNAL_BYTES, OLD_PEER_SIGNAL_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.signalling import CandidateInit
from tests.support.coordination import FakePeer, World

RELAYED = (pb.CONNECT, pb.WEBRTC_OFFER, pb.WEBRTC_ANSWER, pb.WEBRTC_ICE_CANDIDATE, pb.CONNECTION_REFUSED)
CANDIDATE = CandidateInit("candidate:1 1 udp 1 127.0.0.1 1 typ host", "0", 0)


def frame_of(kind: int, to: int, claimed: int = 0) -> bytes:
    """A frame of each kind that is passed on; `claimed` is the sender it says it is from."""
    match kind:
        case pb.CONNECT:
            return signalling.connect(to, claimed)
        case pb.WEBRTC_OFFER:
            return signalling.offer(to, "v=0", claimed)
        case pb.WEBRTC_ANSWER:
            return signalling.answer(to, "v=0", claimed)
        case pb.WEBRTC_ICE_CANDIDATE:
            return signalling.candidate(to, CANDIDATE, claimed)
    return signalling.refused(to, claimed, Code.SERVER_FULL)


# -------------------------------------------------------------------------------------------------------------- the rule


@pytest.mark.parametrize("kind", RELAYED)
def test_the_rule(kind: int) -> None:
    connect = kind == pb.CONNECT
    unexpected, missing = Code.UNEXPECTED_MESSAGE, Code.PEER_NOT_FOUND
    assert destination_problem(kind, from_server=False, to_server=True) is None
    assert destination_problem(kind, from_server=True, to_server=True) is None
    assert destination_problem(kind, from_server=False, to_server=False) is unexpected
    assert destination_problem(kind, from_server=True, to_server=False) is (unexpected if connect else None)
    assert destination_problem(kind, from_server=False, to_server=None) is missing
    assert destination_problem(kind, from_server=True, to_server=None) is (missing if connect else None)


# ---------------------------------------------------------------------------------------------------------- passing on


@pytest.mark.parametrize("kind", RELAYED)
def test_a_frame_arrives_as_it_was_but_for_its_sender(kind: int) -> None:
    world = World()
    server, client = world.server(), world.client()
    client.send(frame_of(kind, server.alias, claimed=12345))
    expected = signalling.decode_signal(frame_of(kind, server.alias, claimed=client.alias))
    if isinstance(expected, pb.ConnectMessage):
        expected.from_role = pb.CLIENT
    assert server.frames[1:] == [expected]
    assert world.core.stats.relayed.total() == 1


@pytest.mark.parametrize("kind", RELAYED[1:])
def test_a_server_answers_a_client(kind: int) -> None:
    world = World()
    server, client = world.server(), world.client()
    server.send(frame_of(kind, client.alias))
    (message,) = client.frames[1:]
    assert isinstance(message, pb.WebRtcMessage | pb.ConnectionRefusedMessage)
    assert (message.type, message.from_alias, message.to_alias) == (kind, server.alias, client.alias)


def test_servers_connect_to_servers_and_say_what_they_are() -> None:
    world = World()
    plain, hub = world.server(), world.server(hub=True)
    plain.send(signalling.connect(hub.alias))
    hub.send(signalling.connect(plain.alias))
    assert hub.next(pb.ConnectMessage).from_role == pb.COMMUNICATION_SERVER
    assert plain.next(pb.ConnectMessage).from_role == pb.COMMUNICATION_SERVER_HUB


def test_a_claimed_role_is_overwritten() -> None:
    world = World()
    server, client = world.server(), world.client()
    lie = pb.ConnectMessage(type=pb.CONNECT, to_alias=server.alias, from_role=pb.COMMUNICATION_SERVER)
    client.send(lie.SerializeToString())
    assert server.next(pb.ConnectMessage).from_role == pb.CLIENT


def test_what_a_newer_peer_adds_is_passed_on() -> None:
    world = World()
    server, client = world.server(), world.client()
    extra = pb.ErrorMessage(reason="a field of the future").SerializeToString()
    client.send(signalling.answer(server.alias, "v=0") + extra)
    assert extra in server.raw[-1]


# ------------------------------------------------------------------------------------------------------------- refusals


def refusal(peer: FakePeer) -> tuple[int, int]:
    message = peer.next(pb.ConnectionRefusedMessage)
    assert message.to_alias == peer.alias
    return message.from_alias, message.code


def test_connect_to_a_client_is_refused_in_its_name() -> None:
    world = World()
    one, other, server = world.client(), world.client(), world.server()
    for sender in (one, server):
        sender.send(signalling.connect(other.alias))
        assert refusal(sender) == (other.alias, Code.UNEXPECTED_MESSAGE)
    assert other.frames[1:] == []


def test_connect_to_nobody_is_refused() -> None:
    world = World()
    for sender in (world.client(), world.server()):
        sender.send(signalling.connect(999))
        assert refusal(sender) == (999, Code.PEER_NOT_FOUND)


def test_connect_to_oneself_is_refused() -> None:
    world = World()
    for sender in (world.client(), world.server()):
        sender.send(signalling.connect(sender.alias))
        assert refusal(sender) == (sender.alias, Code.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("kind", RELAYED[1:])
def test_other_frames_that_go_nowhere_are_dropped_and_counted(kind: int) -> None:
    world = World()
    client, other = world.client(), world.client()
    client.send(frame_of(kind, 999))
    client.send(frame_of(kind, other.alias))
    world.server().send(frame_of(kind, 999))
    assert (client.frames[1:], other.frames[1:], client.closed) == ([], [], None)
    reasons = {reason: n for (_, reason), n in world.core.stats.dropped.items()}
    assert reasons == {"no such peer": 2, "unexpected": 1}


# ------------------------------------------------------------------------------------------------------------ bad frames


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", Code.BAD_MESSAGE),
        (b"garbage", Code.BAD_MESSAGE),
        (b"\x08\x02\x12", Code.BAD_MESSAGE),
        (pb.TopicMessage(type=pb.TOPIC).SerializeToString(), Code.BAD_MESSAGE),
        (b"\x08\x02" + b"\x00" * MAX_SIGNAL_BYTES, Code.MESSAGE_TOO_LARGE),
    ],
)
def test_what_is_no_message_ends_its_sender_and_nobody_else(frame: bytes, code: Code) -> None:
    world = World()
    server, good, bad = world.server(), world.client(), world.client()
    bad.send(frame)
    assert bad.closed is code
    assert bad.reason
    good.send(signalling.connect(server.alias))
    assert server.next(pb.ConnectMessage).from_alias == good.alias
    assert (server.closed, good.closed) == (None, None)


def test_a_message_of_the_future_is_skipped() -> None:
    world = World()
    client = world.client()
    for _ in range(3 * MAX_ERRORS):
        client.send(b"\x08\xf0\x07")
        world.advance(0.1)
    assert client.closed is None


@pytest.mark.parametrize("frame", [signalling.welcome(1, []), signalling.peer_gone(1)])
def test_what_only_a_coordinator_says_is_an_offence(frame: bytes) -> None:
    world = World(client_frames_burst=1_000)
    client = world.client()
    for _ in range(MAX_ERRORS):
        client.send(frame)
    assert client.closed is None
    client.send(frame)
    assert client.closed is Code.TOO_MANY_ERRORS


def test_offences_are_forgiven_in_time() -> None:
    world = World()
    client = world.client()
    for _ in range(5 * MAX_ERRORS):
        client.send(signalling.peer_gone(1))
        world.advance(0.25)
    assert client.closed is None


def test_a_missing_peer_is_no_offence() -> None:
    world = World(client_frames_burst=1_000)
    client = world.client()
    for _ in range(2 * MAX_ERRORS):
        client.send(signalling.connect(999))
    assert client.closed is None
    assert len(client.got(pb.ConnectionRefusedMessage)) == 2 * MAX_ERRORS


def test_a_client_that_floods_is_dropped_then_closed() -> None:
    world = World(client_frames_per_s=10, client_frames_burst=30)
    server, client = world.server(), world.client()
    for _ in range(31):
        client.send(signalling.answer(server.alias, "v=0"))
    assert len(server.got(pb.WebRtcMessage)) == 30
    assert client.closed is None
    world.advance(1.0)
    for _ in range(11):
        client.send(signalling.answer(server.alias, "v=0"))
    assert len(server.got(pb.WebRtcMessage)) == 40
    for _ in range(MAX_ERRORS):
        client.send(b"not even decoded")
    assert client.closed is Code.TOO_MANY_ERRORS


def test_a_server_speaks_for_many_and_is_not_limited() -> None:
    world = World(client_frames_burst=30)
    server, client = world.server(), world.client()
    for _ in range(1_000):
        server.send(signalling.offer(client.alias, "v=0"))
    assert len(client.got(pb.WebRtcMessage)) == 1_000


# ------------------------------------------------------------------------------------------------------------ candidates


def test_candidates_are_limited_for_each_negotiation() -> None:
    world = World(client_frames_burst=1_000)
    first, second, client = world.server(), world.server(), world.client()
    for server in (first, second):
        client.send(signalling.connect(server.alias))
        for _ in range(MAX_CANDIDATES + 5):
            client.send(signalling.candidate(server.alias, CANDIDATE))
        assert len(server.got(pb.WebRtcMessage)) == MAX_CANDIDATES
    assert client.closed is None
    client.send(signalling.connect(first.alias))
    client.send(signalling.candidate(first.alias, CANDIDATE))
    assert len(first.got(pb.WebRtcMessage)) == MAX_CANDIDATES + 1


def test_an_offer_of_the_server_begins_anew_and_one_of_the_client_does_not() -> None:
    world = World(client_frames_burst=1_000)
    server, client = world.server(), world.client()
    for _ in range(MAX_CANDIDATES + 1):
        client.send(signalling.candidate(server.alias, CANDIDATE))
    client.send(signalling.offer(server.alias, "v=0"))
    client.send(signalling.answer(server.alias, "v=0"))
    client.send(signalling.candidate(server.alias, CANDIDATE))
    assert len(server.got(pb.WebRtcMessage)) == MAX_CANDIDATES + 2
    server.send(signalling.offer(client.alias, "v=0"))
    client.send(signalling.candidate(server.alias, CANDIDATE))
    assert len(server.got(pb.WebRtcMessage)) == MAX_CANDIDATES + 3


# ------------------------------------------------------------------------------------------------------------ old peers


def test_an_old_peer_is_spared_what_would_break_it() -> None:
    world = World()
    old, new, client = world.server(part2=False), world.server(), world.client()
    long = "x" * OLD_PEER_SIGNAL_BYTES
    for server in (old, new):
        client.send(signalling.answer(server.alias, long))
        client.send(signalling.answer(server.alias, "short"))
    assert len(old.got(pb.WebRtcMessage)) == 1
    assert len(new.got(pb.WebRtcMessage)) == 2
    assert world.core.stats.dropped == {("webrtc_answer", "too large for an old peer"): 1}


def test_an_old_servers_frames_are_relayed() -> None:
    world = World()
    old, client = world.server(part2=False), world.client(part2=False)
    client.send(signalling.connect(old.alias))
    old.send(signalling.offer(client.alias, "v=0"))
    client.send(signalling.answer(old.alias, "v=0"))
    assert [frame.type for frame in old.frames] == [pb.WELCOME, pb.CONNECT, pb.WEBRTC_ANSWER]
    assert [frame.type for frame in client.frames] == [pb.WELCOME, pb.WEBRTC_OFFER]


# --------------------------------------------------------------------------------------------------------------- reports


def test_a_clients_report_is_an_offence() -> None:
    world = World()
    client = world.client()
    client.report(clients=1)
    assert world.core.stats.dropped == {("server_status", "unexpected"): 1}
    assert world.core.server_conditions(world.now)["ready"] == 0


@pytest.mark.parametrize("cpu", [math.nan, math.inf, -1.0, 1e30])
def test_a_report_of_nonsense_is_read_as_idle(cpu: float) -> None:
    world = World()
    server = world.server()
    server.report(cpu=cpu)
    assert world.core._servers.candidates(world.now)[0].load == 0.0
    assert server.closed is None
