"""PUBLISH and REVOKE as they come from a coordinator, and what is no such thing."""

from __future__ import annotations

import pytest

from protocol import operations
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from tests.support.world import World, token
from tests.support.world_client import OLD, Client, Got, joined


@pytest.fixture
def world() -> World:
    return World(window=0.02)


@pytest.mark.parametrize("reliable", [False, True])
def test_a_backends_packet_reaches_everyone_who_wants_it(world: World, reliable: bool) -> None:
    one, other = world.server(), world.server()
    world.run()
    near, far, old = joined(world, one, "t"), joined(world, other, "t"), joined(world, one, "t", capabilities=OLD)
    joined(world, one, "u")
    world.run()
    one.on_signal(operations.publish("t", b"hi", reliable=reliable))
    one.on_signal(operations.publish("t", b"there", reliable=reliable, identity=b"alice", role=pb.CLIENT))
    world.run()
    expected = [Got("t", 0, b"hi", reliable), Got("t", 0, b"there", reliable, b"alice")]
    assert near.got == far.got == expected
    assert old.got == [one._replace(topic="") for one in expected]


def test_what_cannot_be_relayed_is_logged_and_counted(world: World) -> None:
    server = world.server()
    for message in (
        pb.PublishMessage(type=pb.PUBLISH, topic="not a topic", body=b"x"),
        pb.PublishMessage(type=pb.PUBLISH, topic="t", body=bytes(70_000)),
        pb.RevokeMessage(type=pb.REVOKE),
        pb.DrainMessage(type=pb.DRAIN, seconds=-1.0),
    ):
        server.on_signal(message.SerializeToString())
    assert sum(server.broker.counters.signals_ignored.values()) == 4
    assert not server.broker.draining


def test_a_disconnected_client_may_come_back(world: World) -> None:
    server = world.server()
    alice, bob = joined(world, server, subject="alice"), joined(world, server, subject="bob")
    server.on_signal(operations.disconnect(subject="alice"))
    server.on_signal(operations.disconnect(alias=bob.alias))
    world.run()
    assert alice.close_codes == bob.close_codes == [Code.DISCONNECTED]
    assert not alice.is_open
    joined(world, server, subject="alice")


def test_a_revoked_token_is_refused_until_its_time(world: World) -> None:
    server = world.server()
    alice, bob = joined(world, server, subject="alice"), joined(world, server, subject="bob")
    server.on_signal(operations.revoke(subject="alice", until=world.now + 10.0))
    world.run(0.5)
    assert alice.close_codes == [Code.TOKEN_REVOKED]
    assert bob.is_open
    again = Client(world, subject="alice").connect(server)
    world.run(0.5)
    assert again.close_codes == [Code.TOKEN_REVOKED]
    bob.prove(token("bob").encode())
    world.run(0.1)
    assert bob.is_open
    world.run(10.0)
    joined(world, server, subject="alice")


def test_renewing_with_a_revoked_token_ends_the_link(world: World) -> None:
    server = world.server()
    server.on_signal(operations.revoke(subject="carol", until=world.now + 10.0))
    carol = Client(world, subject="carol").connect(server)
    world.run()
    assert carol.close_codes == [Code.TOKEN_REVOKED]
    server.on_signal(operations.lift(subject="carol"))
    joined(world, server, subject="carol")
