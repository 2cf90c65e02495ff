"""Candidates wait for the answer, keep their order, and are bounded."""

from __future__ import annotations

import json

import pytest

from protocol import signalling
from protocol.limits import MAX_CANDIDATES
from protocol.signalling import CandidateInit
from rtcbroker.core import events
from rtcbroker.core.trickle import Trickle

LINE = "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host"


def make() -> tuple[Trickle, list[events.Output]]:
    outputs: list[events.Output] = []
    return Trickle(3, 42, outputs.append), outputs


def as_json(line: str) -> bytes:
    return json.dumps({"candidate": line, "sdpMid": "", "usernameFragment": None}).encode()


def test_both_ways_they_wait_for_the_answer() -> None:
    trickle, outputs = make()
    trickle.received(as_json(LINE))
    trickle.found(CandidateInit(LINE))
    assert outputs == []
    trickle.open()
    assert outputs == [
        events.AddCandidate(3, CandidateInit(LINE, "")),
        events.SendSignal(signalling.candidate(42, CandidateInit(LINE))),
    ]


def test_afterwards_they_pass_at_once() -> None:
    trickle, outputs = make()
    trickle.open()
    trickle.received(as_json(LINE))
    trickle.received(as_json(""))
    trickle.found(None)
    assert outputs == [
        events.AddCandidate(3, CandidateInit(LINE, "")),
        events.AddCandidate(3, None),
        events.SendSignal(signalling.candidate(42, signalling.END_OF_CANDIDATES)),
    ]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"candidate": 5}', b"\xff"])
def test_what_is_no_candidate_is_dropped(data: bytes) -> None:
    trickle, outputs = make()
    trickle.open()
    trickle.received(data)
    assert outputs == []


def test_no_more_than_allowed_each_way() -> None:
    trickle, outputs = make()
    for _ in range(2 * MAX_CANDIDATES):
        trickle.received(as_json(LINE))
        trickle.found(CandidateInit(LINE))
    trickle.open()
    assert len(outputs) == 2 * MAX_CANDIDATES
