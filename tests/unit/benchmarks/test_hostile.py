"""Hostile datagrams are what they are called, and figures come from phases."""

from __future__ import annotations

import random

import pytest

from benchmarks.hostile import Phase, judge
from benchmarks.hostile_packets import MAX_BYTES, Recording, client_hello, kinds
from transport import stun_binding as stun

KEY = b"k" * 24
RECORD = b"\x17\xfe\xfd\0\1" + bytes(6) + b"\0\4abcd"
RECORDING = Recording("ours:theirs", [stun.request(bytes(12), username="ours:theirs", key=KEY), RECORD])


def made(kind: str, count: int = 200) -> list[bytes]:
    rng = random.Random(1)
    return [kinds(RECORDING)[kind](rng) for _ in range(count)]


def test_the_same_seed_makes_the_same() -> None:
    for kind, make in kinds(RECORDING).items():
        assert make(random.Random(2)) == make(random.Random(2)), kind
        assert all(len(data) <= MAX_BYTES + 13 for data in made(kind))


def test_stun_is_signed_by_nobody() -> None:
    for kind in ("STUN, unknown user", "STUN, wrong integrity"):
        for data in made(kind):
            assert not stun.is_signed(data, stun.read(data), KEY)
    assert {stun.read(data).username for data in made("STUN, wrong integrity")} == {b"ours:theirs"}
    for data in made("STUN, cut"):
        with pytest.raises(stun.Malformed):
            stun.read(data)


def test_what_is_replayed_is_what_was_overheard() -> None:
    assert set(made("STUN, replayed")) == {RECORDING.datagrams[0]}
    assert set(made("DTLS, replayed")) == {RECORD}
    assert RECORD not in made("DTLS, damaged")


def test_a_hello_is_a_handshake_of_epoch_0() -> None:
    hello = client_hello()
    assert (hello[0], hello[3:5], hello[13]) == (22, b"\0\0", 1)
    assert len(set(made("DTLS, hello", 20))) == 20


CALM = Phase(cpu_s=1.0, seconds=10.0, took_ms=[1.0] * 990 + [9.0] * 20)
FLOOD = {"cheap": Phase(0.3, 1.0, 10_000, [2.0] * 60), "dear": Phase(0.6, 1.0, 10_000, [2.0] * 60)}
OWN = {"cheap": Phase(0.2, 1.0, 10_000, [3.0] * 60)}


def test_figures() -> None:
    outcome = judge(CALM, FLOOD, OWN, lost=0, reconnects=0)
    assert outcome.problems == []
    assert outcome.notes == ["hostile: the dearest kind: dear, a stranger's"]
    cost = outcome.document["cpu_us"]
    assert (cost["strangers"], cost["own"], cost["dearest"]) == (35.0, 10.0, 50.0)
    assert outcome.document["packets"] == 30_000
    assert outcome.document["packets_per_s"] == 10_000
    assert outcome.document["calm_ms"] == {"p50": 1.0, "p99": 9.0}
    assert outcome.document["flood_ms"]["p50"] == 2.0


def test_what_makes_it_worthless() -> None:
    outcome = judge(CALM, FLOOD, OWN, lost=2, reconnects=1)
    assert outcome.problems == ["2 packets of the talk were lost", "the clients that talked lost their link 1 times"]
