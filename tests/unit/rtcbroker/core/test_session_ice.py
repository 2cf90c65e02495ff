"""Which ICE servers a link is made with: the application's, WELCOME's, or those that came since; and what is said when they fail."""

from __future__ import annotations

from protocol import signalling
from protocol.codes import Code
from protocol.ice import IceGrant, IceServer
from rtcbroker.core import events
from rtcbroker.core.options import ClientOptions
from tests.support.session_world import SessionWorld, asked, one
from transport.link import LinkEnd

STUN = IceServer("stun:a")
OWN = IceServer("stun:own")
LIFETIME_S = 100.0


def grant(user: str) -> IceGrant:
    return IceGrant((STUN, IceServer("turn:b", user, "hush")), LIFETIME_S)


def asking(options: ClientOptions | None = None) -> SessionWorld:
    """A client that was welcomed with ICE servers and waits for an offer of server 5."""
    world = SessionWorld(options)
    world.start()
    world.opened()
    world.welcome(5, 6, ice=grant("first"))
    return world


def used(outputs: list[events.Output]) -> tuple[IceServer, ...]:
    return one(outputs, events.AnswerOffer).ice_servers


def test_those_of_welcome_are_used() -> None:
    assert used(asking().offer(5)) == grant("first").servers


def test_an_old_coordinator_gives_none() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, resume="")
    assert used(world.offer(5)) == ()


def test_the_applications_own_are_used_instead_even_where_they_are_none() -> None:
    assert used(asking(ClientOptions(ice_servers=(OWN,))).offer(5)) == (OWN,)
    assert used(asking(ClientOptions(ice_servers=())).offer(5)) == ()


def test_new_ones_replace_them_for_links_made_from_then_on() -> None:
    world = asking()
    assert world.signal(signalling.ice_servers(grant("second"))) == []
    assert used(world.offer(5)) == grant("second").servers
    world.feed(events.LinkAnswered(1, "the answer"))
    world.feed(events.LinkOpened(1))
    world.ready(1)
    assert world.signal(signalling.ice_servers(grant("third"))) == [], "the link that is there is not affected"
    assert asked(world.feed(events.LinkEnded(1, LinkEnd.SILENT))) == []
    world.wait(1.0)
    world.opened()
    world.welcome(5, 6, ice=grant("fourth"))
    assert used(world.offer(5)) == grant("fourth").servers


def test_a_link_long_after_welcome_is_made_with_what_came_since() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6, ice=grant("first"))
    world.join(5, 1)
    for _ in range(10):
        world.now += LIFETIME_S * 0.7
        world.signal(signalling.ice_servers(grant(f"at {world.now}")))
    assert asked(world.feed(events.LinkEnded(1, LinkEnd.REMOTE))) == [6]
    assert used(world.offer(6)) == grant(f"at {world.now}").servers


def test_credentials_that_have_ended_are_not_tried() -> None:
    world = asking()
    world.now += LIFETIME_S
    assert used(world.offer(5)) == (STUN,)


def test_what_ice_servers_did_not_do_stands_in_the_reason() -> None:
    world = asking()
    world.offer(5)
    world.feed(events.LinkAnswered(1, "the answer"))
    world.feed(events.LinkEnded(1, LinkEnd.FAILED, "turn:b: 401 Unauthorized"))
    assert world.session.failure.code == Code.LINK_LOST
    assert world.session.failure.reason == "the link ended (failed): turn:b: 401 Unauthorized"
