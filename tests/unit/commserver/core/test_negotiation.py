"""From CONNECT to exchanged descriptions, and what ends on the way."""

from __future__ import annotations

import pytest

from commserver.core import events as ev
from protocol import signalling
from protocol.codes import Code
from protocol.limits import MAX_CANDIDATES
from protocol.pb import broker_pb2 as pb
from protocol.signalling import CandidateInit
from protocol.tokens import TokenRole
from tests.support.world import Server, World, token
from tests.support.world_client import Client, joined

LINE = "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host"


def outputs(server: Server, kind: type) -> list[ev.Output]:
    return [output for output in server.outputs if isinstance(output, kind)]


def asked(world: World, server: Server) -> Client:
    """A client that was offered a link and does not answer by itself."""
    client = Client(world)
    client.on_signal = lambda frame: client.signals.append(signalling.decode_signal(frame))  # type: ignore[method-assign]  # deaf
    client.connect(server)
    world.run(0.05)
    return client


def test_connect_brings_an_offer_for_its_sender() -> None:
    world = World()
    server = world.server()
    client = asked(world, server)
    offers = [m for m in client.signals if isinstance(m, pb.WebRtcMessage)]
    assert [(m.type, m.from_alias, m.to_alias) for m in offers] == [(pb.WEBRTC_OFFER, server.alias, client.alias)]
    assert signalling.read_description(offers[0].data, "offer").startswith("end ")


def test_a_storm_of_connects_holds_one_link() -> None:
    world = World()
    server = world.server()
    client = asked(world, server)
    for _ in range(500):
        client.connect(server)
    world.run(0.1)
    assert len(server.broker.peers) == 1
    assert len(server.ends) == 1
    assert len(server.state.deadlines) <= 3
    world.run(60)
    assert len(server.broker.peers) == 0
    assert server.broker.counters.closes["REPLACED"] == 500
    assert server.broker.counters.closes["TIMEOUT"] == 1


def test_a_new_connect_also_replaces_a_link_that_waits_for_auth() -> None:
    world = World()
    server = world.server()
    client = Client(world)
    client.speaks_first = False
    for _ in range(5):
        client.connect(server)
        world.run(0.1)
        assert client.is_open
        assert len(server.broker.peers) == 1


def test_a_full_server_refuses_clients_and_takes_servers() -> None:
    world = World()
    server = world.server(max_peers=1)
    joined(world, server)
    client = Client(world).connect(server)
    peer = world.server()
    world.run()
    assert client.refusals == [Code.SERVER_FULL]
    assert not client.is_open
    assert server.links_to(peer) == 1
    old_reason = next(m.reason for m in client.signals if isinstance(m, pb.ConnectionRefusedMessage))
    assert old_reason == pb.SERVER_FULL


def test_places_are_taken_from_connect_on_and_given_back() -> None:
    world = World()
    server = world.server(max_peers=2)
    first, second, third = asked(world, server), joined(world, server), Client(world).connect(server)
    world.run(0.1)
    assert third.refusals == [Code.SERVER_FULL]
    first.connect(server)
    world.run(0.1)
    assert first.refusals == [], "it has its place already"
    second.leave()
    world.run(0.1)
    third.connect(server)
    world.run(0.1)
    assert third.is_open


def test_server_links_have_a_bound_too() -> None:
    world = World()
    server = world.server(max_servers=1)
    world.server()
    world.run()
    late = Client(world, role=TokenRole.COMMUNICATION_SERVER).connect(server)
    world.run()
    assert late.refusals == [Code.SERVER_FULL]


def test_a_draining_server_refuses_clients_and_takes_servers_while_it_has_clients() -> None:
    """Its clients still talk with those of a server that has just come."""
    world = World()
    server = world.server()
    here = joined(world, server)
    server.feed(ev.DrainRequested())
    client = Client(world).connect(server)
    newcomer = world.server()
    world.run()
    assert client.refusals == [Code.SERVER_DRAINING]
    assert newcomer.links_to(server) == 1
    here.leave()
    world.run(0.1)
    late = Client(world, role=TokenRole.COMMUNICATION_SERVER).connect(server)
    world.run()
    assert late.refusals == [Code.SERVER_DRAINING]
    assert len(server.broker.peers) == 0


@pytest.mark.parametrize("data", [b"", b"garbage", b'{"type": "offer", "sdp": "x"}', b'{"type": "answer"}'])
def test_a_bad_answer_is_refused_with_its_code(data: bytes) -> None:
    world = World()
    server = world.server()
    client = asked(world, server)
    client.signal(pb.WebRtcMessage(type=pb.WEBRTC_ANSWER, to_alias=server.alias, data=data).SerializeToString())
    world.run(0.1)
    assert client.refusals == [Code.BAD_SDP]
    assert len(server.broker.peers) == 0
    assert server.broker.counters.errors["BAD_SDP"] == 1


def test_an_answer_the_transport_cannot_use_is_refused_too() -> None:
    world = World()
    server = world.server()
    client = asked(world, server)
    (session,) = server.broker.peers
    server.feed(ev.LinkFailed(session.link, Code.BAD_SDP))
    world.run(0.1)
    assert client.refusals == [Code.BAD_SDP]
    assert server.ends == {}


