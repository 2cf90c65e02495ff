"""Being joined: subscriptions, packets, pings, tokens; and the ways to lose a server and come back."""

from __future__ import annotations

import random

import pytest

from protocol import packets, signalling
from protocol.batch import batch, group_frame
from protocol.codes import Code
from protocol.keys import secret_key
from protocol.limits import PeerLimits
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole, sign
from rtcbroker.core import events
from rtcbroker.core.errors import AuthError, RequestRefused, SubscriptionRefused
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.packet import Packet
from rtcbroker.core.states import ClientState
from tests.support.session_world import ALIAS, ALL, NOW, SessionWorld, asked, one, only, sent, sets, signals, states
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


def token(lifetime_s: float) -> str:
    return sign(secret_key("s" * 32), subject="me", role=TokenRole.CLIENT, now=NOW, lifetime_s=lifetime_s)


# --------------------------------------------------------------------------------------------------------- subscribing


def test_the_set_is_sent_whole_and_settles_when_it_is_acknowledged() -> None:
    world = joined(5)
    assert sets(world.subscribe("a", "b")) == [(1, {"a", "b"})]
    assert world.subscribe("b") == []  # nothing the server does not know
    assert sets(world.subscribe("c")) == [(2, {"a", "b", "c"})]
    assert world.subscribed(1, 1) == [events.SubscriptionsSettled()]
    assert world.subscriptions.acknowledged("a") == world.now
    assert world.subscriptions.acknowledged("c") is None


def test_topics_held_before_the_join_are_sent_with_it() -> None:
    world = SessionWorld()
    world.start()
    assert world.subscribe("a") == []
    world.opened()
    world.welcome(5)
    outputs = world.join(5, 1)
    assert sets(outputs) == [(1, {"a"})]
    # Whoever waits to be connected may publish at once: the set goes first.
    assert isinstance(outputs[-1], events.StateChanged)


def test_refused_topics_are_told() -> None:
    world = joined(5)
    world.subscribe("a", "secret")
    outputs = world.subscribed(1, 1, [("secret", Code.NOT_ALLOWED)])
    error = one(outputs, events.Refused).error
    assert isinstance(error, SubscriptionRefused)
    assert error.topics == {"secret": Code.NOT_ALLOWED}


def test_a_large_set_is_zipped_and_one_too_large_refused_without_sending() -> None:
    world = joined(5)
    message = one(world.subscribe(*(f"room/{number}" for number in range(2_000))), events.SendPacket)
    assert len(message.data) < 8_000
    world.subscribed(1, 1)
    chance = random.Random(1)
    outputs = world.subscribe(*(f"{chance.getrandbits(500):x}" for _ in range(2_000)))
    assert sent(outputs) == []
    error = one(outputs, events.Refused).error
    assert isinstance(error, SubscriptionRefused)
    assert len(error.topics) == 2_000
    assert set(error.topics.values()) == {Code.MESSAGE_TOO_LARGE}
    assert world.subscriptions.settled_version == 2


def test_a_server_that_acknowledges_nothing_is_not_waited_for() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5)
    world.open_link(5, 1)
    world.ready(1, capabilities=[pb.BATCH])
    world.subscribe("a")
    assert world.subscriptions.settled_version == 1


# ------------------------------------------------------------------------------------------------------------- packets


def test_packets_reach_their_subscribers_and_leave_nothing_to_do() -> None:
    world = joined(5)
    world.subscribe("a")
    data = batch([group_frame("a", [3, ALIAS], [b"x", b"mine"])])
    assert world.message(1, data, reliable=False) == []
    assert world.received == [Packet("a", 3, b"x", reliable=False)]
    assert world.stats.bytes_received >= len(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"\x08\x01", batch([group_frame("a", [1], [b"x", b"y"])]), packets.topic("a", b"x"), b"\x08\x65\x12\x05abc"],
)
def test_what_is_no_packet_is_dropped_and_counted(data: bytes) -> None:
    world = joined(5)
    assert world.message(1, data) == []
    assert world.stats.dropped["undecodable"] == 1
    assert world.state is ClientState.CONNECTED


def test_a_packet_of_a_newer_server_is_skipped() -> None:
    world = joined(5)
    assert world.message(1, b"\x08\x7e") == []
    assert world.stats.dropped["undecodable"] == 0


