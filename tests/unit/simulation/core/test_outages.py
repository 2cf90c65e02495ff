"""From a client's stints and the kills to its outages."""

from __future__ import annotations

from math import inf

from simulation.core.outages import Death, Outage, absences, find_outages
from simulation.core.service import ServiceLog

OLD, NEW = 7, 8
KILL = Death("server/1", 3.0, OLD)


def log(*heard: float, server: int = OLD) -> ServiceLog:
    found = ServiceLog()
    found.joined(server, 0.0)
    found.subscribed(0.1)
    for now in heard:
        found.heard(now)
    return found


def back(found: ServiceLog, joined: float, subscribed: float, *heard: float, server: int = NEW) -> ServiceLog:
    found.joined(server, joined)
    if subscribed < inf:
        found.subscribed(subscribed)
    for now in heard:
        found.heard(now)
    return found


def lost(found: ServiceLog, at: float) -> ServiceLog:
    found.lost(at)
    return found


def of(found: ServiceLog, *deaths: Death) -> list[Outage]:
    return find_outages({5: found}, deaths)


def test_who_was_served_all_the_time_had_none() -> None:
    assert of(log(1.0, 2.0, 9.0), Death("server/2", 3.0, NEW), Death("redis", 3.0)) == []


def test_it_lasts_from_the_kill_until_packets_come_again() -> None:
    found = back(lost(log(1.0, 2.9), 4.0), 4.2, 4.3, 4.5, 4.6)
    (outage,) = of(found, KILL)
    assert outage == Outage(5, OLD, since=3.0, noticed=4.0, subscribed=4.3, until=4.5, now_at=NEW, death=KILL)
    assert outage.seconds == 1.5


def test_what_was_under_way_at_the_kill_was_served_still() -> None:
    (outage,) = of(back(lost(log(1.0, 3.1), 4.0), 4.2, 4.3, 4.5), KILL)
    assert outage.since == 3.1


def test_packets_that_come_before_the_answer_to_a_subscription_do_not_end_it() -> None:
    (outage,) = of(back(lost(log(1.0), 4.0), 4.2, 4.9, 4.5), KILL)
    assert outage.until == 4.9


def test_lost_in_another_way_it_lasts_from_the_last_packet() -> None:
    (outage,) = of(back(lost(log(1.0, 2.0), 9.0), 9.1, 9.2, 9.3))
    assert (outage.since, outage.until, outage.death) == (2.0, 9.3, None)


def test_a_dead_server_puts_out_also_who_has_not_noticed() -> None:
    (outage,) = of(log(1.0, 2.9), KILL)
    assert (outage.since, outage.noticed, outage.until, outage.now_at) == (3.0, inf, inf, 0)


def test_one_that_comes_to_a_server_after_its_predecessor_died_is_not_concerned() -> None:
    assert of(back(log(), 4.0, 4.1, 4.2, server=NEW), KILL) != []
    found = ServiceLog()
    back(found, 4.0, 4.1, 4.2, server=OLD)
    assert of(found, KILL) == []


def test_a_second_loss_before_anything_came_is_the_same_outage() -> None:
    found = back(lost(back(lost(log(1.0), 4.0), 4.2, inf), 5.0), 6.0, 6.1, 6.2, server=9)
    (outage,) = of(found, KILL)
    assert (outage.since, outage.until, outage.now_at) == (3.0, 6.2, 9)


def test_two_outages_of_one_client_the_longest_first() -> None:
    found = back(lost(back(lost(log(1.0), 4.0), 4.2, 4.3, 4.4), 5.0), 8.0, 8.1, 8.2, server=9)
    assert [(outage.since, outage.until) for outage in of(found, KILL)] == [(4.4, 8.2), (3.0, 4.4)]


def test_who_never_hears_anything_is_served_as_soon_as_it_is_subscribed() -> None:
    (outage,) = of(back(lost(log(), 4.0), 4.2, 4.3), KILL)
    assert (outage.since, outage.until) == (3.0, 4.3)


def test_without_packets_it_is_not_over() -> None:
    (outage,) = of(back(lost(log(1.0), 4.0), 4.2, 4.3), KILL)
    assert outage.until == inf


def test_it_ends_when_the_client_leaves() -> None:
    found = lost(log(1.0), 4.0)
    found.leave(4.5)
    (outage,) = of(found, KILL)
    assert outage.until == 4.5


def test_a_move_is_none() -> None:
    found = log(1.0, 2.0)
    found.moved(NEW, 2.5)
    found.heard(3.5)
    assert of(found, KILL) == []


def test_only_who_was_at_the_killed_server_is_excused() -> None:
    services = {1: lost(log(1.0), 4.0), 2: lost(log(1.0, server=NEW), 4.0), 3: log(1.0, server=NEW)}
    outages = find_outages(services, [KILL])
    assert {outage.client for outage in outages} == {1, 2}
    assert absences(outages) == {1: [(3.0, inf)]}
