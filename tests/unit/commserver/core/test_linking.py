"""A newcomer gets clients once its links stand, and soon in any case."""

from __future__ import annotations

import logging

import pytest

from commserver.core.linking import LINKING_S
from protocol import signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.support.world import Server, World
from tests.support.world_client import Client


def told(server: Server) -> list[bool]:
    """What its statuses said, without repetitions."""
    said = [message.linking for message in server.signals() if isinstance(message, pb.ServerStatusMessage)]
    return [one for number, one in enumerate(said) if number == 0 or one is not said[number - 1]]


def deaf(world: World, role: TokenRole = TokenRole.COMMUNICATION_SERVER) -> Client:
    """A server that never answers."""
    client = Client(world, role=role)
    client.on_signal = lambda frame: None  # type: ignore[method-assign]  # nothing reaches it
    return client


def test_the_first_server_is_ready_at_once() -> None:
    world = World()
    server = world.server()
    assert server.gets_clients
    world.run(0.01)
    assert (server.gets_clients, server.broker.linking, told(server)) == (True, False, [False])


def test_a_newcomer_gets_clients_when_its_links_stand() -> None:
    world = World(latency=0.05)
    first, second = world.server(), world.server()
    world.run(0.1)
    third = world.server()
    while not third.gets_clients:
        assert first.gets_clients or not first.broker.alias
        world.run(0.01)
    assert third.links_to(first) == third.links_to(second) == 1
    assert (told(third), third.broker.linking) == ([True, False], False)


@pytest.mark.parametrize("seed", range(20))
def test_who_gets_clients_is_linked_with_all_others_that_do(seed: int) -> None:
    """Whenever they come, and however long each frame takes."""
    world = World(seed, latency=0.01, jitter=0.2)
    servers: list[Server] = []
    for _ in range(5):
        servers.append(world.server())
        for _ in range(world.rng.randrange(20)):
            world.run(0.02)
            given = [server for server in servers if server.gets_clients]
            assert given
            assert all(one.links_to(other) for one in given for other in given if one is not other)
    world.run(LINKING_S)
    assert all(server.gets_clients for server in servers)


def test_a_server_that_cannot_be_linked_gets_clients_all_the_same_and_says_so() -> None:
    world = World()
    deaf(world)
    server = world.server()
    world.run(LINKING_S - 0.1)
    assert (server.gets_clients, server.broker.linking) == (False, True)
    world.run(0.2)
    assert (server.gets_clients, server.broker.linking) == (True, False)
    (warning,) = server.logged(logging.WARNING)
    assert warning == "not linked with all other servers after 5 s: clients may come, and miss packets"
    world.run(60)
    assert told(server) == [True, False]


def test_links_that_nobody_needs_are_not_waited_for() -> None:
    world = World()
    gone = deaf(world)
    server = world.server()
    world.run(0.5)
    assert not server.gets_clients
    gone.signal(signalling.refused(server.alias, gone.alias, Code.SERVER_DRAINING))
    world.run(0.01)
    assert server.gets_clients


def test_a_server_that_goes_is_not_waited_for() -> None:
    world = World()
    gone = deaf(world)
    server = world.server()
    world.run(0.5)
    world.unregister(gone)
    server.on_signal(signalling.welcome(server.alias, []))
    world.run(0.01)
    assert server.gets_clients


def test_in_a_star_one_hub_will_do() -> None:
    world = World()
    hub = world.server(hub=True)
    world.run()
    deaf(world, TokenRole.COMMUNICATION_SERVER_HUB)
    server = world.server()
    world.run(0.5)
    assert (server.links_to(hub), server.gets_clients) == (1, True)


def test_a_link_that_is_lost_later_takes_nobodys_clients_away() -> None:
    world = World()
    one, other = world.server(), world.server()
    world.run()
    world.close(next(iter(other.ends.values())), "failed")
    world.run(0.01)
    assert one.links_to(other) == 0
    assert one.gets_clients
    assert other.gets_clients
    assert told(other) == [True, False]


def test_who_comes_back_to_a_coordinator_is_no_newcomer_unless_it_has_a_new_alias() -> None:
    world = World()
    one, other = world.server(), world.server()
    world.run()
    world.coordinator_stops()
    world.run(1)
    world.coordinator_returns()
    world.run(1)
    assert [told(one), told(other)] == [[False], [True, False]]
    other.on_signal(signalling.welcome(4711, [one.alias]))
    assert other.broker.linking
    world.run(2 * LINKING_S)
    assert not other.broker.linking
