"""What a client notes of its own service."""

from __future__ import annotations

from math import inf, isnan

from simulation.core import service
from simulation.core.service import ServiceLog


def served(*heard: float, at: float = 0.0) -> ServiceLog:
    log = ServiceLog()
    log.joined(7, at)
    log.subscribed(at + 0.5)
    for now in heard:
        log.heard(now)
    return log


def test_the_first_packet_the_last_and_the_longest_time_between_two() -> None:
    (stint,) = served(1.0, 1.5, 3.0, 3.25).stints
    assert (stint.first, stint.last, stint.silence, stint.served) == (1.0, 3.25, 1.5, 1.0)


def test_it_is_not_served_before_it_is_subscribed() -> None:
    log = ServiceLog()
    log.joined(7, 0.0)
    log.heard(1.0)
    assert (log.awaits_subscription, log.stints[0].served) == (True, inf)
    log.subscribed(2.0)
    assert (log.awaits_subscription, log.stints[0].served) == (False, 2.0)


def test_without_a_packet_there_is_no_last_one() -> None:
    (stint,) = served().stints
    assert isnan(stint.last)
    assert (stint.first, stint.silence, stint.served) == (inf, 0.0, inf)


def test_a_lost_link_ends_a_stint_and_the_next_one_begins_anew() -> None:
    log = served(1.0, 2.0)
    log.lost(5.0)
    assert not log.awaits_subscription
    log.joined(8, 6.0)
    log.heard(9.0)
    first, second = log.stints
    assert (first.until, first.is_lost, log.server) == (5.0, True, 8)
    assert (second.first, second.silence) == (9.0, 0.0)  # what lies between two stints is an outage, no silence


def test_a_move_is_no_loss() -> None:
    log = served(1.0)
    log.moved(8, 2.0)
    first, second = log.stints
    assert (first.until, first.is_lost, second.since, second.served) == (2.0, False, 2.0, 2.0)


def test_silence_counts_until_the_end_for_who_is_still_there() -> None:
    log = served(1.0, 2.0)
    assert log.silence(9.0) == 7.0
    log.leave(4.0)
    assert (log.silence(9.0), log.left) == (1.0, 4.0)


def test_leaving_does_not_put_off_the_end_of_a_lost_stint() -> None:
    log = served(1.0)
    log.lost(2.0)
    log.leave(4.0)
    assert log.stints[0].until == 2.0


def test_who_never_joined_was_never_silent() -> None:
    assert ServiceLog().silence(9.0) == 0.0
    assert ServiceLog().server == 0


def test_coordinators_are_noted_beside_and_bounded() -> None:
    log = served(1.0)
    for number in range(service.MAX_STINTS + 5):
        log.coordinator("a:9090", float(number))
    assert len(log.stints) == 1
    assert (len(log.coordinators), log.coordinators[0]) == (service.MAX_STINTS, (5.0, "a:9090"))


def test_a_run_without_an_end_keeps_the_latest() -> None:
    log = ServiceLog()
    for number in range(service.MAX_STINTS + 5):
        log.joined(number, 0.0)
    assert (len(log.stints), log.stints[0].server) == (service.MAX_STINTS, 5)
