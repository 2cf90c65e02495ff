"""What the process costs."""

from __future__ import annotations

import pytest

from service.process import CpuShare, cpu_seconds, rss_bytes


def test_the_share_is_that_of_the_span() -> None:
    share = CpuShare(10.0, 1.0)
    assert share.sample(12.0, 2.0) == 0.5
    assert share.sample(13.0, 4.0) == 2.0
    assert share.sample(14.0, 4.0) == 0.0


def test_without_time_the_last_answer_stands() -> None:
    share = CpuShare(10.0, 1.0)
    assert share.sample(10.0, 5.0) == 0.0
    assert share.sample(12.0, 2.0) == 0.5
    assert share.sample(12.0, 3.0) == 0.5
    assert share.sample(13.0, 3.0) == pytest.approx(1.0)


def test_a_counter_that_falls_back_is_no_negative_share() -> None:
    assert CpuShare(10.0, 5.0).sample(11.0, 4.0) == 0.0


def test_the_process_itself() -> None:
    before = cpu_seconds()
    sum(range(100_000))
    assert cpu_seconds() >= before > 0
    assert rss_bytes() > 1_000_000
