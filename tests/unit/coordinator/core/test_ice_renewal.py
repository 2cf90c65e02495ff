"""ICE servers in WELCOME, and new credentials before the old ones end: seen from the sockets."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from coordinator.core.admission import Admission
from coordinator.core.config import CoordinatorConfig
from coordinator.core.ice import IceServers
from coordinator.core.ice_renewal import EARLIEST, LATEST, IceRenewal
from coordinator.core.registry import Registry
from protocol.limits import OLD_PEER_SIGNAL_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.signalling import ice_grant
from protocol.tokens import TokenRole
from tests.support.coordination import NOW, FakePeer, World

LIFETIME_S = 100
SECRET = b"a secret shared with coturn"
SERVERS = IceServers(["stun:a", "turn:b"], turn_secret=SECRET, lifetime_s=LIFETIME_S)
FIXED = IceServers(["turn:b"], username="me", credential="hush")


def renewals(peer: FakePeer) -> list[pb.IceServersMessage]:
    return peer.got(pb.IceServersMessage)


def user(message: pb.WelcomeMessage | pb.IceServersMessage) -> str:
    return ice_grant(message).servers[-1].username


def test_clients_and_servers_get_them_each_its_own() -> None:
    world = World(ice=SERVERS)
    for peer in (world.client(), world.server(), world.server(hub=True)):
        assert ice_grant(peer.welcome) == SERVERS.issue(str(peer.alias), NOW)
        assert user(peer.welcome) == f"{int(NOW) + LIFETIME_S}:{peer.alias}"


def test_an_old_peer_gets_none() -> None:
    world = World(ice=SERVERS)
    for old in (world.client(part2=False), world.server(part2=False)):
        assert not old.welcome.ice_servers
        assert not old.welcome.ice_lifetime
        world.advance(2 * LIFETIME_S)
        assert len(old.raw[0]) < OLD_PEER_SIGNAL_BYTES
        assert not renewals(old)


def test_without_configuration_there_is_nothing_of_it() -> None:
    world = World()
    client = world.client()
    world.advance(100_000)
    assert not client.welcome.ice_servers
    assert not renewals(client)


def test_fixed_credentials_are_not_renewed() -> None:
    world = World(ice=FIXED)
    client = world.client()
    world.advance(100_000)
    assert ice_grant(client.welcome) == FIXED.issue("", NOW)
    assert not renewals(client)


@pytest.mark.parametrize("join", [World.client, World.server])
def test_new_ones_come_before_the_old_ones_end_for_as_long_as_the_socket_lives(join: Callable[[World], FakePeer]) -> None:
    world = World(ice=SERVERS)
    peer = join(world)
    ends, seen = NOW + LIFETIME_S, 0
    while seen < 5:
        world.advance(1)
        for message in renewals(peer)[seen:]:
            assert ends - LIFETIME_S * (1 - EARLIEST) - 1 <= world.now <= ends - LIFETIME_S * (1 - LATEST) + 1
            assert ice_grant(message) == SERVERS.issue(str(peer.alias), float(user(message).split(":")[0]) - LIFETIME_S)
            ends = world.now + LIFETIME_S
            seen += 1
        assert world.now < ends


def test_a_socket_that_is_gone_is_forgotten() -> None:
    world = World(ice=SERVERS)
    client = world.client()
    client.leave()
    assert list(world.core._ice.due(NOW + 2 * LIFETIME_S)) == []
    assert not renewals(client)


def test_the_coordinator_wakes_up_for_it() -> None:
    world = World(ice=SERVERS, ping_interval_s=10 * LIFETIME_S)
    world.client()
    due = world.core.next_deadline()
    assert due is not None
    assert due <= NOW + LIFETIME_S * LATEST


def test_they_do_not_all_come_at_once() -> None:
    world = World(ice=SERVERS)
    clients = [world.client(f"client {number}") for number in range(50)]
    world.advance(LIFETIME_S * (EARLIEST + LATEST) / 2)
    assert 10 < sum(len(renewals(client)) for client in clients) < 40


def test_it_says_when_it_is_due() -> None:
    renewal = IceRenewal(SERVERS, random.Random(1))
    assert renewal.next_deadline() is None
    peer = Registry(CoordinatorConfig(resume_key=b"")).add(7, Admission(TokenRole.CLIENT, "a", part2=True), NOW)
    renewal.grant(peer, NOW)
    due = renewal.next_deadline()
    assert due is not None
    assert NOW + LIFETIME_S * EARLIEST <= due <= NOW + LIFETIME_S * LATEST
    assert list(renewal.due(due - 0.1)) == []
    assert list(renewal.due(due)) == [7]
    assert list(renewal.due(due + LIFETIME_S)) == [], "each once, until there is another grant"
