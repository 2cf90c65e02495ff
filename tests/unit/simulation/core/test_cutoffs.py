"""From what welcomed a client, and what was killed, to how long it had no coordinator."""

from __future__ import annotations

from math import inf

from simulation.core.cutoffs import Cutoff, count_kept, find_cutoffs
from simulation.core.outages import Death
from simulation.core.service import ServiceLog

A, B = "a:9090", "b:9090"
KILL = Death("coordinator/1", 3.0, host=A)
OTHER_KILL = Death("coordinator/2", 5.0, host=B)


def welcomed(*at: tuple[float, str], left: float = inf) -> ServiceLog:
    log = ServiceLog()
    for now, host in at:
        log.coordinator(host, now)
    log.left = left
    return log


def of(log: ServiceLog, *deaths: Death) -> list[Cutoff]:
    return find_cutoffs({5: log}, deaths)


def test_it_lasts_from_the_kill_until_another_one_welcomes_the_client() -> None:
    (cutoff,) = of(welcomed((0.0, A), (3.5, B)), KILL)
    assert cutoff == Cutoff(5, KILL, until=3.5, now_at=B)
    assert cutoff.seconds == 0.5


def test_who_is_at_another_one_has_none() -> None:
    assert of(welcomed((0.0, B)), KILL) == []
    assert of(welcomed((0.0, A), (2.0, B)), KILL) == []


def test_nor_has_who_comes_later_or_has_left() -> None:
    assert of(welcomed((4.0, B)), KILL) == []
    assert of(welcomed((0.0, A), left=2.0), KILL) == []


def test_servers_and_redis_have_no_part_in_it() -> None:
    assert of(welcomed((0.0, A), (3.5, B)), Death("server/1", 3.0, 7), Death("redis", 3.0)) == []


def test_the_same_one_started_again_will_do() -> None:
    (cutoff,) = of(welcomed((0.0, A), (6.0, A)), KILL)
    assert (cutoff.until, cutoff.now_at) == (6.0, A)


def test_without_any_other_it_is_not_over() -> None:
    (cutoff,) = of(welcomed((0.0, A)), KILL)
    assert (cutoff.until, cutoff.now_at) == (inf, "")


def test_it_ends_when_the_client_leaves() -> None:
    (cutoff,) = of(welcomed((0.0, A), left=3.25), KILL)
    assert (cutoff.until, cutoff.now_at) == (3.25, "")


def test_both_die_one_after_the_other_the_longest_first() -> None:
    found = of(welcomed((0.0, A), (3.5, B), (7.0, A)), KILL, OTHER_KILL)
    assert [(cutoff.death.process, cutoff.seconds) for cutoff in found] == [("coordinator/2", 2.0), ("coordinator/1", 0.5)]


def test_who_kept_theirs() -> None:
    services = {
        1: welcomed((0.0, A), (3.5, B)),
        2: welcomed((0.0, B)),
        3: welcomed((4.0, B)),
        4: welcomed((0.0, B), left=2.0),
    }
    assert count_kept(services, [KILL]) == 1
    assert count_kept(services, [KILL, OTHER_KILL]) == 0
    assert count_kept(services, [Death("redis", 3.0)]) is None
