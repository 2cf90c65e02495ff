"""When a process that ended is started again."""

from __future__ import annotations

import itertools

from commserver.core.supervision import RESTART_BASE_S, RESTART_CAP_S, STABLE_S, Restarts


def test_pauses_grow_up_to_the_cap_and_the_first_restart_is_at_once() -> None:
    restarts, now, pauses = Restarts(), 100.0, []
    for _ in range(12):
        restarts.started(now)
        when = restarts.ended(now + 0.1)
        pauses.append(when - now - 0.1)
        now = when
    assert abs(pauses[0]) < 1e-9
    assert abs(pauses[1] - RESTART_BASE_S) < 1e-9
    assert all(b > a - 1e-9 for a, b in itertools.pairwise(pauses))
    assert abs(pauses[-1] - RESTART_CAP_S) < 1e-9


def test_a_long_life_is_a_new_start() -> None:
    restarts = Restarts()
    for _ in range(5):
        restarts.started(0.0)
        restarts.ended(1.0)
    restarts.started(10.0)
    assert restarts.ended(10.0 + STABLE_S) == 10.0 + STABLE_S
