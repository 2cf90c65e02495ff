"""Which servers are linked, in a mesh and in a star, whatever happens to them and to the coordinator."""

from __future__ import annotations

import pytest

from commserver.core import events as ev
from commserver.core.events import SendSignal
from protocol import signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.support.world import Server, World, token
from tests.support.world_client import OLD, Client, joined


def matrix(*servers: Server) -> list[list[int]]:
    return [[one.links_to(other) for other in servers] for one in servers]


def connects(server: Server) -> list[int]:
    """Whom it asked for a link, in order."""
    return [m.to_alias for m in server.signals() if isinstance(m, pb.ConnectMessage)]


MESH = [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_the_newcomer_dials_whom_it_has_no_link_with() -> None:
    world = World()
    first = world.server()
    world.run()
    second = world.server()
    world.run()
    third = world.server()
    world.run()
    assert matrix(first, second, third) == MESH
    assert (connects(first), connects(second), sorted(connects(third))) == ([], [first.alias], [first.alias, second.alias])


def test_a_coordinator_that_comes_back_changes_nothing_for_living_links() -> None:
    world = World()
    servers = [world.server() for _ in range(3)]
    world.run()
    dialed = [connects(server) for server in servers]
    world.coordinator_stops()
    world.run(10)
    world.coordinator_returns()
    world.run(10)
    assert matrix(*servers) == MESH
    assert [connects(server) for server in servers] == dialed
    assert not any(server.broker.counters.closes for server in servers)


@pytest.mark.parametrize("seed", range(6))
def test_two_that_dial_each_other_at_once_keep_one_link(seed: int) -> None:
    world = World(seed, jitter=0.02)
    one, other = world.server(register=False), world.server(register=False)
    world.registered = {one.alias: one, other.alias: other}
    one.on_signal(signalling.welcome(one.alias, [other.alias]))
    other.on_signal(signalling.welcome(other.alias, [one.alias]))
    world.run(30)
    assert matrix(one, other) == [[0, 1], [1, 0]]
    (session,) = one.broker.peers
    assert session.dialed, "the link that the lower alias dialed stays"
    a, b = joined(world, one, "t"), joined(world, other, "t")
    world.run()
    a.publish("t")
    b.publish("t")
    world.run()
    assert (len(a.got), len(b.got)) == (1, 1)


@pytest.mark.parametrize("lower_dialed", [False, True])
@pytest.mark.parametrize("lower_lost_it", [False, True])
def test_a_link_that_one_side_lost_is_replaced_by_the_new_one(lower_dialed: bool, lower_lost_it: bool) -> None:
    world = World()
    first, second = world.server(alias=20 if lower_dialed else 10), world.server(alias=10 if lower_dialed else 20)
    world.run(60)
    lower, higher = sorted((first, second), key=lambda server: server.alias)
    loser, keeper = (lower, higher) if lower_lost_it else (higher, lower)
    (link,) = loser.ends
    loser.ends[link].mute = True
    loser.feed(ev.LinkClosed(link, "silent"))
    loser.on_signal(signalling.welcome(loser.alias, [keeper.alias]))
    world.run(5)
    assert matrix(lower, higher) == [[0, 1], [1, 0]]
    assert keeper.broker.counters.closes == {"REPLACED": 1}


def test_a_lost_link_is_dialed_again_by_who_dialed_it() -> None:
    world = World()
    one, other = world.server(), world.server()
    world.run()
    for _ in range(3):
        world.close(next(iter(other.ends.values())), "failed")
        world.run(1)
        assert matrix(one, other) == [[0, 1], [1, 0]]
    assert connects(one) == []


def test_dialing_backs_off_and_ends_when_the_coordinator_says_the_alias_is_gone() -> None:
    world = World()
    deaf = Client(world, role=TokenRole.COMMUNICATION_SERVER)
    deaf.on_signal = lambda frame: None  # type: ignore[method-assign]  # never offers
    server = world.server(setup_timeout=1.0)
    world.run(120)
    assert 10 <= len(connects(server)) <= 40, "about every six seconds at last"
    world.unregister(deaf)
    world.run(60)
    dialed = len(connects(server))
    world.run(60)
    assert len(connects(server)) == dialed
    assert not server.broker._mesh._wanted
    assert len(server.state.deadlines) <= 1


@pytest.mark.parametrize(
    ("code", "again"),
    [
        (Code.SERVER_FULL, True),
        (Code.TIMEOUT, True),
        (Code.SERVER_DRAINING, False),
        (Code.PEER_NOT_FOUND, False),
        (Code.UNEXPECTED_MESSAGE, False),
    ],
)
def test_a_refusal_says_whether_to_try_again(code: Code, again: bool) -> None:
    world = World()
    peer = Client(world, role=TokenRole.COMMUNICATION_SERVER)
    server = world.server()
    world.run(0.01)
    peer.signal(signalling.refused(server.alias, peer.alias, code))
    world.run(14)
    assert (len(connects(server)) > 1) is again


def test_nobody_is_dialed_while_the_coordinator_is_away() -> None:
    world = World()
    one, other = world.server(), world.server()
    world.run()
    world.coordinator_stops()
    world.close(next(iter(other.ends.values())), "failed")
    world.run(120)
    assert len(connects(other)) == 1
    assert len(other.broker.peers) == 0
    world.coordinator_returns()
    world.run(0.5)
    assert matrix(one, other) == [[0, 1], [1, 0]]


def test_a_half_open_link_of_a_listed_server_is_no_link() -> None:
    """Its dialer was welcomed before us, without us, and has given up: when nothing comes of the link, it is for us to dial."""
    world = World()
    server = world.server(setup_timeout=1.0)
    world.run()
    deaf = Client(world, role=TokenRole.COMMUNICATION_SERVER)
    world.coordinator_stops()
    world.coordinator_up = True
    server.on_signal(signalling.welcome(server.alias, []))
    server.on_signal(signalling.connect(server.alias, deaf.alias, pb.COMMUNICATION_SERVER))
    server.on_signal(signalling.welcome(server.alias, [deaf.alias]))
    world.run(0.9)
    assert connects(server) == []
    world.run(1)
    assert connects(server) == [deaf.alias]


@pytest.mark.parametrize("lower_dialed", [False, True])
def test_a_dead_link_of_a_listed_server_is_no_link(lower_dialed: bool) -> None:
    """As above, but we had not noticed yet that the link its dialer gave up is dead."""
    world = World()
    acceptor, dialer = world.server(alias=20 if lower_dialed else 10), world.server(alias=10 if lower_dialed else 20)
    world.run(60)
    world.coordinator_stops()
    ((link, end),) = dialer.ends.items()
    (other_end,) = acceptor.ends.values()
    end.mute = True
    dialer.feed(ev.LinkClosed(link, "silent"))
    world.coordinator_up = True
    world.register(dialer)
    world.register(acceptor)
    world.run(20)
    assert matrix(acceptor, dialer) == [[0, 1], [0, 0]]
    other_end.mute = True
    world.close(other_end, "silent")
    world.run(5)
    assert matrix(acceptor, dialer) == [[0, 1], [1, 0]]


def test_a_link_that_breaks_is_dialed_by_its_dialer_first_though_both_may() -> None:
    world = World()
    acceptor, dialer = world.server(), world.server()
    world.run()
    world.coordinator_stops()
    world.coordinator_up = True
    world.register(dialer)
    world.register(acceptor)
    world.run(20)
    for _ in range(10):
        world.close(next(iter(dialer.ends.values())), "failed")
        world.run(20)
        assert matrix(acceptor, dialer) == [[0, 1], [1, 0]]
    assert connects(acceptor) == []
    assert len(connects(dialer)) == 11


@pytest.mark.parametrize("seed", range(5))
def test_a_dial_that_the_coordinator_forgot_begins_again_with_its_return(seed: int) -> None:
    world = World(seed)
    one = world.server()
    world.run()
    other = world.server()
    world.run(0.0015)
    assert len(other.broker.peers) == 1
    world.coordinator_stops()
    world.run(3)
    world.coordinator_returns()
    world.run(0.5)
    assert matrix(one, other) == [[0, 1], [1, 0]]


def test_a_server_that_comes_back_under_another_alias_is_no_second_server() -> None:
    world = World()
    one, other = world.server(), world.server()
    world.run()
    world.registered.pop(other.alias)
    other.alias = world.next_alias()
    world.register(other)
    world.run(5)
    assert matrix(one, other) == [[0, 1], [1, 0]]
    assert len(one.broker.peers) == len(other.broker.peers) == 1
    a, b = joined(world, one, "t"), joined(world, other, "t")
    world.run()
    a.publish("t")
    world.run()
    assert len(b.got) == 1


# ---------------------------------------------------------------------------------------------------------------------- star


def test_plain_servers_give_up_their_links_when_a_hub_comes() -> None:
    world = World()
    plain = [world.server() for _ in range(3)]
    world.run()
    assert matrix(*plain) == MESH
    hub = world.server(hub=True)
    world.run(5)
    assert matrix(hub, *plain) == [[0, 1, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert all(set(server.broker.counters.closes) <= {"NOT_NEEDED", "remote"} for server in plain)
    calm = [len(connects(server)) for server in plain]
    world.run(60)
    assert [len(connects(server)) for server in plain] == calm, "nobody dials them again"


def test_a_newcomer_in_a_star_ends_up_with_the_hub_alone() -> None:
    world = World()
    hub, first = world.server(hub=True), world.server()
    world.run()
    second = world.server()
    world.run(5)
    assert matrix(hub, first, second) == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    dialed = len(connects(second))
    world.coordinator_stops()
    world.run(3)
    world.coordinator_returns()
    world.run(5)
    assert len(connects(second)) == dialed, "a WELCOME does not bring resting links back"


def test_when_the_last_hub_goes_the_plain_servers_find_each_other() -> None:
    world = World()
    hub = world.server(hub=True)
    plain = [world.server() for _ in range(3)]
    world.run(5)
    clients = [joined(world, server, "t") for server in plain]
    hub.die()
    world.run(5)
    assert matrix(*plain) == MESH
    clients[0].publish("t", b"1")
    world.run()
    assert [client.bodies for client in clients] == [[], [b"1"], [b"1"]]
    world.server(hub=True)
    world.run(5)
    assert matrix(*plain) == [[0, 0, 0]] * 3
    clients[0].publish("t", b"2")
    world.run()
    assert [client.bodies for client in clients] == [[], [b"1", b"2"], [b"1", b"2"]]


def test_the_next_hub_takes_over() -> None:
    world = World()
    hubs = [world.server(hub=True), world.server(hub=True)]
    plain = [world.server(), world.server()]
    world.run(5)
    assert matrix(*plain) == [[0, 0], [0, 0]]
    clients = [joined(world, server, "t") for server in (*plain, *hubs)]
    before = [uplink_of(server) for server in plain]
    dead = next(hub for hub in hubs if hub.alias == before[0])
    dead.die()
    world.run(5)
    assert {uplink_of(server) for server in plain} == {hub.alias for hub in hubs if hub is not dead}
    clients[0].publish("t")
    world.run()
    assert [len(client.got) for client in clients] == [0, 1, *(int(hub is not dead) for hub in hubs)]
    assert matrix(*plain) == [[0, 0], [0, 0]]


def test_a_hub_that_comes_back_changes_nobodys_uplink() -> None:
    world = World()
    hubs = [world.server(hub=True), world.server(hub=True)]
    plain = [world.server() for _ in range(4)]
    world.run(5)
    hubs[0].die()
    world.run(5)
    world.server(hub=True, alias=hubs[0].alias)
    world.run(5)
    assert {uplink_of(server) for server in plain} == {hubs[1].alias}
    assert all(len(server.broker.peers.servers()) == 2 for server in plain)


def test_plain_servers_that_never_met_find_each_other_when_the_last_hub_goes() -> None:
    """They came while there was a hub, so nobody ever named them to one another."""
    world = World()
    hub = world.server(hub=True)
    plain = [world.server() for _ in range(3)]
    world.run(5)
    clients = [joined(world, server, "t") for server in plain]
    began = world.now
    hub.die()
    world.run(3)
    assert matrix(*plain) == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    clients[0].publish("t")
    world.run(0.5)
    assert [len(client.got) for client in clients] == [0, 1, 1]
    assert world.now - began < 4


def test_a_hub_that_lost_only_its_coordinator_keeps_the_star() -> None:
    """The coordinator names the plain servers to one another, but their uplink lives: nobody is dialed."""
    world = World()
    hub = world.server(hub=True)
    plain = [world.server() for _ in range(3)]
    world.run(5)
    before = [len(server.signals()) for server in plain]
    world.unregister(hub)
    world.run(5)
    assert matrix(hub, *plain) == [[0, 1, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    for server, count in zip(plain, before, strict=True):
        assert not [signal for signal in server.signals()[count:] if isinstance(signal, pb.ConnectMessage)]
    world.register(hub)
    world.run(5)
    hub.die()
    world.run(3)
    assert matrix(*plain) == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_in_a_star_the_coordinators_restart_is_no_reason_to_dial_each_other() -> None:
    """Plain servers that come back before the hub does are named to one another; their uplinks live."""
    world = World()
    hub = world.server(hub=True)
    plain = [world.server() for _ in range(4)]
    world.run(5)
    before = [len(server.signals()) for server in plain]
    world.coordinator_stops()
    world.coordinator_up = True
    for server in (*plain, hub):
        world.register(server)
    world.run(5)
    for server, count in zip(plain, before, strict=True):
        assert not [signal for signal in server.signals()[count:] if isinstance(signal, pb.ConnectMessage)]
    assert all(server.links_to(hub) == 1 for server in plain)


def uplink_of(server: Server) -> int | None:
    uplink = server.state.router.uplink
    return None if uplink is None else uplink.alias


# ----------------------------------------------------------------------------------------------------------------- old servers


def old_server(world: World, **options: object) -> Client:
    """A Part 1 server: no capabilities, proves nothing."""
    return Client(world, role=TokenRole.COMMUNICATION_SERVER, wire_role=pb.COMMUNICATION_SERVER, capabilities=OLD, auth=b"")


def answer_dial(world: World, server: Server, peer: Client) -> None:
    """The old server offers, the dialer answers, the channels open."""
    (session,) = server.broker.peers.of_alias(peer.alias)
    peer.speaks_first = False
    peer.end, sdp = world.end(peer, 0)
    peer.signal(signalling.offer(server.alias, sdp))
    world.run(0.01)
    world.join(peer.end, server.ends[session.link])
    world.run(0.01)


def test_an_old_server_is_taken_without_proof_where_nobody_needs_one() -> None:
    world = World()
    old = old_server(world)
    server = world.server(auth_required=False)
    world.run(0.05)
    answer_dial(world, server, old)
    client = joined(world, server, "t", auth=b"")
    world.run(2)
    assert [s.alias for s in server.broker.peers.servers()] == [old.alias]
    sets = old.of_type(pb.SUBSCRIPTION)
    assert [(m.topics, m.version) for m in sets] == [(b"t", 0)]
    old.subscribe("u")
    world.run()
    client.publish("u", b"up")
    old.send(pb.TopicMessage(type=pb.TOPIC, from_alias=4711, topic="t", body=b"down").SerializeToString())
    world.run()
    assert [(m.from_alias, m.topic, m.body) for m in old.of_type(pb.TOPIC)] == [(client.alias, "u", b"up")]
    assert [(got.topic, got.sender, got.body) for got in client.got] == [("t", 4711, b"down")]


def test_what_an_old_server_says_first_shows_what_it_is() -> None:
    world = World()
    old = old_server(world)
    server = world.server(auth_required=False)
    world.run(0.05)
    answer_dial(world, server, old)
    old.subscribe("u")
    world.run(0.1)
    assert server.broker.topic_count == 1


def test_an_old_server_does_not_get_in_where_proof_is_needed() -> None:
    world = World()
    old = old_server(world)
    server = world.server(auth_timeout=1.0)
    world.run(0.05)
    answer_dial(world, server, old)
    world.run(1.5)
    assert server.broker.peers.servers() == []
    assert server.broker.counters.closes["AUTH_TIMEOUT"] == 1
    old = old_server(world)
    server = world.server()
    world.run(0.05)
    (session,) = server.broker.peers.of_alias(old.alias)
    answer_dial(world, server, old)
    old.subscribe("u")
    world.run(0.1)
    assert server.broker.peers.get(session.link) is None


def test_a_slow_server_taken_for_an_old_one_may_still_prove_itself() -> None:
    world = World()
    slow = old_server(world)
    server = world.server(auth_required=False)
    world.run(0.05)
    answer_dial(world, server, slow)
    world.run(3)
    assert [s.kind.value for s in server.broker.peers.servers()] == ["server"]
    slow.capabilities, slow.wire_role = (pb.BATCH, pb.SUBSCRIPTION_UPDATES), pb.COMMUNICATION_SERVER_HUB
    slow.prove()
    world.run()
    assert [s.kind.value for s in server.broker.peers.servers()] == ["hub"]
    assert server.state.router.uplink is not None
    assert [m.version for m in slow.of_type(pb.SUBSCRIPTION)] == [0, 1]
    assert server.broker.counters.joins == 1


def test_an_old_server_may_dial_us() -> None:
    world = World()
    server = world.server(auth_required=False)
    old = old_server(world).connect(server)
    world.run()
    assert [s.alias for s in server.broker.peers.servers()] == [old.alias]
    assert [m.type for m in old.messages] == [pb.SUBSCRIPTION]


def test_a_server_that_says_goodbye_is_not_dialed_again() -> None:
    world = World()
    one = world.server()
    world.run()
    other = world.server()
    world.run()
    one.feed(ev.DrainRequested())
    world.run(10)
    assert one.broker.counters.closes == {"SERVER_STOPPING": 1}
    assert other.broker.peers.servers() == []
    assert len(connects(other)) == 1
    assert any("4102" in line for line in other.logged())


def test_there_are_no_more_server_links_than_allowed() -> None:
    world = World()
    servers = [world.server() for _ in range(4)]
    late = world.server(max_servers=2)
    world.run(5)
    assert sum(matrix(late, *servers)[0]) == 2


def test_a_place_for_a_server_link_that_becomes_free_is_taken() -> None:
    world = World()
    servers = [world.server() for _ in range(4)]
    late = world.server(max_servers=2)
    world.run(5)
    next(server for server in servers if late.links_to(server)).die()
    world.run(60)
    assert sum(matrix(late, *servers)[0]) == 2


def test_the_welcome_may_name_anything() -> None:
    world = World()
    server = world.server(alias=5)
    world.run()
    server.on_signal(signalling.welcome(5, [0, 5, 7, 7]))
    world.run(0.01)
    assert connects(server) == [7]
    assert [m for m in server.outputs if isinstance(m, SendSignal)]


def test_a_token_for_a_client_never_makes_a_server() -> None:
    world = World()
    server = world.server()
    fraud = Client(
        world, role=TokenRole.COMMUNICATION_SERVER, wire_role=pb.COMMUNICATION_SERVER, auth=token("eve").encode()
    ).connect(server)
    world.run()
    assert server.broker.peers.servers() == []
    fraud.send(pb.SubscriptionUpdateMessage(type=pb.SUBSCRIPTION_UPDATE, version=1, added=["t"]).SerializeToString())
    world.run()
    assert server.broker.topic_count == 0
    assert [code for code, _ in fraud.errors] == [Code.UNEXPECTED_MESSAGE]
