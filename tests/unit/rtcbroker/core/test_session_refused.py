"""Refusals and what they mean, attempts that are limited, and servers that know Part 1 only."""

from __future__ import annotations

import pytest

from protocol import signalling
from protocol.codes import Code
from protocol.keys import secret_key
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole, sign
from rtcbroker.core import events
from rtcbroker.core.credentials import AUTH_CODES
from rtcbroker.core.errors import AuthError, ConnectError
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.states import ClientState
from tests.support.session_world import ALIAS, NOW, URL, SessionWorld, asked, one, sent, sets, states
from transport.link import LinkEnd

# ------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize("code", sorted(AUTH_CODES))
def test_a_fixed_token_that_is_refused_is_the_end(code: Code) -> None:
    world = SessionWorld(token="secret")
    world.start()
    outputs = world.socket_ended(code, "HTTP 401")
    change = one(outputs, events.StateChanged)
    assert change.state is ClientState.CLOSED
    assert isinstance(change.cause, AuthError)
    assert (change.cause.code, change.cause.reason) == (code, "HTTP 401")
    assert world.session.next_deadline() is None
    assert world.wait(1_000) == []


def test_a_token_function_gets_one_second_chance_and_no_third() -> None:
    world = SessionWorld(renewable=True)
    world.start()
    world.feed(events.TokenReceived("stale"))
    assert world.socket_ended(Code.TOKEN_EXPIRED) == []
    one(world.wait(0.0), events.AskToken)
    assert one(world.feed(events.TokenReceived("fresh")), events.DialCoordinator).token == "fresh"
    assert isinstance(one(world.socket_ended(Code.TOKEN_EXPIRED), events.StateChanged).cause, AuthError)


def test_a_token_the_server_refuses_is_treated_alike() -> None:
    world = SessionWorld(renewable=True)
    world.start()
    world.feed(events.TokenReceived("stale"))
    world.opened()
    world.welcome(5, 6)
    world.open_link(5, 1)
    outputs = world.message(1, _close(Code.AUTH_FAILED))
    assert outputs == [events.CloseLink(1), events.HangUp()]
    one(world.wait(0.0), events.AskToken)
    world.feed(events.TokenReceived("fresh"))
    world.opened()
    world.welcome(5, 6)
    assert sent(world.open_link(5, 2))[0].body == b"fresh"  # type: ignore[union-attr]  # it is AUTH
    world.ready(2)
    assert world.state is ClientState.CONNECTED


def test_keys_that_cannot_be_had_just_now_are_no_refusal() -> None:
    world = SessionWorld(token="secret")
    world.start()
    assert world.socket_ended(Code.TOKEN_UNVERIFIABLE) == []
    one(world.wait(0.25), events.DialCoordinator)


@pytest.mark.parametrize("code", [Code.BAD_MESSAGE, Code.TOO_MANY_ERRORS, 4299])
def test_told_never_to_come_back_the_client_closes(code: int) -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6)
    world.open_link(5, 1)
    outputs = world.message(1, _close(code))
    cause = one(outputs, events.StateChanged).cause
    assert isinstance(cause, ConnectError)
    assert not isinstance(cause, AuthError)
    assert cause.code == code
    assert outputs[:2] == [events.CloseLink(1), events.HangUp()]


def test_an_auth_that_came_too_late_is_passing_trouble() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6)
    world.open_link(5, 1)
    assert asked(world.message(1, _close(Code.AUTH_TIMEOUT))) == [6]


def test_attempts_may_be_limited() -> None:
    world = SessionWorld(ClientOptions(max_attempts=2))
    world.start()
    world.socket_ended()
    world.wait(0.25)
    world.opened()
    world.welcome(5)
    outputs = world.signal(signalling.refused(ALIAS, 5, Code.SERVER_FULL))
    cause = one(outputs, events.StateChanged).cause
    assert isinstance(cause, ConnectError)
    assert cause.code == Code.SERVER_FULL


def test_only_failures_in_a_row_are_counted() -> None:
    world = SessionWorld(ClientOptions(max_attempts=2))
    for link in (1, 2, 3):
        world.start() if link == 1 else world.wait(1.0)
        world.opened()
        world.welcome(5)
        world.join(5, link)
        world.feed(events.LinkEnded(link, LinkEnd.REMOTE))  # so soon that it is a failed attempt
        assert world.state is ClientState.RECONNECTING


# ------------------------------------------------------------------------------------------------------- old servers


def test_behind_an_old_coordinator_a_server_without_ready_is_an_old_one() -> None:
    world = SessionWorld(token="secret")
    world.start()
    world.opened()
    world.welcome(5, resume="")
    world.subscribe("a")
    world.open_link(5, 1)
    assert world.wait(1.4) == []
    outputs = world.wait(0.1)
    assert states(outputs) == [ClientState.CONNECTED]
    assert sets(outputs) == [(1, {"a"})]
    link = world.session.joined
    assert link is not None
    assert (link.batched, link.max_message_bytes) == (False, 5_120)
    assert world.delivery.alias == ALIAS
    # It acknowledges nothing: what was sent counts as in force.
    assert world.subscriptions.acknowledged("a") == world.now
    assert world.subscriptions.settled_version == 1
    world.socket_ended()
    assert one(world.wait(0.25), events.DialCoordinator) == events.DialCoordinator(URL, 0, "", "secret")


def test_behind_an_old_coordinator_there_may_be_a_new_server() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, resume="")
    world.open_link(5, 1)
    world.ready(1)
    link = world.session.joined
    assert link is not None
    assert link.batched


def test_an_old_server_is_not_sent_a_second_auth() -> None:
    world = SessionWorld(renewable=True)
    world.start()
    world.feed(events.TokenReceived(_token(100)))
    world.opened()
    world.welcome(5, resume="")
    world.open_link(5, 1)
    world.wait(1.5)
    world.subscribe("a")
    outputs: list[events.Output] = []
    for _ in range(25):  # so often that the link stays alive
        outputs += world.wait(4.0)
        world.message(1, _topic_fw())
    one(outputs, events.AskToken)
    assert sent(world.feed(events.TokenReceived(_token(200)))) == []


def _token(lifetime_s: float) -> str:
    return sign(secret_key("s" * 32), subject="me", role=TokenRole.CLIENT, now=NOW, lifetime_s=lifetime_s)


def _topic_fw() -> bytes:
    return pb.TopicFWMessage(type=pb.TOPIC_FW, from_alias=3, body=b"x").SerializeToString()


def _close(code: int) -> bytes:
    return pb.CloseMessage(type=pb.CLOSE, code=code, reason="told").SerializeToString()
