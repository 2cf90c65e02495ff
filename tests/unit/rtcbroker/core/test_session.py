"""The way in: token, coordinator, servers one after another, READY; and what may go wrong on it."""

from __future__ import annotations

import pytest

from protocol import signalling
from protocol.codes import Code, Retry
from protocol.errors import ConnectionClosed
from protocol.pb import broker_pb2 as pb
from protocol.signalling import CandidateInit
from rtcbroker.core import events
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.states import ClientState
from tests.support.session_world import ALIAS, ALL, OFFER, URL, SessionWorld, asked, one, only, sent, states
from transport.link import LinkEnd


def test_the_way_in() -> None:
    world = SessionWorld(token="secret")
    outputs = world.start()
    assert states(outputs) == [ClientState.CONNECTING]
    assert one(outputs, events.DialCoordinator) == events.DialCoordinator(URL, 0, "", "secret")
    assert world.opened() == []
    assert asked(world.welcome(5, 6)) == [5]
    assert world.offer(5) == [events.AnswerOffer(1, "the offer")]
    assert world.feed(events.LinkAnswered(1, "the answer")) == [events.SendSignal(signalling.answer(5, "the answer"))]
    auth = sent(world.feed(events.LinkOpened(1)))
    assert auth == [pb.AuthMessage(type=pb.AUTH, role=pb.CLIENT, body=b"secret", capabilities=ALL)]
    assert world.session.joined is None
    outputs = world.ready(1, alias=88)
    assert outputs == [events.StateChanged(ClientState.CONNECTED, None)]
    assert (world.server, world.session.alias) == (5, 88)
    assert world.delivery.alias == 88  # records of this alias are our own
    assert world.stats.joins == 1


def test_a_token_function_is_asked_before_the_first_dial() -> None:
    world = SessionWorld(renewable=True)
    outputs = world.start()
    assert only(outputs, events.DialCoordinator) == []
    one(outputs, events.AskToken)
    assert world.session.next_deadline() is None  # whoever asks has a deadline of its own
    assert world.feed(events.TokenReceived("fresh")) == [events.DialCoordinator(URL, 0, "", "fresh")]


def test_a_token_function_that_fails_is_asked_again_after_a_pause() -> None:
    world = SessionWorld(renewable=True)
    world.start()
    for pause in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0):
        (told,) = world.feed(events.TokenFailed("no network"))
        assert isinstance(told, events.Refused)
        for error in (told.error, world.session.trouble(world.now)):
            assert isinstance(error, ConnectionClosed)
            assert (error.code, error.retry) == (Code.TOKEN_UNAVAILABLE, Retry.SAME)
            assert error.reason == "the token function failed: no network"
        assert world.wait(pause - 0.01) == []
        one(world.wait(0.02), events.AskToken)


def test_a_token_function_that_says_nothing_is_what_the_client_waits_for() -> None:
    world = SessionWorld(renewable=True)
    world.start()
    assert world.session.trouble(world.now + 0.9).code == Code.TIMEOUT
    trouble = world.session.trouble(world.now + 1.1)
    assert (trouble.code, trouble.retry) == (Code.TOKEN_UNAVAILABLE, Retry.SAME)
    assert trouble.reason == "the token function failed: it has not answered yet"


def test_a_coordinator_that_cannot_be_reached_is_dialed_again_with_growing_pauses() -> None:
    world = SessionWorld()
    world.start()
    for pause in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0):
        assert world.socket_ended() == []
        assert world.session.next_deadline() == pytest.approx(world.now + pause)
        one(world.wait(pause), events.DialCoordinator)
    assert world.state is ClientState.CONNECTING


def test_a_dial_without_welcome_in_time_is_given_up_and_tried_again() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    assert world.wait(5.0) == [events.HangUp()]
    assert world.session.failure.code == Code.TIMEOUT
    one(world.wait(0.25), events.DialCoordinator)


def test_a_refused_connect_goes_to_the_next_server_at_once() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6, 7)
    assert asked(world.signal(signalling.refused(ALIAS, 5, Code.SERVER_FULL))) == [6]
    assert asked(world.signal(signalling.refused(ALIAS, 6, Code.PEER_NOT_FOUND))) == [7]
    # A second refusal of the first one says nothing any more.
    assert world.signal(signalling.refused(ALIAS, 5, Code.SERVER_FULL)) == []
    world.join(7, 3)
    assert world.server == 7


