"""A peer that wants to restart ICE, by whatever description it has: refused, told so, and its link lives on."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from protocol import signalling
from protocol.codes import Code
from protocol.limits import MAX_ERRORS
from protocol.pb import broker_pb2 as pb
from tests.support.world import World
from tests.support.world_client import joined

SDP = "v=0 and another user name fragment"
Describe = Callable[[int, str], bytes]


@pytest.mark.parametrize("describe", [signalling.offer, signalling.answer])
def test_a_description_on_a_link_that_is_up_is_refused_and_the_link_lives_on(describe: Describe) -> None:
    world = World()
    server = world.server()
    client, other = joined(world, server, "t"), joined(world, server)
    session = next(iter(server.broker.peers.of_alias(client.alias)))
    client.signal(describe(server.alias, SDP))
    world.run(0.1)
    assert [code for code, _ in client.errors] == [Code.UNEXPECTED_MESSAGE]
    assert any("CONNECT makes a new link" in error.reason for error in client.of_type(pb.ERROR))
    assert any("that was not asked for" in line for line in server.logged(logging.DEBUG))
    assert server.broker.counters.errors["UNEXPECTED_MESSAGE"] == 1
    assert next(iter(server.broker.peers.of_alias(client.alias))) is session
    other.publish("t", b"still here")
    world.run(0.1)
    assert client.bodies == [b"still here"]
    assert other.errors == []


def test_who_goes_on_is_closed_in_the_end() -> None:
    world = World()
    server = world.server()
    client = joined(world, server)
    for _ in range(MAX_ERRORS + 1):
        client.signal(signalling.answer(server.alias, SDP))
    world.run(0.1)
    assert client.close_codes == [Code.TOO_MANY_ERRORS]
    assert len(client.errors) < MAX_ERRORS / 2, "a flood is not answered by a flood"


def test_connect_makes_a_new_link_that_takes_the_old_ones_place() -> None:
    world = World()
    server = world.server()
    client = joined(world, server)
    client.connect(server)
    world.run(0.2)
    assert not client.errors
    assert len(server.broker.peers) == 1
