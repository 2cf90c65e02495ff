"""What passes between the simulation and its workers."""

from __future__ import annotations

from simulation.core.latency import Histogram
from simulation.core.messages import Credentials, Progress


def test_secrets_are_not_shown() -> None:
    assert "hidden" not in repr(Credentials(token="hidden", secret="hidden"))


def test_progress_adds_up() -> None:
    one, other = Histogram(), Histogram()
    one.add(0.1)
    other.add(0.2)
    total = Progress(1, 2, 3, 4, {7: one}, ["a"])
    total.add(Progress(10, 20, 30, 40, {7: other, 8: other}, ["b"]))
    assert (total.connected, total.failed, total.sent, total.received) == (11, 22, 33, 44)
    assert {alias: histogram.count for alias, histogram in total.latency.items()} == {7: 2, 8: 1}
    assert total.errors == ["a", "b"]
    assert other.count == 1  # what is added is left as it was
