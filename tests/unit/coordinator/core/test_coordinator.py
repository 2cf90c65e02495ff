"""The coordinator as one thing: joining, aliases, selection, silence, ends."""

from __future__ import annotations

import random

import pytest

from coordinator.core.admission import Admission, AliasWish
from coordinator.core.config import CoordinatorConfig
from coordinator.core.coordinator import OLD_PEER_SERVERS, Coordinator
from coordinator.core.outputs import Close
from coordinator.core.selector import TwoChoicesSelector
from protocol import signalling
from protocol.codes import Code
from protocol.limits import MAX_ALIAS, OLD_PEER_SIGNAL_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.support.coordination import NOW, FakePeer, World

# --------------------------------------------------------------------------------------------------------------- joining


def test_a_peer_is_welcomed_with_its_alias_and_a_proof() -> None:
    world = World()
    welcome = world.client().welcome
    assert 0 < welcome.alias <= MAX_ALIAS
    assert welcome.resume
    assert welcome.auth_required
    assert not World(auth=False).client().welcome.auth_required


def test_a_client_gets_the_servers_that_take_clients() -> None:
    world = World()
    ready, full, draining, silent, old = (
        world.server(),
        world.server(),
        world.server(),
        world.server(),
        world.server(part2=False),
    )
    world.advance(15)
    ready.report()
    full.report(clients=5, max_clients=5)
    draining.report(draining=True)
    world.advance(6)
    assert silent.closed is None
    assert sorted(world.client().welcome.available_servers) == sorted([ready.alias, old.alias])


def test_a_server_gets_all_others() -> None:
    world = World()
    full, draining = world.server(), world.server()
    full.report(clients=5, max_clients=5)
    draining.report(draining=True)
    world.client()
    assert sorted(world.server().welcome.available_servers) == sorted([full.alias, draining.alias])


def test_where_there_are_hubs_a_plain_server_gets_those_and_a_hub_gets_everyone() -> None:
    world = World()
    plain, hub = world.server(), world.server(hub=True)
    assert list(hub.welcome.available_servers) == [plain.alias]
    assert list(world.server().welcome.available_servers) == [hub.alias]
    assert len(world.server(hub=True).welcome.available_servers) == 3


def test_servers_hear_again_whom_there_is_when_the_last_hub_drains() -> None:
    world = World()
    plain, hub = world.server(), world.server(hub=True)
    newer = world.server()
    assert list(newer.welcome.available_servers) == [hub.alias]
    assert newer.welcome.hubs
    hub.report(draining=True)
    world.advance(0.1)
    for server, other in ((plain, newer), (newer, plain)):
        welcome = server.got(pb.WelcomeMessage)[-1]
        assert sorted(welcome.available_servers) == sorted([hub.alias, other.alias])
        assert (welcome.hubs, list(welcome.ending)) == (False, [hub.alias])
    assert not world.client().welcome.ending


def test_without_servers_the_list_is_empty() -> None:
    assert list(World().client().welcome.available_servers) == []


def test_an_old_peers_welcome_stays_below_what_it_can_read() -> None:
    world = World(max_servers=OLD_PEER_SERVERS + 50)
    for _ in range(OLD_PEER_SERVERS + 50):
        world.server()
    old, new = world.client(part2=False), world.client()
    assert len(new.welcome.available_servers) == OLD_PEER_SERVERS + 50
    assert len(old.welcome.available_servers) == OLD_PEER_SERVERS
    assert len(old.raw[0]) < OLD_PEER_SIGNAL_BYTES


def test_the_selector_decides_and_clients_on_their_way_count() -> None:
    world = World(selector=TwoChoicesSelector())
    one, two = world.server(), world.server()
    one.report(clients=10, max_clients=100)
    two.report(clients=12, max_clients=100)
    client = world.client()
    assert client.welcome.available_servers[0] == one.alias
    for _ in range(3):
        client.send(signalling.connect(one.alias))
    assert world.client().welcome.available_servers[0] == two.alias
    one.report(clients=11, max_clients=100)
    assert world.client().welcome.available_servers[0] == one.alias


