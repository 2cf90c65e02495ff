"""The ways to lose a server, or the coordinator, and to come back."""

from __future__ import annotations

import pytest

from protocol import packets, signalling
from protocol.codes import Code
from protocol.keys import secret_key
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole, sign
from rtcbroker.core import events
from rtcbroker.core.errors import AuthError
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.states import ClientState
from tests.support.session_world import ALIAS, NOW, URL, SessionWorld, asked, one, only, sent, sets, states
from transport.link import LinkEnd


def joined(*servers: int, options: ClientOptions | None = None) -> SessionWorld:
    world = SessionWorld(options)
    world.connect(*servers)
    return world


def stable(*servers: int) -> SessionWorld:
    """Joined long enough that a loss is no failed attempt."""
    world = joined(*servers)
    for _ in range(5):
        world.wait(4.0)
        world.message(1, packets.topic_fw(3, b"alive"))
    return world


def joined_with_function() -> SessionWorld:
    world = SessionWorld(renewable=True)
    world.start()
    world.feed(events.TokenReceived("first"))
    world.opened()
    world.welcome(5)
    world.join(5, 1)
    return world


def token(lifetime_s: float) -> str:
    return sign(secret_key("s" * 32), subject="me", role=TokenRole.CLIENT, now=NOW, lifetime_s=lifetime_s)


# ---------------------------------------------------------------------------------------------------- losing a server


def test_a_lost_server_leads_to_the_next_with_all_subscriptions() -> None:
    world = stable(5, 6, 7)
    world.subscribe("a")
    world.subscribed(1, 1)
    world.subscribe("b")
    outputs = world.feed(events.LinkEnded(1, LinkEnd.SILENT))
    assert states(outputs) == [ClientState.RECONNECTING]
    assert asked(outputs) == [6]
    assert world.subscriptions.acknowledged("a") is None
    outputs = world.join(6, 2)
    assert sets(outputs) == [(3, {"a", "b"})]
    assert states(outputs) == [ClientState.CONNECTED]
    world.subscribed(2, 3)
    assert world.subscriptions.acknowledged("b") == world.now
    assert (world.stats.joins, world.stats.reconnects) == (2, 1)


def test_the_last_of_an_old_list_is_hurried_since_the_coordinator_may_know_a_newer_one() -> None:
    world = stable(5, 6)
    assert asked(world.feed(events.LinkEnded(1, LinkEnd.SILENT))) == [6]
    world.offer(6)
    world.feed(events.LinkAnswered(2, "the answer"))
    assert world.wait(2.9) == []
    assert world.wait(0.1) == [events.CloseLink(2), events.HangUp()]
    one(world.wait(0.25), events.DialCoordinator)
    world.opened()
    assert asked(world.welcome(7, 6)) == [7]


def test_a_loss_soon_after_the_join_counts_as_a_failed_attempt() -> None:
    world = joined(5, 6)
    outputs = world.feed(events.LinkEnded(1, LinkEnd.REMOTE))
    assert outputs[1:] == [events.StateChanged(ClientState.RECONNECTING, world.session.failure), events.HangUp()]
    one(world.wait(0.25), events.DialCoordinator)
    world.opened()
    world.welcome(5, 6)
    world.join(5, 2)
    world.feed(events.LinkEnded(2, LinkEnd.REMOTE))
    assert world.session.next_deadline() == pytest.approx(world.now + 0.5)


def test_a_server_that_closes_with_passing_trouble_is_taken_again() -> None:
    world = stable(5, 6)
    assert asked(world.message(1, packets.close(Code.SLOW_CONSUMER))) == [5]


@pytest.mark.parametrize("code", [Code.SERVER_DRAINING, Code.SERVER_STOPPING, 4199])
def test_a_server_that_sends_us_elsewhere_is_left(code: int) -> None:
    world = stable(5, 6)
    data = pb.CloseMessage(type=pb.CLOSE, code=code, reason="told").SerializeToString()
    outputs = world.message(1, data)
    assert asked(outputs) == [6]
    assert one(outputs, events.StateChanged).cause == world.session.failure
    assert world.session.failure.code == code
    # What the transport says of that link afterwards is old news.
    assert world.feed(events.LinkEnded(1, LinkEnd.REMOTE)) == []


