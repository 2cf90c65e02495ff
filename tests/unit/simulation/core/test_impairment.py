"""What `--impair` says, and what it means for a packet."""

from __future__ import annotations

import random
from dataclasses import astuple

import pytest

from protocol.errors import ConfigError
from simulation.core.impairment import Impairment, Lane, netem_arguments, parse_impairment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loss=2%,delay=80ms", Impairment(loss=0.02, delay_s=0.08)),
        ("loss=0.02", Impairment(loss=0.02)),
        (" delay=0.2s , jitter=500us ", Impairment(delay_s=0.2, jitter_s=0.0005)),
        ("rate=512kbit", Impairment(rate_bps=512e3)),
        ("rate=10mbit,loss=100%", Impairment(loss=1.0, rate_bps=1e7)),
    ],
)
def test_what_is_read(text: str, expected: Impairment) -> None:
    found = parse_impairment(text)
    assert astuple(found) == pytest.approx(astuple(expected))
    assert astuple(parse_impairment(str(found))) == pytest.approx(astuple(found)), "what it prints can be read"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--impair '': expected loss=.., delay=.., jitter=.., rate=.."),
        ("delay", "--impair 'delay': expected loss=.."),
        ("speed=3", "--impair 'speed=3': expected loss=.."),
        ("loss=2%,loss=3%", "--impair 'loss=3%': loss is given twice"),
        ("loss=two", "'two' is no number"),
        ("loss=nan", "'nan' is no number"),
        ("loss=101%", "a share from 0 to 1, or a percentage"),
        ("loss=-1", "a share from 0 to 1, or a percentage"),
        ("delay=80", "expected a time such as 80ms or 0.2s"),
        ("delay=11s", "from 0 to 10 s"),
        ("delay=1ms,jitter=2ms", "--impair 'jitter=2ms': more than the delay"),
        ("rate=10", "expected bits a second such as 512kbit or 10mbit"),
        ("rate=1bit", "from 8kbit to 100gbit"),
        ("loss=0", "--impair 'loss=0': impairs nothing"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_impairment(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loss=2%,delay=80ms", "netem limit 20000 delay 80000us loss 2.0000%"),
        ("delay=80ms,jitter=10ms", "netem limit 20000 delay 80000us 10000us"),
        ("rate=1mbit", "netem limit 63 rate 1000000bit"),
    ],
)
def test_the_same_for_netem(text: str, expected: str) -> None:
    assert " ".join(netem_arguments(parse_impairment(text))) == expected


def lane(text: str) -> Lane:
    return Lane(parse_impairment(text), random.Random(1))


def test_delay_and_jitter() -> None:
    one = lane("delay=80ms,jitter=10ms")
    times = [(one.arrival(100, float(now)) or 0.0) - now for now in range(1000)]
    assert 0.07 <= min(times) < 0.0705
    assert 0.0895 < max(times) <= 0.09


def test_loss() -> None:
    one = lane("loss=2%")
    arrived = sum(one.arrival(100, float(now)) is not None for now in range(10_000))
    assert 9_730 < arrived < 9_870  # five standard deviations


def test_a_rate_sends_one_after_the_other_and_bounds_its_queue() -> None:
    one = lane("rate=80kbit,delay=1s")
    assert [one.arrival(1_000, 5.0) for _ in range(3)] == pytest.approx([6.1, 6.2, 6.3])
    assert one.arrival(1_000, 6.0) == pytest.approx(7.1), "the line is free again"
    held = sum(one.arrival(1_000, 6.0) is not None for _ in range(100))
    assert held == Impairment(delay_s=1.0, rate_bps=80_000).queue_packets - 4


def test_what_has_arrived_makes_place() -> None:
    one = lane("rate=8kbit")
    most = Impairment(rate_bps=8_000).queue_packets
    assert sum(one.arrival(100, 0.0) is not None for _ in range(2 * most)) == most
    assert one.arrival(100, 0.05) is None
    assert one.arrival(100, 1_000.0) is not None
