"""Several coordinators: those that hang, and what is told of them."""

from __future__ import annotations

from protocol.codes import Code
from rtcbroker.core import events
from rtcbroker.core.options import ClientOptions
from tests.support.session_world import SessionWorld, one, only

URLS = ("ws://a:9090/connect", "wss://me:hush@b/x/connect?key=hush", "ws://c/connect")
HOSTS = {"ws://a:9090/connect": "a:9090", "wss://me:hush@b/x/connect?key=hush": "b", "ws://c/connect": "c"}


def dialed(outputs: list[events.Output]) -> list[str]:
    """URLs, in order."""
    return [dial.url for dial in only(outputs, events.DialCoordinator)]


def test_one_that_hangs_has_half_the_time_while_another_was_not_tried() -> None:
    world = SessionWorld(urls=URLS)
    taken = dialed(world.start())
    for patience, pause in ((2.5, 0.25), (2.5, 0.5), (5.0, 1.0), (5.0, 2.0), (5.0, 4.0)):
        assert world.session.next_deadline() == world.now + patience
        assert world.wait(patience) == [events.HangUp()]
        assert world.session.failure.code == Code.TIMEOUT
        assert world.session.failure.reason == f"the coordinator did not answer in time: {HOSTS[taken[-1]]} cannot be reached"
        taken += dialed(world.wait(pause))
    assert set(taken[:3]) == set(URLS)
    assert taken[3:] == taken[:3]


def test_two_of_three_that_hang_leave_time_for_the_third() -> None:
    world = SessionWorld(urls=URLS)
    world.start()
    assert len(dialed(world.wait(6.0))) == 2
    assert ClientOptions().connect_timeout > 6.0
    world.connect(5)
    assert world.server == 5


def test_welcome_begins_anew() -> None:
    world = SessionWorld(urls=URLS)
    world.start()
    world.wait(6.0)
    world.opened()
    world.welcome()
    one(world.wait(0.25), events.DialCoordinator)
    assert world.wait(2.6) == [events.HangUp()]


def test_it_is_told_once_which_one_has_welcomed_the_client_and_nothing_of_its_secrets() -> None:
    world = SessionWorld(urls=URLS[1:2])
    world.start()
    assert only(world.opened(), events.CoordinatorJoined) == []
    assert only(world.welcome(5), events.CoordinatorJoined) == [events.CoordinatorJoined("b")]
    assert only(world.welcome(5, 6), events.CoordinatorJoined) == [], "a fresher list on the same socket"
    world.socket_ended()
    world.wait(0.25)
    world.opened()
    assert only(world.welcome(5), events.CoordinatorJoined) == [events.CoordinatorJoined("b")]


def test_one_alone_has_all_the_time_and_says_nothing_of_its_secrets() -> None:
    world = SessionWorld(urls=URLS[1:2], token="secret")
    world.start()
    world.opened()
    assert world.wait(4.9) == []
    assert world.wait(0.2) == [events.HangUp()]
    told = str(world.session.failure)
    assert "no WELCOME from the coordinator in time: b took the connection" in told
    assert not any(secret in told for secret in ("hush", "secret", "/x"))