@pytest.mark.parametrize("code", [Code.UNEXPECTED_MESSAGE, Code.BAD_MESSAGE])
def test_a_refused_connect_is_never_final(code: Code) -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6)
    assert asked(world.signal(signalling.refused(ALIAS, 5, code))) == [6]


def test_when_all_servers_were_tried_the_coordinator_is_dialed_for_a_fresh_list() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5)
    assert world.signal(signalling.refused(ALIAS, 5, Code.SERVER_FULL)) == [events.HangUp()]
    assert world.session.failure.code == Code.SERVER_FULL
    assert one(world.wait(0.25), events.DialCoordinator) == events.DialCoordinator(URL, ALIAS, "proof", "")
    world.opened()
    assert world.welcome() == [events.CoordinatorJoined("coordinator:9090"), events.HangUp()]  # no server there at all
    assert world.session.failure.code == Code.NO_SERVERS
    assert world.session.next_deadline() == pytest.approx(world.now + 0.5)


def test_a_server_without_offer_is_left_in_time() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6)
    assert world.wait(2.9) == []
    assert asked(world.wait(0.1)) == [6]
    assert world.session.failure.reason == "no offer of server 5 in time"
    assert world.wait(4.9) == []
    assert world.wait(0.1) == [events.HangUp()]  # the last of the list


@pytest.mark.parametrize("stage", ["answering", "opening"])
def test_a_server_out_of_reach_has_three_seconds_while_there_is_another(stage: str) -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6)
    world.wait(1.0)
    world.offer(5)
    if stage == "opening":
        world.feed(events.LinkAnswered(1, "the answer"))
    assert world.wait(1.9) == []
    outputs = world.wait(0.1)
    assert outputs[0] == events.CloseLink(1)
    assert asked(outputs) == [6]


def test_what_the_present_try_waits_for_is_told() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5)
    assert world.session.trouble(world.now).reason == "no answer yet"  # it has only just begun
    world.wait(1.0)
    told = [world.session.trouble(world.now).reason]
    world.offer(5)
    told.append(world.session.trouble(world.now).reason)
    for event in (events.LinkAnswered(1, "the answer"), events.LinkOpened(1)):
        world.feed(event)
        told.append(world.session.trouble(world.now).reason)
    assert told == [
        "no offer of server 5 in time",
        "no answer to server 5 in time",
        "no open channel to server 5 in time: is UDP blocked?",
        "no READY of server 5 in time",
    ]
    assert world.session.trouble(world.now).code == Code.TIMEOUT
    world.ready(1)
    assert world.session.trouble(world.now) is world.session.failure


def test_only_an_empty_list_says_that_there_are_no_servers() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5)
    world.offer(5)
    world.feed(events.LinkAnswered(1, "the answer"))
    world.wait(15.0)
    assert world.session.failure.reason == "no open channel to server 5 in time: is UDP blocked?"
    world.wait(0.25)
    world.opened()
    world.welcome(5)
    assert world.session.failure.code == Code.TIMEOUT
    world.wait(5.5)
    world.opened()
    world.welcome()
    assert world.session.failure.code == Code.NO_SERVERS


def test_a_server_that_is_reached_and_slow_is_not_left_for_another() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6)
    world.offer(5)
    world.feed(events.LinkAnswered(1, "the answer"))
    world.feed(events.LinkReached(1))
    assert world.wait(14.9) == []
    assert world.session.trouble(world.now).reason == "no open channel to server 5 in time"
    assert asked(world.wait(0.1)) == [6]


def test_a_server_gone_meanwhile_is_given_up_soon_though_it_was_reached() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6)
    world.offer(5)
    world.feed(events.LinkAnswered(1, "the answer"))
    world.signal(signalling.peer_gone(5))
    world.feed(events.LinkReached(1))
    assert asked(world.wait(1.0)) == [6]


@pytest.mark.parametrize("stage", ["answering", "opening", "authenticating"])
def test_a_join_that_hangs_is_given_up_in_time(stage: str) -> None:
    world = SessionWorld(ClientOptions(reach_timeout=20.0))
    world.start()
    world.opened()
    world.welcome(5, 6)
    world.offer(5)
    if stage != "answering":
        world.feed(events.LinkAnswered(1, "the answer"))
    if stage == "authenticating":
        world.feed(events.LinkOpened(1))
    assert world.wait(14.9) == []
    outputs = world.wait(0.1)
    assert outputs[0] == events.CloseLink(1)
    assert asked(outputs) == [6]
    assert world.session.failure.code == Code.TIMEOUT