def test_with_no_other_server_the_coordinator_is_asked_for_a_fresh_list() -> None:
    world = stable(5)
    outputs = world.feed(events.LinkEnded(1, LinkEnd.SILENT))
    assert outputs[-1] == events.HangUp()
    one(world.wait(0.25), events.DialCoordinator)
    world.opened()
    assert asked(world.welcome(5)) == [5]  # it is back


def test_an_expired_fixed_token_is_the_end() -> None:
    world = SessionWorld(token=token(100))
    world.connect(5)
    outputs = world.message(1, packets.close(Code.TOKEN_EXPIRED))
    assert states(outputs) == [ClientState.CLOSED]
    assert isinstance(one(outputs, events.StateChanged).cause, AuthError)


def test_an_expired_token_of_a_function_is_replaced() -> None:
    world = SessionWorld(renewable=True)
    world.start()
    world.feed(events.TokenReceived(token(1_000)))
    world.opened()
    world.welcome(5)
    world.join(5, 1)
    outputs = world.message(1, packets.close(Code.TOKEN_EXPIRED))
    assert states(outputs) == [ClientState.RECONNECTING]
    one(world.wait(0.0), events.AskToken)


def test_each_token_that_was_accepted_earns_a_second_chance() -> None:
    world = SessionWorld(renewable=True)
    world.start()
    for link in (1, 2, 3):
        world.feed(events.TokenReceived(token(1_000)))
        world.opened()
        world.welcome(5)
        world.join(5, link)
        world.message(link, packets.close(Code.TOKEN_EXPIRED))
        one(world.wait(0.0), events.AskToken)


# -------------------------------------------------------------------------------- the coordinator, while we are joined


def test_a_coordinator_that_goes_does_not_touch_the_link() -> None:
    world = joined(5)
    assert world.socket_ended() == []
    assert world.state is ClientState.CONNECTED
    assert one(world.wait(0.25), events.DialCoordinator) == events.DialCoordinator(URL, ALIAS, "proof", "")
    assert world.socket_ended() == []
    outputs = world.wait(0.5)
    one(outputs, events.DialCoordinator)
    world.opened()
    assert world.welcome(6, 5, alias=99) == [events.CoordinatorJoined("coordinator:9090")]  # no CONNECT: there is a server
    assert world.session.alias == ALIAS  # on this link it still is
    assert world.server == 5


def test_a_coordinator_that_was_there_again_is_dialed_with_short_pauses_again() -> None:
    world = joined(5)
    for pause in (0.25, 0.5, 1.0):
        world.socket_ended()
        one(world.wait(pause), events.DialCoordinator)
    world.opened()
    world.welcome(5)
    world.socket_ended()
    one(world.wait(0.25), events.DialCoordinator)


def test_the_list_of_the_last_welcome_counts() -> None:
    world = stable(5, 6)
    world.socket_ended()
    world.wait(0.25)
    world.opened()
    world.welcome(8, 5)
    assert asked(world.feed(events.LinkEnded(1, LinkEnd.SILENT))) == [8]


def test_a_server_lost_while_the_coordinator_is_away_makes_it_wanted() -> None:
    world = stable(5, 6)
    for pause in (0.25, 0.5, 1.0, 2.0):
        world.socket_ended()
        one(world.wait(pause), events.DialCoordinator)
        world.message(1, packets.topic_fw(3, b"alive"))
    world.socket_ended()
    assert only(world.feed(events.LinkEnded(1, LinkEnd.SILENT)), events.SendSignal) == []
    one(world.wait(0.0), events.DialCoordinator)  # not after a pause of four seconds
    world.opened()
    assert asked(world.welcome(6)) == [6]


def test_a_coordinator_that_refuses_the_token_meanwhile_decides_nothing() -> None:
    world = SessionWorld(renewable=True)
    world.start()
    world.feed(events.TokenReceived(token(1_000)))
    world.opened()
    world.welcome(5)
    world.join(5, 1)
    world.socket_ended()
    world.wait(0.25)
    assert world.socket_ended(Code.AUTH_FAILED) == []
    assert world.state is ClientState.CONNECTED
    one(world.wait(0.5), events.AskToken)  # a fresh one for the next dial


