"""Several coordinators of one cluster: a peer does not notice which of them it is at."""

from __future__ import annotations

import pytest

from coordinator.core.cluster import Claim, Forward
from protocol import signalling
from protocol.codes import Code
from protocol.limits import OLD_PEER_SIGNAL_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.support.coordination import World


@pytest.fixture
def world() -> World:
    world = World()
    world.add_node()
    return world


def test_servers_are_known_everywhere(world: World) -> None:
    here, there = world.server(node=0), world.server(node=1)
    assert list(there.welcome.available_servers) == [here.alias]
    for node in (0, 1):
        assert sorted(world.client(node=node).welcome.available_servers) == sorted([here.alias, there.alias])
    there.report(draining=True)
    assert list(world.client(node=0).welcome.available_servers) == [here.alias]


def test_a_newcomer_is_given_to_clients_nowhere_before_it_is_linked(world: World) -> None:
    here, there = world.server(node=0), world.server(node=1, linked=False)
    for node in (0, 1):
        assert list(world.client(node=node).welcome.available_servers) == [here.alias]
    there.report(linking=True)
    for node in (0, 1):
        assert list(world.client(node=node).welcome.available_servers) == [here.alias]
    there.report()
    for node in (0, 1):
        assert sorted(world.client(node=node).welcome.available_servers) == sorted([here.alias, there.alias])


def test_the_first_server_and_an_old_one_and_one_that_comes_back_are_given_to_clients_at_once(world: World) -> None:
    first = world.server(node=1, linked=False)
    assert list(world.client(node=0).welcome.available_servers) == [first.alias]
    old = world.server(node=0, part2=False)
    assert sorted(world.client(node=1).welcome.available_servers) == sorted([first.alias, old.alias])
    wish = first.wish
    first.leave()
    again = world.server(node=0, wish=wish, linked=False)
    assert again.alias == wish.alias
    for node in (0, 1):
        assert sorted(world.client(node=node).welcome.available_servers) == sorted([again.alias, old.alias])


def test_servers_that_come_at_once_at_two_coordinators_learn_of_each_other(world: World) -> None:
    """Neither may be in the other's first list, for one coordinator learns of the other's servers a little later."""
    here, there = world.server(node=0), world.server(node=1)
    assert list(here.next(pb.WelcomeMessage).available_servers) == []
    world.advance(3)
    assert list(here.next(pb.WelcomeMessage).available_servers) == [there.alias]
    world.advance(60)
    assert here.got(pb.WelcomeMessage) == []


def test_when_the_last_hub_goes_plain_servers_everywhere_are_named_to_each_other(world: World) -> None:
    hub = world.server(node=1, hub=True)
    here, there, old = world.server(node=0), world.server(node=1), world.server(node=0, part2=False)
    world.advance(10)
    for server in (here, there):
        welcome = server.got(pb.WelcomeMessage)[-1]
        assert (list(welcome.available_servers), welcome.hubs) == ([hub.alias], True)
    hub.leave()
    world.advance(0.01)
    for server, other in ((here, there), (there, here)):
        welcome = server.got(pb.WelcomeMessage)[-1]
        assert (sorted(welcome.available_servers), welcome.hubs) == (sorted([other.alias, old.alias]), False)
        assert (welcome.alias, welcome.resume) == (server.alias, server.got(pb.WelcomeMessage)[0].resume)
    assert len(old.got(pb.WelcomeMessage)) == 1, "it would not know what to make of another"


def test_a_coordinator_that_comes_later_learns_of_the_servers(world: World) -> None:
    server = world.server(node=1)
    world.add_node()
    assert list(world.client(node=2).welcome.available_servers) == [server.alias]


def test_a_whole_negotiation_goes_across(world: World) -> None:
    server, client = world.server(node=0), world.client(node=1)
    client.send(signalling.connect(server.alias))
    connect = server.next(pb.ConnectMessage)
    assert (connect.from_alias, connect.from_role) == (client.alias, pb.CLIENT)
    server.send(signalling.offer(connect.from_alias, "v=0"))
    assert client.next(pb.WebRtcMessage).from_alias == server.alias
    client.send(signalling.answer(server.alias, "v=0"))
    assert server.next(pb.WebRtcMessage).from_alias == client.alias
    server.send(signalling.refused(client.alias, 0, Code.SERVER_FULL))
    assert client.next(pb.ConnectionRefusedMessage).code == Code.SERVER_FULL


def test_a_client_there_is_as_little_to_be_connected_to(world: World) -> None:
    server, client, other = world.server(node=0), world.client(node=0), world.client(node=1)
    for sender in (server, client):
        sender.send(signalling.connect(other.alias))
        assert sender.next(pb.ConnectionRefusedMessage).code == Code.PEER_NOT_FOUND
    assert other.frames[1:] == []


def test_a_server_that_has_just_gone_is_not_found(world: World) -> None:
    server, client = world.server(node=0), world.client(node=1)
    # The holder is gone before its coordinator could say so.
    world.cluster._holders.clear()
    client.send(signalling.connect(server.alias))
    refusal = client.next(pb.ConnectionRefusedMessage)
    assert (refusal.from_alias, refusal.code) == (server.alias, Code.PEER_NOT_FOUND)
    client.send(signalling.answer(server.alias, "v=0"))
    assert world.nodes[1].core.stats.dropped == {("connect", "no such peer"): 1, ("webrtc_answer", "no such peer"): 1}