def test_frames_before_the_welcome_are_not_relayed() -> None:
    core = Coordinator(CoordinatorConfig(resume_key=b""), random.Random(1))
    core.joined(1, Admission(TokenRole.CLIENT, "alice"), 0.0)
    core.frame(1, signalling.connect(7), 0.0)
    assert core.stats.dropped == {("any", "before WELCOME"): 1}


def test_a_claim_that_nobody_answers_ends_the_join() -> None:
    core = Coordinator(CoordinatorConfig(resume_key=b"", join_timeout_s=5), random.Random(1))
    core.joined(1, Admission(TokenRole.CLIENT, "alice"), 0.0)
    core.joined(2, Admission(TokenRole.CLIENT, "bob"), 3.0)
    core.outputs()
    assert core.next_deadline() == 5.0
    core.tick(5.0)
    assert [(o.key, o.code) for o in core.outputs() if isinstance(o, Close)] == [(1, Code.INTERNAL)]
    assert core.next_deadline() == 8.0


def test_a_claim_that_is_granted_too_late_is_given_back() -> None:
    world = World()
    client = world.client()
    client.leave()
    world.nodes[0].claimed(client.key, 7, True)
    assert world.client(wish=AliasWish(7)).alias != 7  # free, but a client needs a proof
    assert world.server(wish=AliasWish(7)).alias == 7


def test_there_is_room_for_so_many() -> None:
    world = World(max_clients=2, max_servers=1)
    world.client()
    assert world.core.has_room(TokenRole.CLIENT)
    world.client()
    world.server()
    assert not world.core.has_room(TokenRole.CLIENT)
    assert not world.core.has_room(TokenRole.COMMUNICATION_SERVER_HUB)


def test_what_is_said_of_a_socket_that_is_not_there_is_nothing() -> None:
    core = World().core
    core.frame(9, b"", 0.0)
    core.misframed(9, "text", 0.0)
    core.heard(9, 0.0)
    core.left(9, 0.0)
    core.evicted(9, 0.0)
    core.claimed(9, 7, False, 0.0)
    assert core.take(9, NOW) is None
    assert core.outputs() == []
    assert core.next_deadline() is None


def test_a_text_frame_ends_its_sender() -> None:
    world = World()
    client = world.client()
    world.nodes[0].event(lambda: world.core.misframed(client.key, "text frames are not part of this", world.now))
    assert (client.closed, client.reason) == (Code.BAD_MESSAGE, "text frames are not part of this")


# --------------------------------------------------------------------------------------------------------------- aliases


def test_a_peer_comes_back_under_its_alias_with_its_proof() -> None:
    world = World()
    client = world.client("alice")
    client.leave()
    again = world.client("alice", wish=client.wish)
    assert again.alias == client.alias
    assert world.core.stats.came_back == {TokenRole.CLIENT: 1}


def test_a_proof_survives_a_coordinator_with_the_same_key() -> None:
    client = World().client("alice")
    assert World(seed=5).client("alice", wish=client.wish).alias == client.alias


def test_the_newer_socket_replaces_the_older() -> None:
    world = World()
    server = world.server("server")
    client = world.client("alice")
    client.send(signalling.connect(server.alias))
    newer = world.client("alice", wish=client.wish)
    assert client.closed is Code.REPLACED
    assert newer.alias == client.alias
    server.send(signalling.offer(newer.alias, "v=0"))
    assert len(newer.got(pb.WebRtcMessage)) == 1
    assert server.got(pb.PeerGoneMessage) == []
    client.leave()
    assert server.got(pb.PeerGoneMessage) == []
    newer.leave()
    assert [gone.alias for gone in server.got(pb.PeerGoneMessage)] == [client.alias]


def test_a_server_that_is_replaced_stays_a_server() -> None:
    world = World()
    server = world.server("server")
    newer = world.server("server", wish=server.wish)
    assert server.closed is Code.REPLACED
    assert list(world.client().welcome.available_servers) == [newer.alias]


def test_an_alias_is_free_once_its_holder_has_gone() -> None:
    world = World()
    server = world.server("one")
    assert world.server("two", wish=AliasWish(server.alias)).alias != server.alias
    server.leave()
    assert world.server("two", wish=AliasWish(server.alias)).alias == server.alias