def test_a_token_function_that_fails_after_a_loss_is_asked_for_ever() -> None:
    world = joined_with_function()
    world.message(1, packets.close(Code.TOKEN_EXPIRED))
    one(world.wait(0.0), events.AskToken)
    for _ in range(50):
        error = one(world.feed(events.TokenFailed("away")), events.Refused).error
        assert str(error).endswith("the token function failed: away")
        one(world.wait(10.0), events.AskToken)
    assert world.state is ClientState.RECONNECTING
    one(world.feed(events.TokenReceived("fresh")), events.DialCoordinator)


# -------------------------------------------------------------------------------------------------- a revoked token


def test_a_revoked_fixed_token_is_the_end_whoever_says_so() -> None:
    for by_server in (True, False):
        world = SessionWorld(token="fixed")
        world.connect(5)
        told = world.message(1, packets.close(Code.TOKEN_REVOKED)) if by_server else world.socket_ended(Code.TOKEN_REVOKED)
        change = one(told, events.StateChanged)
        assert change.state is ClientState.CLOSED
        assert isinstance(change.cause, AuthError)
        assert change.cause.code == Code.TOKEN_REVOKED
        assert only(world.wait(100.0), events.DialCoordinator) == []


def test_after_a_revocation_a_function_gives_another_token_and_the_client_goes_on() -> None:
    world = joined_with_function()
    assert states(world.message(1, packets.close(Code.TOKEN_REVOKED))) == [ClientState.RECONNECTING]
    one(world.wait(0.0), events.AskToken)
    assert one(world.feed(events.TokenReceived("second")), events.DialCoordinator).token == "second"
    world.opened()
    world.welcome(5)
    assert [packet.body for packet in sent(world.open_link(5, 2)) if isinstance(packet, pb.AuthMessage)] == [b"second"]
    world.ready(2)
    assert world.state is ClientState.CONNECTED


def test_a_coordinator_that_tells_of_the_revocation_first_is_not_shown_that_token_again() -> None:
    world = joined_with_function()
    assert world.socket_ended(Code.TOKEN_REVOKED) == []
    outputs = world.wait(0.25)
    one(outputs, events.AskToken)
    assert only(outputs, events.DialCoordinator) == []
    world.message(1, packets.close(Code.TOKEN_REVOKED))
    assert one(world.feed(events.TokenReceived("second")), events.DialCoordinator).token == "second"


def test_a_revoked_token_is_not_shown_to_the_server_that_is_being_joined() -> None:
    world = SessionWorld(renewable=True)
    world.start()
    world.feed(events.TokenReceived("first"))
    world.opened()
    world.welcome(5)
    world.offer(5)
    world.feed(events.LinkAnswered(1, "the answer"))
    assert events.CloseLink(1) in world.socket_ended(Code.TOKEN_REVOKED)
    assert world.feed(events.LinkOpened(1)) == []
    one(world.wait(0.25), events.AskToken)


def test_a_second_token_that_is_revoked_too_is_the_end() -> None:
    world = joined_with_function()
    world.message(1, packets.close(Code.TOKEN_REVOKED))
    world.wait(0.0)
    world.feed(events.TokenReceived("second"))
    cause = one(world.socket_ended(Code.TOKEN_REVOKED, "HTTP 401"), events.StateChanged).cause
    assert isinstance(cause, AuthError)
    assert cause.code == Code.TOKEN_REVOKED


# ------------------------------------------------------------------------------------------------------------ probes


def test_a_server_whose_socket_is_gone_is_probed_and_lost_if_it_says_nothing() -> None:
    world = joined(5, 6)
    assert [packet.type for packet in sent(world.signal(signalling.peer_gone(5)))] == [pb.PING]
    assert world.wait(0.9) == []
    assert states(world.wait(0.1)) == [ClientState.RECONNECTING]


def test_a_server_that_only_lost_its_coordinator_lives_on() -> None:
    world = joined(5, 6)
    ping = one(world.signal(signalling.peer_gone(5)), events.SendPacket)
    world.wait(0.5)
    world.message(1, ping.data)
    world.wait(2.0)
    assert world.state is ClientState.CONNECTED
    assert world.signal(signalling.peer_gone(6)) == []