def test_a_frame_that_arrives_too_late_comes_back(world: World) -> None:
    server, client = world.server(node=0), world.client(node=1)
    world.nodes[0].core._registry.remove(world.nodes[0].core._registry.by_key(server.key))  # type: ignore[arg-type]
    client.send(signalling.connect(server.alias))
    assert client.next(pb.ConnectionRefusedMessage).code == Code.PEER_NOT_FOUND


def test_what_another_coordinator_should_not_have_sent_is_dropped(world: World) -> None:
    one, other = world.client(node=0), world.client(node=1)
    wrong = Forward(other.alias, one.alias, TokenRole.CLIENT, pb.WEBRTC_ANSWER, signalling.answer(other.alias, "v=0"))
    assert world.nodes[1].core.forwarded(wrong, world.now)
    assert other.frames[1:] == []
    assert world.nodes[1].core.stats.dropped == {("webrtc_answer", "unexpected"): 1}


def test_news_of_an_end_that_finds_nobody_is_no_loss(world: World) -> None:
    server, client = world.server(node=0), world.client(node=1)
    client.send(signalling.connect(server.alias))
    world.cluster._holders.pop(server.alias)
    client.leave()
    assert not world.nodes[1].core.stats.dropped


def test_ends_are_told_across(world: World) -> None:
    server, client = world.server(node=0), world.client(node=1)
    client.send(signalling.connect(server.alias))
    client.leave()
    assert [gone.alias for gone in server.got(pb.PeerGoneMessage)] == [client.alias]
    client, stranger = world.client(node=1), world.client(node=1)
    client.send(signalling.connect(server.alias))
    server.leave()
    assert [gone.alias for gone in client.got(pb.PeerGoneMessage)] == [server.alias]
    assert stranger.got(pb.PeerGoneMessage) == []
    assert list(world.client(node=1).welcome.available_servers) == []


def test_a_peer_may_come_back_at_another_coordinator(world: World) -> None:
    server = world.server("server", node=0)
    client = world.client("alice", node=0)
    client.send(signalling.connect(server.alias))
    moved = world.client("alice", node=1, wish=client.wish)
    assert moved.alias == client.alias
    assert client.closed is Code.REPLACED
    assert server.got(pb.PeerGoneMessage) == []
    server.send(signalling.offer(moved.alias, "v=0"))
    assert moved.next(pb.WebRtcMessage).from_alias == server.alias


def test_a_server_may_come_back_at_another_coordinator(world: World) -> None:
    server, client = world.server("server", node=0), world.client(node=0)
    client.send(signalling.connect(server.alias))
    moved = world.server("server", node=1, wish=server.wish)
    assert (moved.alias, server.closed) == (server.alias, Code.REPLACED)
    assert client.got(pb.PeerGoneMessage) == []
    for node in (0, 1):
        assert list(world.client(node=node).welcome.available_servers) == [server.alias]
    client.send(signalling.connect(server.alias))
    assert moved.next(pb.ConnectMessage).from_alias == client.alias


def test_an_alias_is_one_peers_in_the_whole_cluster(world: World) -> None:
    held = world.client("alice", node=0)
    assert world.client("mallory", node=1, wish=held.wish).alias != held.alias
    assert world.client("alice", node=1, wish=held.wish).alias == held.alias


def test_a_collision_of_new_aliases_is_drawn_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    decide = world.cluster.claim
    denied: list[int] = []

    def first_denied(node: str, claim: Claim) -> None:
        if denied:
            decide(node, claim)
        else:
            denied.append(claim.alias)
            world.nodes[0].claimed(claim.key, claim.alias, False)

    monkeypatch.setattr(world.cluster, "claim", first_denied)
    client = world.client(node=0)
    assert client.alias not in [0, *denied]
    assert client.closed is None


def test_a_coordinator_that_leaves_takes_its_peers_along(world: World) -> None:
    server, client = world.server("server", node=0), world.client(node=1)
    client.send(signalling.connect(server.alias))
    world.cluster.leave("node-1")
    assert [gone.alias for gone in client.got(pb.PeerGoneMessage)] == [server.alias]
    assert world.server("server", node=1, wish=server.wish).alias == server.alias


def test_an_old_server_there_is_spared_long_frames(world: World) -> None:
    old, client = world.server(node=0, part2=False), world.client(node=1)
    client.send(signalling.answer(old.alias, "x" * OLD_PEER_SIGNAL_BYTES))
    client.send(signalling.answer(old.alias, "short"))
    assert len(old.got(pb.WebRtcMessage)) == 1


def test_a_coordinator_that_stops_hands_its_servers_over_quietly(world: World) -> None:
    server, client = world.server("server", node=0), world.client(node=1)
    world.nodes[0].event(lambda: world.nodes[0].core.stop(world.now))
    assert server.closed is Code.COORDINATOR_STOPPING
    assert list(world.client(node=1).welcome.available_servers) == []
    assert world.server("server", node=1, wish=server.wish).alias == server.alias
    assert client.closed is None


def test_servers_hear_anew_whom_there_is_when_the_others_are_back(world: World) -> None:
    first, old, client = world.server(node=0), world.server(node=0, part2=False), world.client(node=0)
    alias = first.alias
    for peer in (first, old, client):
        peer.frames.clear()
    second = world.server(node=1)
    world.nodes[0].rejoined()
    welcome = first.next(pb.WelcomeMessage)
    assert (welcome.alias, bool(welcome.resume)) == (alias, True)
    assert sorted(welcome.available_servers) == sorted([old.alias, second.alias])
    assert old.frames == []
    assert client.frames == []