def test_a_bad_candidate_is_refused_with_its_code() -> None:
    world = World()
    server = world.server()
    client = asked(world, server)
    client.signal(pb.WebRtcMessage(type=pb.WEBRTC_ICE_CANDIDATE, to_alias=server.alias, data=b"[]").SerializeToString())
    world.run(0.1)
    assert client.refusals == [Code.BAD_CANDIDATE]


def test_too_many_candidates_end_a_negotiation_and_nothing_else() -> None:
    world = World()
    server = world.server()
    client, member = asked(world, server), joined(world, server)
    for _ in range(MAX_CANDIDATES + 10):
        for sender in (client, member):
            sender.signal(signalling.candidate(server.alias, CandidateInit(LINE)))
    world.run(0.1)
    assert client.refusals == [Code.TOO_MANY_CANDIDATES]
    assert member.is_open
    assert len(outputs(server, ev.AddCandidate)) == 2 * MAX_CANDIDATES


def test_bad_candidates_on_a_living_link_are_only_counted() -> None:
    world = World()
    server = world.server()
    member = joined(world, server)
    for _ in range(1_000):
        member.signal(pb.WebRtcMessage(type=pb.WEBRTC_ICE_CANDIDATE, to_alias=server.alias, data=b"[]").SerializeToString())
    world.run(0.1)
    assert member.is_open
    assert server.broker.counters.errors["BAD_CANDIDATE"] == MAX_CANDIDATES


def test_what_was_not_asked_for_is_ignored() -> None:
    world = World()
    server = world.server()
    client = asked(world, server)
    stranger = Client(world)
    sdp = world.end(client, 0)[1]
    for sender, frame in (
        (stranger, signalling.answer(server.alias, sdp)),
        (stranger, signalling.candidate(server.alias, CandidateInit(LINE))),
        (stranger, signalling.refused(server.alias, 0, Code.SERVER_FULL)),
        (client, signalling.offer(server.alias, sdp)),
        (client, signalling.refused(server.alias, 0, Code.SERVER_FULL)),
        (client, signalling.connect(server.alias, server.alias)),
    ):
        sender.signal(frame)
    world.run(0.1)
    ignored = server.broker.counters.signals_ignored
    assert ignored == {
        "answer that was not asked for": 1,
        "candidate of a stranger": 1,
        "refusal of nothing": 2,
        "offer that was not asked for": 1,
    }
    server.feed(ev.SignalReceived(signalling.connect(server.alias)))
    assert ignored["CONNECT without a sender"] == 1
    assert len(server.broker.peers) == 1


def test_what_the_coordinator_sends_by_mistake_is_counted() -> None:
    server = World().server(register=False)
    for frame in (b"\xff", b"x" * 70_000, signalling.server_status(clients=0, max_clients=0, draining=False, cpu=0.0)):
        server.feed(ev.SignalReceived(frame))
    assert server.broker.counters.signals_ignored == {"not decodable": 2, "not for a server": 1}


def dialing(world: World) -> tuple[Client, Server, int]:
    """A server that dials an alias which does as the test says."""
    peer = Client(world, role=TokenRole.COMMUNICATION_SERVER, auth=token("x", TokenRole.COMMUNICATION_SERVER).encode())
    server = world.server()
    world.run(0.05)
    (session,) = server.broker.peers
    return peer, server, session.link


def test_candidates_before_the_offer_wait_for_it() -> None:
    world = World()
    peer, server, link = dialing(world)
    for n in range(3):
        peer.signal(signalling.candidate(server.alias, CandidateInit(f"{LINE} {n}")))
    world.run(0.01)
    assert outputs(server, ev.AddCandidate) == []
    peer.signal(signalling.offer(server.alias, world.end(peer, 0)[1]))
    world.run(0.01)
    kinds = [type(output) for output in server.outputs if isinstance(output, ev.MakeAnswer | ev.AddCandidate)]
    assert kinds == [ev.MakeAnswer, *[ev.AddCandidate] * 3]
    assert server.broker._negotiation._early == {}
    assert any(m.type == pb.WEBRTC_ANSWER for m in peer.signals if isinstance(m, pb.WebRtcMessage))
    assert link in server.ends


def test_early_candidates_are_forgotten_with_their_dial() -> None:
    world = World()
    peer, server, _ = dialing(world)
    peer.signal(signalling.candidate(server.alias, CandidateInit(LINE)))
    world.run(20)
    world.unregister(peer)
    world.run(20)
    assert server.broker._negotiation._early == {}


def test_a_refusal_after_the_offer_closes_the_transport_too() -> None:
    world = World()
    peer, server, link = dialing(world)
    peer.signal(signalling.offer(server.alias, world.end(peer, 0)[1]))
    world.run(0.01)
    peer.signal(signalling.refused(server.alias, peer.alias, Code.BAD_SDP))
    world.run(0.01)
    assert [output.link for output in server.outputs if isinstance(output, ev.CloseLink)] == [link]
    world.run(60)
    assert len(server.broker.peers) == 0, "BAD_SDP: the same again would be refused again"


def test_a_bad_offer_ends_the_dial() -> None:
    world = World()
    peer, server, _ = dialing(world)
    peer.signal(pb.WebRtcMessage(type=pb.WEBRTC_OFFER, to_alias=server.alias, data=b"{}").SerializeToString())
    world.run(0.01)
    assert server.broker.counters.errors["BAD_SDP"] == 1
    assert peer.refusals == [], "who was asked for an offer is not refused anything"
    assert len(server.broker.peers) == 0
