"""Silence: when to ping, when the link is lost, and whose PING is whose."""

from __future__ import annotations

import random

import pytest

from protocol import packets
from protocol.pb import broker_pb2 as pb
from rtcbroker.core.liveness import Liveness, Sign


def make(now: float = 100.0) -> Liveness:
    liveness = Liveness(5.0, 15.0, 1.0, random.Random(1))
    liveness.begin(now)
    return liveness


def time_of(message: bytes) -> float:
    packet = packets.decode_packet(message)
    assert isinstance(packet, pb.PingMessage)
    return packet.time


def test_a_quiet_link_is_pinged_and_then_lost() -> None:
    liveness = make()
    assert liveness.look(104.9) is Sign.ALIVE
    for due in (105.0, 110.0):
        assert liveness.next_deadline() == due
        assert liveness.look(due) is Sign.QUIET
        liveness.ping(due)
    assert liveness.next_deadline() == 115.0
    assert liveness.look(115.0) is Sign.LOST


def test_whatever_is_heard_puts_it_off() -> None:
    liveness = make()
    liveness.heard(104.0)
    assert liveness.look(105.0) is Sign.ALIVE
    assert liveness.next_deadline() == 109.0


def test_a_probe_is_short() -> None:
    liveness = make()
    liveness.probe(102.0)
    liveness.ping(102.0)
    assert liveness.next_deadline() == 103.0
    liveness.probe(102.5)  # a second reason to doubt gives no more time
    assert liveness.look(102.9) is Sign.ALIVE
    assert liveness.look(103.0) is Sign.LOST


def test_a_probe_ends_with_its_own_answer() -> None:
    liveness = make()
    liveness.probe(102.0)
    _, probe = liveness.ping(102.0)
    liveness.heard(102.1)
    assert liveness.echoed(time_of(probe), 102.1) is not None
    assert liveness.look(103.0) is Sign.ALIVE
    assert liveness.next_deadline() == pytest.approx(107.1)


def test_last_words_of_a_server_that_died_do_not_end_a_probe() -> None:
    liveness = make()
    _, before = liveness.ping(101.9)
    liveness.probe(102.0)
    liveness.ping(102.0)
    liveness.heard(102.05)
    assert liveness.echoed(time_of(before), 102.05) is not None  # answered before it died
    liveness.heard(102.3)
    assert liveness.look(103.0) is Sign.LOST


def test_what_still_comes_after_last_words_is_a_sign_of_life() -> None:
    liveness = make()
    liveness.probe(102.0)
    liveness.ping(102.0)
    liveness.heard(102.31)  # the answer may be behind much else
    assert liveness.look(103.0) is Sign.ALIVE
    assert liveness.next_deadline() == pytest.approx(107.31)


def test_a_probe_that_we_slept_through_is_made_anew() -> None:
    liveness = make()
    liveness.probe(102.0)
    liveness.ping(102.0)
    assert liveness.look(3_700.0) is Sign.QUIET
    liveness.ping(3_700.0)
    assert liveness.next_deadline() == 3_701.0
    assert liveness.look(3_701.0) is Sign.LOST


def test_after_a_sleep_of_our_own_the_server_is_asked_once_more() -> None:
    liveness = make()
    assert liveness.look(3_700.0) is Sign.QUIET
    liveness.ping(3_700.0)
    assert liveness.look(3_701.0) is Sign.ALIVE
    for due in (3_705.0, 3_710.0):
        assert liveness.look(due) is Sign.QUIET
        liveness.ping(due)
    assert liveness.look(3_715.0) is Sign.LOST


def test_our_own_ping_coming_back_is_timed_and_not_echoed() -> None:
    liveness = make()
    number, message = liveness.ping(101.0)
    assert not liveness.is_to_be_echoed(time_of(message), message)
    assert liveness.echoed(time_of(message), 101.25) == (number, 0.25)
    assert liveness.echoed(time_of(message), 101.5) is None  # a second time


def test_an_echo_too_late_to_be_remembered_is_still_not_echoed() -> None:
    liveness = make()
    _, first = liveness.ping(101.0)
    for _ in range(100):
        liveness.ping(101.0)
    assert not liveness.is_to_be_echoed(time_of(first), first)
    assert liveness.echoed(time_of(first), 102.0) is None


@pytest.mark.parametrize("time", [1_700_000_000.5, 0.0, -1.0, -5e11, float("inf"), float("-inf"), float("nan")])
def test_the_servers_ping_is_echoed(time: float) -> None:
    liveness = make()
    liveness.ping(101.0)
    message = packets.ping(time)
    assert liveness.is_to_be_echoed(time, message)
    assert liveness.echoed(time, 102.0) is None


def test_the_servers_ping_is_echoed_once_whatever_the_server_does_with_the_echo() -> None:
    liveness = make()
    message = packets.ping(7.0)
    assert [liveness.is_to_be_echoed(7.0, message) for _ in range(3)] == [True, False, False]
    assert liveness.is_to_be_echoed(8.0, packets.ping(8.0))


def test_two_clients_number_their_pings_from_different_origins() -> None:
    one, other = Liveness(5, 15, 1, random.Random(1)), Liveness(5, 15, 1, random.Random(2))
    assert one.ping(0.0)[1] != other.ping(0.0)[1]
