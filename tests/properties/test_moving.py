"""Any interleaving of publishing and moving, servers that end and come, slow and fast links: nothing lost, nothing twice, all in order."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.moving import Crowd, Drain, Say, Start
from tests.support.world import World

TOPICS = [("a",), ("a", "b"), ("b", "c"), ("a", "c")]


class Wait(NamedTuple):
    seconds: float

    def do(self, crowd: Crowd) -> None:
        crowd.world.run(self.seconds)


WHO = st.integers(0, 3)
SAY = st.builds(Say, WHO, st.sampled_from("abc"), st.sampled_from([True, True, True, False]))
WAIT = st.builds(Wait, st.sampled_from([0.0, 0.0007, 0.003, 0.011, 0.02, 0.05, 0.13, 0.4]))
STEPS = st.lists(st.one_of(SAY, SAY, SAY, SAY, WAIT, WAIT, st.builds(Drain, WHO), st.builds(Start)), max_size=80)


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.02]), st.sampled_from([0.001, 0.03, 0.1]), STEPS)
def test_whoever_moves_loses_nothing_and_gets_nothing_twice(seed: int, window: float, jitter: float, steps: list[Any]) -> None:
    crowd = Crowd(World(seed, latency=0.001, jitter=jitter, window=window), 3, TOPICS)
    for step in steps:
        step.do(crowd)
    crowd.check()


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 2), STEPS)
def test_nor_in_a_star(seed: int, hubs: int, steps: list[Any]) -> None:
    crowd = Crowd(World(seed, latency=0.001, jitter=0.03, window=0.02), 3, TOPICS, hubs=hubs)
    for step in steps:
        step.do(crowd)
    crowd.check()


def test_a_long_restart_of_everything() -> None:
    """Longer than the examples of a property are, and always the same: each server is drained and replaced, over and over."""
    for seed in range(12):
        rng = random.Random(seed)
        crowd = Crowd(World(seed, latency=0.001, jitter=rng.choice([0.001, 0.03, 0.1]), window=0.02 * (seed % 2)), 3, TOPICS)
        for number in range(400):
            if number % 80 == 40:
                crowd.drain(0)
            elif number % 80 == 60:
                crowd.add()
            crowd.say(rng.randrange(4), rng.choice("abc"), reliable=rng.random() < 0.8)
            crowd.world.run(rng.choice([0.0, 0.0, 0.003, 0.011, 0.02, 0.05]))
        crowd.check()
        assert all(mover.stats.moves for mover in crowd.movers)
