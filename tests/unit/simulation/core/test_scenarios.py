"""Scenarios are data: everyone's part can be looked at before anything runs."""

from __future__ import annotations

from collections import Counter
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.core import scenarios
from simulation.core.scenarios import Plan, Standing
from simulation.core.trace import parse_trace

TRACE = parse_trace(["t_s,person,x_m,y_m\n", "10,a,1,1\n", "14,a,9,1\n", "12,b,1,1\n", "20,b,1,9\n"], "trace")


def test_dense_is_one_topic() -> None:
    scenario = scenarios.dense(5, 3.0, 1.0, "run")
    assert len(scenario.plans) == scenario.peak() == 5
    assert {plan.route.at(0).topic for plan in scenario.plans} == {"run/all"}
    assert all(plan.route.at(2).listens == {"run/all"} for plan in scenario.plans)
    assert all((plan.joins_at, plan.leaves_at) == (None, inf) for plan in scenario.plans)
    assert scenario.deliveries_per_s(10) == 5 * 10 * 4


def test_groups_are_of_even_size() -> None:
    scenario = scenarios.groups(11, 3, 3.0, 1.0, "run")
    assert sorted(Counter(plan.route.at(0).topic for plan in scenario.plans).values()) == [3, 4, 4]


@given(st.integers(0, 1000), st.floats(0.5, 20), st.floats(0.5, 20))
def test_churn_has_as_many_as_little_says_and_arrivals_in_order(seed: int, arrivals_per_s: float, stay_s: float) -> None:
    scenario = scenarios.churn(arrivals_per_s, stay_s, 2, 10.0, "run", Random(seed))
    there = [plan for plan in scenario.plans if plan.joins_at is None]
    assert len(there) == round(arrivals_per_s * stay_s)
    joins = [plan.joins_at for plan in scenario.plans if plan.joins_at is not None]
    assert joins == sorted(joins)
    for plan in scenario.plans:
        assert (plan.joins_at or 0.0) < 10.0
        assert plan.leaves_at == inf or (plan.joins_at or 0.0) <= plan.leaves_at < 10.0
    assert [plan.bot for plan in scenario.plans] == list(range(len(scenario.plans)))


def test_churn_repeats_itself_with_the_same_seed() -> None:
    def made(seed: int) -> list[float]:
        return [plan.leaves_at for plan in scenarios.churn(5, 5, 1, 10.0, "run", Random(seed)).plans]

    assert made(1) == made(1)
    assert made(1) != made(2)


def test_replay_joins_and_leaves_as_recorded() -> None:
    scenario = scenarios.replay(TRACE, 4.0, 1.0, "run")
    assert [(plan.joins_at, plan.leaves_at) for plan in scenario.plans] == [(0.0, 4.0), (2.0, 10.0)]
    assert (scenario.seconds, scenario.peak()) == (10.0, 2)


def test_replay_walks_through_the_cells() -> None:
    route = scenarios.replay(TRACE, 4.0, 1.0, "run").plans[0].route
    start, end = route.at(0.0), route.at(4.0)
    assert (start.topic, start.position) == ("run/cell/0/0", (1, 1))
    assert (end.topic, end.position) == ("run/cell/2/0", (9, 1))
    assert len(start.listens) == len(end.listens) == 9
    assert start.topic in start.listens
    assert route.at(2.0).topic == "run/cell/1/0"


def test_replay_at_speed_takes_less_time() -> None:
    scenario = scenarios.replay(TRACE, 4.0, 2.0, "run")
    assert [(plan.joins_at, plan.leaves_at) for plan in scenario.plans] == [(0.0, 2.0), (1.0, 5.0)]
    assert scenario.plans[0].route.at(1.0).position == (5, 1)


def test_who_wanders_does_so_for_ever() -> None:
    scenario = scenarios.wander([TRACE.tracks[0]], 4.0, "demo")
    assert scenario.seconds == inf
    assert scenario.plans[0].route.at(0.0).topic == "demo/cell/0/0"
    assert len(scenario.plans[0].route.at(0.0).listens) == 9


@pytest.mark.parametrize(("bots", "listeners"), [(1, 1), (7, 3), (150, 8), (4, 9), (10, 0)])
def test_where_only_some_listen_these_are_spread_evenly(bots: int, listeners: int) -> None:
    plans = scenarios.wander([TRACE.tracks[0]] * bots, 4.0, "demo", listeners).plans
    stances = [plan.route.at(0.0) for plan in plans]
    assert {stance.topic for stance in stances} == {"demo/cell/0/0"}
    deaf = [stance.listens for stance in stances if len(stance.listens) != 9]
    assert set(deaf) <= {frozenset({"demo/chat"})}
    assert len(deaf) == bots - min(bots, listeners)
    runs = "".join("x" if len(stance.listens) == 9 else "." for stance in stances).split("x")
    assert max(map(len, runs)) <= bots / (listeners or 1)


@pytest.mark.parametrize("bots", [2, 10, 45, 150])
def test_sending_times_are_spread_evenly(bots: int) -> None:
    phases = sorted(Plan(bot, Standing("t")).phase for bot in range(bots))
    gaps = [after - before for before, after in zip(phases, [*phases[1:], phases[0] + 1], strict=True)]
    assert max(gaps) < 2.7 / bots
