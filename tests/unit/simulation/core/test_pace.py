"""Rates and latencies of the last moments."""

from __future__ import annotations

from simulation.core.latency import Histogram
from simulation.core.messages import Progress
from simulation.core.pace import Pace


def latency(*seconds: float) -> Histogram:
    histogram = Histogram()
    for value in seconds:
        histogram.add(value)
    return histogram


def test_at_first_there_is_nothing_to_tell() -> None:
    pace = Pace()
    assert (pace.rates(), pace.last, pace.latency().count) == ((0.0, 0.0), Progress(), 0)
    assert pace.line() == "0 clients, 0 sent/s, 0 received/s"


def test_rates_are_those_of_the_last_two_seconds() -> None:
    pace = Pace()
    for second in range(6):
        pace.add(second, Progress(connected=3, sent=100 * second**2, received=1000 * second))
    assert pace.rates() == ((2500 - 900) / 2, 1000.0)
    assert pace.last.connected == 3


def test_latency_of_all_and_of_one_server() -> None:
    pace = Pace()
    pace.add(0.0, Progress(latency={7: latency(0.001), 8: latency(0.1)}))
    pace.add(1.0, Progress(latency={7: latency(0.002)}))
    assert (pace.latency().count, pace.latency(7).count, pace.latency(8).count, pace.latency(9).count) == (3, 2, 1, 0)


def test_the_line_people_see() -> None:
    pace = Pace()
    pace.add(0.0, Progress())
    pace.add(1.0, Progress(connected=1200, failed=2, sent=450, received=19_800, latency={7: latency(0.002)}))
    assert pace.line() == "1,200 clients, 2 failed, 450 sent/s, 19,800 received/s, p50 2.0 ms, p99 2.0 ms"