def test_an_error_is_told_and_the_link_lives_on() -> None:
    world = joined(5)
    error = one(world.message(1, packets.error(Code.NOT_ALLOWED, name="a")), events.Refused).error
    assert isinstance(error, RequestRefused)
    assert (error.code, error.topic) == (Code.NOT_ALLOWED, "a")
    assert world.state is ClientState.CONNECTED


def test_the_limits_of_ready_are_kept() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5)
    world.open_link(5, 1)
    world.message(1, packets.ready(0, ALL, PeerLimits(max_message_bytes=9_000)))
    link = world.session.joined
    assert link is not None
    assert link.max_message_bytes == 9_000
    assert world.session.alias == ALIAS  # READY named none


# --------------------------------------------------------------------------------------------------------------- pings


def test_a_ping_comes_back_with_its_time() -> None:
    world = joined(5)
    number, outputs = world.session.ping(world.now)
    message = one(outputs, events.SendPacket)
    assert message.reliable
    world.wait(0.25)
    echo = one(world.message(1, message.data), events.PingEchoed)
    assert echo.number == number
    assert echo.seconds == pytest.approx(0.25)


@pytest.mark.parametrize("reliable", [True, False])
def test_the_servers_ping_is_echoed_byte_for_byte_on_its_channel(reliable: bool) -> None:
    world = joined(5)
    data = packets.ping(123.0) + b"\xc2\x3e\x01x"  # with a field nobody knows
    assert world.message(1, data, reliable=reliable) == [events.SendPacket(data, reliable)]


def test_a_ping_needs_a_server() -> None:
    with pytest.raises(RuntimeError):
        SessionWorld().session.ping(NOW)


def test_a_silent_server_is_pinged_then_lost() -> None:
    world = joined(5, 6)
    outputs = world.wait(14.9)
    assert [packet.type for packet in sent(outputs)] == [pb.PING, pb.PING]
    outputs = world.wait(0.1)
    assert states(outputs) == [ClientState.RECONNECTING]
    assert outputs[0] == events.CloseLink(1)
    assert asked(outputs) == [6]


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
    assert one(world.wait(0.25), events.DialCoordinator) == events.DialCoordinator(ALIAS, "proof", "")
    assert world.socket_ended() == []
    outputs = world.wait(0.5)
    one(outputs, events.DialCoordinator)
    world.opened()
    assert world.welcome(6, 5, alias=99) == []  # no CONNECT: there is a server
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


# --------------------------------------------------------------------------------------------------------- token, end


def test_a_fresh_token_goes_to_the_server_before_the_old_one_expires() -> None:
    world = SessionWorld(ClientOptions(ping_interval=1_000, link_timeout=2_000), renewable=True)
    world.start()
    world.feed(events.TokenReceived(token(100)))
    world.opened()
    world.welcome(5)
    world.join(5, 1)
    assert world.wait(79.9) == []
    assert world.wait(0.2) == [events.AskToken()]
    outputs = world.feed(events.TokenReceived("fresh"))
    assert [packet.body for packet in sent(outputs) if isinstance(packet, pb.AuthMessage)] == [b"fresh"]
    assert world.ready(1) == []


def test_a_renewal_that_fails_is_tried_again() -> None:
    world = SessionWorld(ClientOptions(ping_interval=1_000, link_timeout=2_000), renewable=True)
    world.start()
    world.feed(events.TokenReceived(token(100)))
    world.opened()
    world.welcome(5)
    world.join(5, 1)
    one(world.wait(80.1), events.AskToken)
    assert world.feed(events.TokenFailed("away")) == []
    one(world.wait(5.1), events.AskToken)
    assert world.state is ClientState.CONNECTED


def test_closing_ends_everything_and_nothing_follows() -> None:
    world = joined(5)
    assert world.feed(events.Stop()) == [events.CloseLink(1), events.HangUp(), events.StateChanged(ClientState.CLOSED, None)]
    assert world.session.next_deadline() is None
    assert world.feed(events.Stop()) == []
    assert world.ready(1) == []
    assert world.session.joined is None
    assert signals(world.wait(100.0)) == []