def test_ones_own_alias_needs_no_proof_while_one_holds_it() -> None:
    world = World()
    client = world.client("alice")
    newer = world.client("alice", wish=AliasWish(client.alias))
    assert newer.alias == client.alias
    assert client.closed is Code.REPLACED


@pytest.mark.parametrize("proof", ["", "0" * 64])
def test_anothers_alias_is_not_given_away(proof: str) -> None:
    world = World()
    victim = world.client("alice")
    thief = world.client("mallory", wish=AliasWish(victim.alias, proof))
    assert thief.alias != victim.alias
    assert victim.closed is None


def test_anothers_proof_is_no_proof() -> None:
    world = World()
    victim = world.client("alice")
    assert world.client("mallory", wish=victim.wish).alias != victim.alias
    assert world.server("alice", wish=victim.wish).alias != victim.alias
    assert victim.closed is None


def test_a_verified_server_gets_a_free_alias_without_proof_and_a_client_does_not() -> None:
    world = World()
    assert world.server("server", wish=AliasWish(77)).alias == 77
    assert world.client("alice", wish=AliasWish(78)).alias != 78


def test_without_authentication_a_free_alias_is_anyones() -> None:
    world = World(auth=False)
    first = world.client(wish=AliasWish(77))
    assert first.alias == 77
    assert world.client(wish=AliasWish(77)).alias != 77
    assert first.closed is None
    assert world.client(wish=first.wish).alias == 77
    assert first.closed is Code.REPLACED


# --------------------------------------------------------------------------------------------------------------- silence


def test_a_silent_peer_is_pinged_and_lives_while_it_answers() -> None:
    world = World(ping_interval_s=10, ping_timeout_s=5)
    client = world.client()
    world.advance(61)
    assert client.pings == 6
    assert client.closed is None


def test_a_dead_peer_is_closed_by_the_timeout_and_told_of() -> None:
    world = World(ping_interval_s=10, ping_timeout_s=5)
    server, client = world.server(), world.client()
    client.send(signalling.connect(server.alias))
    server.answering = False
    world.advance(14.9)
    assert not world.core.stats.closed
    world.advance(0.1)
    assert server.closed is Code.TIMEOUT
    assert [gone.alias for gone in client.got(pb.PeerGoneMessage)] == [server.alias]
    assert list(world.client().welcome.available_servers) == []


def test_a_peer_that_talks_is_not_pinged() -> None:
    world = World(ping_interval_s=10)
    server = world.server()
    for _ in range(20):
        world.advance(5)
        server.report()
    assert server.pings == 0


# -------------------------------------------------------------------------------------------------------------- too slow


def test_a_slow_peer_is_closed_and_nobody_else_notices() -> None:
    world = World(outbox_frames=50)
    server, slow, quick = world.server(), world.client(), world.client()
    slow.reading = False
    for _ in range(60):
        for client in (slow, quick):
            server.send(signalling.offer(client.alias, "v=0"))
    assert slow.closed is Code.SLOW_CONSUMER
    assert len(quick.got(pb.WebRtcMessage)) == 60
    assert (quick.closed, server.closed) == (None, None)


def test_the_end_of_one_slow_peer_may_be_the_end_of_another() -> None:
    world = World(outbox_frames=2)
    servers = [world.server() for _ in range(3)]
    for server in servers:
        server.reading = False
    for server in servers:
        for other in servers:
            if other is not server:
                server.send(signalling.answer(other.alias, "v=0"))
    # Each has two frames waiting; the end of any of them is the one frame too many for the others.
    servers[0].send(b"garbage")
    assert [server.closed for server in servers] == [Code.BAD_MESSAGE, Code.SLOW_CONSUMER, Code.SLOW_CONSUMER]
    assert world.core.peer_counts[TokenRole.COMMUNICATION_SERVER] == 0


def test_what_waits_is_counted() -> None:
    world = World()
    server, client = world.server(), world.client()
    assert world.core.outbox_bytes() == 0
    server.reading = False
    client.send(signalling.connect(server.alias))
    assert world.core.outbox_bytes() > 0
    server.read()
    assert world.core.outbox_bytes() == 0


# ------------------------------------------------------------------------------------------------------------------ ends


