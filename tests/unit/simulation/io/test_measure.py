"""What processes cost, as far as they can still be asked."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest

from simulation.io import measure
from simulation.io.measure import ServerMeter


class FakeProcess:
    def __init__(self, pid: int) -> None:
        self.cpu, self.rss, self.is_gone = float(pid), 1000 * pid, False

    def cpu_times(self) -> SimpleNamespace:
        self._check()
        return SimpleNamespace(user=self.cpu, system=self.cpu / 2)

    def memory_info(self) -> SimpleNamespace:
        self._check()
        return SimpleNamespace(rss=self.rss)

    def _check(self) -> None:
        if self.is_gone:
            raise psutil.NoSuchProcess(1)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> dict[int, FakeProcess]:
    made = {pid: FakeProcess(pid) for pid in (1, 2)}
    monkeypatch.setattr(measure, "psutil", SimpleNamespace(Process=made.__getitem__, NoSuchProcess=psutil.NoSuchProcess))
    return made


def test_only_the_measured_time_counts(processes: dict[int, FakeProcess]) -> None:
    meter = ServerMeter([1, 2])
    meter.begin()
    processes[1].cpu += 10
    cost = meter.end()
    assert (cost.servers, cost.cpu_s, cost.rss_bytes) == (2, 15.0, 3000)


def test_memory_is_the_greatest_sum_seen(processes: dict[int, FakeProcess]) -> None:
    meter = ServerMeter([1, 2])
    meter.begin()
    processes[2].rss = 9000
    meter.sample()
    processes[2].rss = 100
    assert meter.end().rss_bytes == 10_000


def test_a_process_that_is_gone_counts_with_what_was_last_seen(processes: dict[int, FakeProcess]) -> None:
    meter = ServerMeter([1, 2])
    meter.begin()
    processes[1].cpu += 10
    meter.sample()
    processes[1].is_gone = True
    processes[2].cpu += 2
    assert meter.end().cpu_s == 18.0


def test_one_that_takes_the_place_of_another_counts_from_its_start(processes: dict[int, FakeProcess]) -> None:
    meter = ServerMeter([1])
    meter.begin()
    processes[1].is_gone = True
    meter.add(2)
    cost = meter.end()
    assert (cost.servers, cost.cpu_s, cost.rss_bytes) == (1, 3.0, 2000)