@pytest.mark.parametrize("end", [LinkEnd.FAILED, LinkEnd.REMOTE, LinkEnd.TIMEOUT, LinkEnd.SILENT])
def test_a_link_that_fails_while_joining_goes_to_the_next_server(end: LinkEnd) -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6)
    world.open_link(5, 1)
    assert asked(world.feed(events.LinkEnded(1, end))) == [6]


def test_an_offer_that_cannot_be_used_goes_to_the_next_server() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6, 7)
    assert asked(world.offer(5, b"nonsense")) == [6]
    assert world.session.failure.code == Code.BAD_SDP
    world.offer(6)
    outputs = world.feed(events.LinkRefused(2, Code.BAD_SDP, "no fingerprint"))
    assert asked(outputs) == [7]
    assert outputs[0] == events.CloseLink(2)


def test_signals_of_strangers_and_second_offers_are_passed_over() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6)
    assert world.offer(6) == []
    assert world.signal(signalling.refused(ALIAS, 6, Code.SERVER_FULL)) == []
    assert world.signal(signalling.peer_gone(6)) == []
    assert world.signal(signalling.connect(3)) == []
    assert world.signal(signalling.answer(ALIAS, "sdp", 5)) == []
    world.offer(5)
    assert world.offer(5) == []


@pytest.mark.parametrize("frame", [b"", b"\xff\xff", b"\x08\x06", bytes(70_000)])
def test_frames_that_are_none_are_counted_and_change_nothing(frame: bytes) -> None:
    world = SessionWorld()
    world.connect(5)
    assert world.signal(frame) == []
    assert world.stats.dropped["undecodable"] == 1
    assert world.state is ClientState.CONNECTED


def test_candidates_before_offer_and_answer_wait_for_them() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5)
    line = CandidateInit("candidate:1 1 udp 2130706431 127.0.0.1 9 typ host", "0", 0)
    assert world.signal(signalling.candidate(ALIAS, line, 5)) == []
    world.offer(5)
    assert world.feed(events.LocalCandidate(1, line)) == []
    assert world.feed(events.LinkAnswered(1, "the answer")) == [
        events.SendSignal(signalling.answer(5, "the answer")),
        events.AddCandidate(1, line),
        events.SendSignal(signalling.candidate(5, line)),
    ]


def test_a_server_that_leaves_while_it_is_asked_is_not_waited_for() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6, 7)
    assert asked(world.signal(signalling.peer_gone(5))) == [6]
    world.open_link(6, 2)
    assert world.signal(signalling.peer_gone(6)) == []  # the link is open: it may yet come
    assert asked(world.wait(1.0)) == [7]


def test_a_socket_that_breaks_before_the_answer_ends_the_join_and_is_dialed_again() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6)
    world.offer(5)
    assert world.socket_ended() == [events.CloseLink(1)]
    assert one(world.wait(0.25), events.DialCoordinator) == events.DialCoordinator(URL, ALIAS, "proof", "")


def test_a_coordinator_that_always_breaks_while_joining_is_not_asked_at_full_speed() -> None:
    world = SessionWorld()
    world.start()
    for pause in (0.25, 0.5, 1.0, 2.0):
        world.opened()
        world.welcome(5)
        world.socket_ended()
        assert world.session.next_deadline() == pytest.approx(world.now + pause)
        world.wait(pause)


def test_a_socket_that_breaks_after_the_answer_does_not_matter() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5)
    world.offer(5)
    world.feed(events.LinkAnswered(1, "the answer"))
    assert world.socket_ended() == []
    world.feed(events.LinkOpened(1))
    world.ready(1)
    assert world.state is ClientState.CONNECTED
    one(world.wait(0.25), events.DialCoordinator)


def test_events_of_links_that_are_no_more_say_nothing() -> None:
    world = SessionWorld()
    world.start()
    world.opened()
    world.welcome(5, 6)
    world.open_link(5, 1)
    world.feed(events.LinkEnded(1, LinkEnd.FAILED))
    for event in (events.LinkEnded(1, LinkEnd.FAILED), events.LinkOpened(1), events.LinkAnswered(1, "x")):
        assert world.feed(event) == []
    assert world.ready(1) == []
    assert world.state is ClientState.CONNECTING


def test_the_offer_of_the_tests_is_one() -> None:
    assert signalling.read_description(OFFER, "offer") == "the offer"
