"""The end of a server: nobody new, everyone here moved one after the other, then out."""

from __future__ import annotations

from typing import Any

import pytest

from commserver.core import events as ev
from commserver.core import session as sessions
from commserver.core.lame_duck import MOVE_GRACE_S
from protocol import operations
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.support.world import Server, World, token
from tests.support.world_client import MOVING, OLD, Client, joined

SECONDS = 8.0


@pytest.fixture
def world() -> World:
    return World()


def statuses(server: Server) -> list[Any]:
    return [message for message in server.signals() if isinstance(message, pb.ServerStatusMessage)]


def moves(client: Client) -> list[pb.MoveMessage]:
    return [message for message in client.messages if message.type == pb.MOVE]


def test_clients_that_can_are_told_to_move_one_after_the_other(world: World) -> None:
    server = world.server(drain_seconds=SECONDS)
    clients = [joined(world, server, "t", capabilities=MOVING) for _ in range(4)]
    server.feed(ev.DrainRequested())
    assert statuses(server)[-1].draining, "the coordinator sends nobody from now on"
    told = []
    for _ in range(8):
        world.run(SECONDS / 8)
        told.append(sum(len(moves(client)) for client in clients))
    assert told == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [move.code for client in clients for move in moves(client)] == [Code.SERVER_DRAINING] * 4
    left = [moves(client)[0].seconds for client in clients]
    assert left == pytest.approx([13.0, 11.0, 9.0, 7.0])
    clients[0].publish("t", b"still served")
    world.run(0.1)
    assert clients[3].bodies == [b"still served"]
    for client in clients:
        client.leave()
    world.run(1.0)
    assert len(server.broker.peers) == 0
    assert server.broker.draining


def test_all_at_once_where_there_are_no_seconds(world: World) -> None:
    server = world.server(drain_seconds=0.0)
    clients = [joined(world, server, capabilities=MOVING) for _ in range(3)]
    server.feed(ev.DrainRequested())
    world.run(0.1)
    assert all(moves(client) for client in clients)
    world.run(MOVE_GRACE_S - 0.2)
    assert all(client.is_open for client in clients)
    world.run(0.2)
    assert [client.close_codes for client in clients] == [[Code.SERVER_STOPPING]] * 3


def test_who_does_not_understand_is_sent_away_when_the_seconds_are_over(world: World) -> None:
    server = world.server(drain_seconds=SECONDS)
    prompt, lazy, old = joined(world, server, "t"), joined(world, server, "t"), joined(world, server, capabilities=OLD)
    half = Client(world).connect(server)
    half.speaks_first = False
    world.run(0.1)
    server.feed(ev.DrainRequested())
    world.run(0.1)
    assert not half.is_open, "it had not begun here"
    world.run(SECONDS - 0.2)
    assert (prompt.close_codes, lazy.close_codes, old.is_open) == ([], [], True)
    world.run(0.2)
    assert prompt.close_codes == lazy.close_codes == [Code.SERVER_STOPPING]
    assert prompt.is_open
    assert not old.is_open
    prompt.leave()
    world.run(MOVE_GRACE_S - 0.2)
    assert lazy.closed == []
    world.run(0.2)
    assert lazy.closed == ["remote"]
    assert len(server.broker.peers) == 0


def test_a_client_whose_join_was_under_way_is_told_at_once(world: World) -> None:
    server = world.server(drain_seconds=SECONDS)
    joined(world, server, capabilities=MOVING)
    late = Client(world, capabilities=MOVING).connect(server)
    late.speaks_first = False
    world.run(0.1)
    server.feed(ev.DrainRequested())
    world.run(0.1)
    assert late.closed == ["remote"]


def test_it_may_be_told_to_hurry_but_not_to_take_its_time(world: World) -> None:
    server = world.server(drain_seconds=SECONDS)
    first, second = (joined(world, server, capabilities=MOVING) for _ in range(2))
    server.on_signal(operations.drain(600.0))
    world.run(1.0)
    assert (len(moves(first)), len(moves(second))) == (1, 0)
    server.feed(ev.DrainRequested())
    world.run(0.1)
    assert len(moves(second)) == 1
    assert server.broker.drained_by == pytest.approx(world.now - 0.1 + SECONDS + MOVE_GRACE_S)
    by = server.broker.drained_by
    server.on_signal(operations.drain(100.0))
    world.run(0.1)
    assert server.broker.drained_by == by
    assert (len(moves(first)), len(moves(second))) == (1, 1)
    world.run(SECONDS + MOVE_GRACE_S)
    assert len(server.broker.peers) == 0


def test_a_coordinator_may_leave_the_time_to_the_server(world: World) -> None:
    server = world.server(drain_seconds=SECONDS)
    joined(world, server, capabilities=MOVING)
    server.on_signal(operations.drain())
    assert server.broker.drained_by == pytest.approx(world.now + SECONDS + MOVE_GRACE_S)


def test_servers_do_not_hold_up_a_server_that_drains(world: World) -> None:
    server, other = world.server(drain_seconds=60.0), world.server()
    world.run()
    client, far = joined(world, server), joined(world, other, "t")
    world.run()
    server.feed(ev.DrainRequested())
    world.run(1)
    assert server.links_to(other) == 1, "its client needs it"
    client.publish("t", b"last words")
    client.leave()
    world.run(0.5)
    assert far.bodies == [b"last words"]
    assert len(server.broker.peers) == 0


def test_a_server_without_clients_is_drained_at_once(world: World) -> None:
    server, other = world.server(drain_seconds=60.0), world.server()
    world.run()
    server.feed(ev.DrainRequested())
    world.run(0.5)
    assert len(server.broker.peers) == 0
    assert other.broker.peers.servers() == []


def test_a_link_that_is_being_made_does_not_hold_it_up_either(world: World) -> None:
    server = world.server(drain_seconds=60.0)
    client = joined(world, server)
    server.feed(ev.DrainRequested())
    peer = Client(world, role=server.role).connect(server)
    peer.speaks_first = False
    world.run(0.1)
    assert peer.is_open
    client.leave()
    world.run(0.5)
    assert len(server.broker.peers) == 0


def test_a_server_that_comes_while_a_hub_drains_is_told_to_move_too(world: World) -> None:
    hub = world.server(hub=True, drain_seconds=SECONDS)
    joined(world, hub)
    hub.feed(ev.DrainRequested())
    world.run(0.1)
    late = Client(
        world,
        role=TokenRole.COMMUNICATION_SERVER,
        wire_role=pb.COMMUNICATION_SERVER,
        capabilities=sessions.OUR_CAPABILITIES,
        auth=token("commserver", TokenRole.COMMUNICATION_SERVER).encode(),
    ).connect(hub)
    world.run(0.1)
    (told,) = moves(late)
    assert told.code == Code.SERVER_DRAINING
    assert told.seconds == pytest.approx(SECONDS + MOVE_GRACE_S, abs=0.2)
