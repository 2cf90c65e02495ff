"""ICE servers of the links a server dials: those of WELCOME, and those that came since."""

from __future__ import annotations

from commserver.core import events as ev
from protocol import signalling
from protocol.ice import IceGrant, IceServer
from protocol.pb import broker_pb2 as pb
from tests.support.world import Server, World

STUN = IceServer("stun:a")
LIFETIME_S = 100.0
OTHER = 9


def grant(user: str) -> IceGrant:
    return IceGrant((STUN, IceServer("turn:b", user, "hush")), LIFETIME_S)


def dialing(world: World) -> Server:
    """A server that was welcomed with ICE servers and has sent CONNECT to another one."""
    server = world.server(register=False)
    server.feed(ev.SignalReceived(signalling.welcome(server.alias, [OTHER], resume="r", ice=grant("first"))))
    server.feed(ev.DeadlineReached())
    assert [signal.to_alias for signal in server.signals() if isinstance(signal, pb.ConnectMessage)] == [OTHER]
    return server


def used(world: World, server: Server) -> tuple[IceServer, ...]:
    """For the answer to the offer that comes now."""
    _, sdp = world.end(server, 0)
    server.feed(ev.SignalReceived(signalling.offer(server.alias, sdp, from_alias=OTHER)))
    (answer,) = [output for output in server.outputs if isinstance(output, ev.MakeAnswer)]
    return answer.ice_servers


def test_those_of_welcome_are_used() -> None:
    world = World()
    assert used(world, dialing(world)) == grant("first").servers


def test_new_ones_replace_them() -> None:
    world = World()
    server = dialing(world)
    server.feed(ev.SignalReceived(signalling.ice_servers(grant("second"))))
    assert used(world, server) == grant("second").servers
    assert not server.broker.counters.signals_ignored


def test_credentials_that_have_ended_are_not_tried() -> None:
    world = World()
    server = dialing(world)
    world.now += LIFETIME_S
    assert used(world, server) == (STUN,)


def test_a_coordinator_without_any_gives_none() -> None:
    world = World()
    server = dialing(world)
    server.feed(ev.SignalReceived(signalling.welcome(server.alias, [OTHER], resume="r")))
    server.feed(ev.DeadlineReached())
    assert used(world, server) == ()