def gone(peer: FakePeer) -> list[int]:
    return [message.alias for message in peer.got(pb.PeerGoneMessage)]


def test_the_end_of_a_peer_is_told_to_those_it_was_signalled_with() -> None:
    world = World()
    server, other, client, stranger = world.server(), world.server(), world.client(), world.client()
    client.send(signalling.connect(server.alias))
    client.leave()
    assert gone(server) == [client.alias]
    assert gone(other) == []
    stranger.send(signalling.connect(server.alias))
    other.send(signalling.connect(server.alias))
    server.leave()
    assert (gone(stranger), gone(other)) == ([server.alias], [server.alias])


def test_old_peers_are_not_told() -> None:
    world = World()
    server, client = world.server(part2=False), world.client(part2=False)
    client.send(signalling.connect(server.alias))
    server.leave()
    assert [frame.type for frame in client.frames] == [pb.WELCOME]


def test_a_peer_that_was_only_refused_is_not_told() -> None:
    world = World()
    client, other = world.client(), world.client()
    client.send(signalling.connect(other.alias))
    other.leave()
    assert gone(client) == []


def test_who_came_back_may_have_links_from_before_and_is_told_of_every_server() -> None:
    """After a restart the coordinator knows of no negotiation."""
    before = World()
    old_server, old_client = before.server("server"), before.client("alice")
    world = World()
    server, client = world.server("server", wish=old_server.wish), world.client("alice", wish=old_client.wish)
    stranger = world.client("bob")
    newcomer = world.server()
    newcomer.leave()
    assert (gone(server), gone(client), gone(stranger)) == ([newcomer.alias], [newcomer.alias], [])
    client.leave()
    assert gone(server) == [newcomer.alias, client.alias]
    server.leave()
    assert gone(stranger) == [server.alias]


def test_a_server_that_flaps_is_told_of_each_time() -> None:
    world = World()
    server, client = world.server("server"), world.client()
    client.send(signalling.connect(server.alias))
    server.leave()
    again = world.server("server", wish=server.wish)
    again.leave()
    assert gone(client) == [server.alias, server.alias]


def test_stopping_closes_everyone_and_tells_nobody_else() -> None:
    world = World()
    server, client = world.server(), world.client()
    client.send(signalling.connect(server.alias))
    world.nodes[0].event(lambda: world.core.stop(world.now))
    assert (server.closed, client.closed) == (Code.COORDINATOR_STOPPING, Code.COORDINATOR_STOPPING)
    assert (gone(server), gone(client)) == ([], [])
    assert world.client().closed is Code.COORDINATOR_STOPPING
    assert not world.core.has_room(TokenRole.CLIENT)
    assert world.core.stats.closed == {Code.COORDINATOR_STOPPING: 3}


def test_a_clients_socket_ends_with_its_token() -> None:
    """Its links are the comm servers' business: they hear of it, and a client that has another token comes back with that."""
    world = World()
    server = world.nodes[0].join(Admission(TokenRole.COMMUNICATION_SERVER, "server", True, None, NOW + 5))
    client = world.nodes[0].join(Admission(TokenRole.CLIENT, "alice", True, None, NOW + 5))
    other = world.nodes[0].join(Admission(TokenRole.CLIENT, "bob", True, None, NOW + 50))
    client.send(signalling.connect(server.alias))
    world.advance(4.9)
    assert (client.closed, other.closed, server.closed) == (None, None, None)
    world.advance(0.1)
    assert (client.closed, other.closed, server.closed) == (Code.TOKEN_EXPIRED, None, None)
    assert gone(server) == [client.alias]
    again = world.nodes[0].join(Admission(TokenRole.CLIENT, "alice", True, client.wish, NOW + 100))
    assert again.alias == client.alias
    world.advance(60)
    assert (again.closed, other.closed, server.closed) == (None, Code.TOKEN_EXPIRED, None)


def test_the_end_of_a_token_is_waited_for_only_while_its_socket_is_there() -> None:
    world = World(ping_interval_s=1_000)
    client = world.nodes[0].join(Admission(TokenRole.CLIENT, "alice", True, None, NOW + 5))
    assert world.core.next_deadline() == NOW + 5
    client.leave()
    world.advance(10)
    assert client.closed is None
