"""Being joined: subscriptions, packets, pings, tokens."""

from __future__ import annotations

import random

import pytest

from protocol import packets
from protocol.batch import batch, group_frame
from protocol.codes import Code
from protocol.keys import secret_key
from protocol.limits import PeerLimits
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole, sign
from rtcbroker.core import events
from rtcbroker.core.errors import RequestRefused, SubscriptionRefused
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.packet import Packet
from rtcbroker.core.states import ClientState
from tests.support.session_world import ALIAS, ALL, NOW, SessionWorld, asked, one, sent, sets, signals, states


def joined(*servers: int, options: ClientOptions | None = None) -> SessionWorld:
    world = SessionWorld(options)
    world.connect(*servers)
    return world


def token(lifetime_s: float) -> str:
    return sign(secret_key("s" * 32), subject="me", role=TokenRole.CLIENT, now=NOW, lifetime_s=lifetime_s)


# ------------------------------------------------------------------------------------------------------- Part 1 alone


def test_a_client_of_part_1_offers_nothing_and_waits_for_nothing() -> None:
    world = SessionWorld(ClientOptions(part1_only=True))
    world.start()
    world.opened()
    world.welcome(5)
    outputs = world.open_link(5, 1)
    (auth,) = sent(outputs)
    assert isinstance(auth, pb.AuthMessage)
    assert list(auth.capabilities) == []
    assert states(outputs) == [ClientState.CONNECTED]
    assert not world.session.joined or not world.session.joined.batched
    outputs = world.subscribe("a")
    assert [topics for _, topics in sets(outputs)] == [{"a"}]
    assert world.subscriptions.acknowledged("a") == world.now
    world.message(1, pb.TopicFWMessage(type=pb.TOPIC_FW, from_alias=3, body=b"x").SerializeToString())
    assert world.received == [Packet("a", 3, b"x", None, None, True)]


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
    assert world.message(1, data, reliable=reliable) == [events.SendPacket(data, reliable, 1)]


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
    one(world.feed(events.TokenFailed("away")), events.Refused)
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
