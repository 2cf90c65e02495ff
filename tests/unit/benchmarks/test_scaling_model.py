"""What is learned of small clusters, and computed for large ones."""

from __future__ import annotations

import random

import pytest

from benchmarks.scaling_model import INTEREST, LOCAL, TALK, Costs, first, learn, mesh, messages, star, summary

COSTS = Costs(base=10.0, end=0.1, message=0.02)


def busy(inward: float, outward: float, *, noise: float = 0.0, message: float = 0.02) -> dict[str, float]:
    return {"ends": 3, "in": inward, "out": outward, "cpu_ms": 10.0 + message * (inward + outward) + noise}


def idle(ends: int, *, end: float = 0.1) -> dict[str, float]:
    return {"ends": ends, "in": 1.0, "out": 2.0, "cpu_ms": 1.0 + end * ends}


IDLE = [idle(ends) for ends in (1, 3, 5, 7)]


def test_costs_are_learned() -> None:
    rng = random.Random(1)
    samples = [busy(100 + rng.random() * 500, rng.random() * 900, noise=rng.random() - 0.5) for _ in range(100)]
    found = learn([*IDLE, *samples])
    assert (found.base, found.end, found.message) == pytest.approx((COSTS.base, COSTS.end, COSTS.message), rel=0.1)


def test_nothing_costs_less_than_nothing() -> None:
    found = learn(
        [*(idle(ends, end=-0.1) for ends in (1, 3)), *(busy(100.0 * number, 0.0, message=-0.01) for number in (1, 2, 3))]
    )
    assert (found.end, found.message) == (0.0, 0.0)


@pytest.mark.parametrize("samples", [[], IDLE, [busy(100, 1), busy(200, 1)], [*IDLE, *[busy(2, 50)] * 10]])
def test_too_few_samples_tell_nothing(samples: list[dict[str, float]]) -> None:
    with pytest.raises(ValueError, match="samples"):
        learn(samples)
    assert summary(samples) == []


def test_messages_of_a_link() -> None:
    assert [messages(records) for records in (5, 50, 80, 1350, 2700)] == [5, 50, 50, 50, 100]


def test_a_mesh() -> None:
    share = mesh(COSTS, TALK, 11)
    assert share.plain == pytest.approx(10 * 0.1 + 2 * 10 * 50 * 0.02)
    assert share.links == 55
    assert share.total == pytest.approx(11 * share.plain)
    assert mesh(COSTS, LOCAL, 101).plain == pytest.approx(100 * 0.1 + 2 * 80 * 0.02), (
        "what goes to one costs the same in any cluster"
    )


def test_a_star() -> None:
    share = star(COSTS, TALK, 11, 1)
    assert share.plain == pytest.approx(0.1 + (50 + 50) * 0.02)
    assert share.hub == pytest.approx(10 * 0.1 + 10 * (50 + 50) * 0.02)
    assert share.links == 10
    assert share.total == pytest.approx(10 * share.plain + share.hub)
    full = star(COSTS, TALK, 201, 1)
    assert full.hub == pytest.approx(200 * 0.1 + 200 * (50 + 80 * 200 / 27) * 0.02), "full messages go to everyone"
    assert star(COSTS, INTEREST, 201, 1).hub == pytest.approx(200 * 0.1 + 200 * (50 + 50) * 0.02)


def test_two_hubs_share() -> None:
    one, two = star(COSTS, INTEREST, 102, 1), star(COSTS, INTEREST, 102, 2)
    assert two.hub < 0.6 * one.hub
    assert two.links == 201
    assert star(COSTS, LOCAL, 102, 2).hub == pytest.approx(101 * 0.1 + (50 * 100 + 2 * 80 * 50 / 2 / 27 * 1) * 0.02, rel=0.05)


def test_the_first_size_for_which_something_holds() -> None:
    assert first(lambda servers: mesh(COSTS, TALK, servers).plain > 21, 200) == 12
    assert first(lambda servers: servers > 300, 200) is None


def test_the_summary_says_what_follows() -> None:
    lines = summary([*IDLE, *(busy(100.0 * number, 50.0) for number in (1, 2, 3))])
    assert lines[0] == "learned: 10.0 ms/s a server, 0.100 a link end, 20.0 µs a message"
    assert sum("over a tenth of a core" in line for line in lines) == 6
    assert "  over a tenth of a core for each server of a mesh: from 49 servers on" in lines
    assert any(line.startswith("      200 |") and " 19900 |" in line and line.endswith("  397") for line in lines)
