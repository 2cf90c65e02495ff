"""Reports of AppRTC's clients."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coordinator.p2p.core.apprtc import Result
from coordinator.p2p.core.apprtc_events import judge_event

EVENT = {"event_type": 3, "event_time_ms": 1_000}


def report(**changes: Any) -> dict[str, Any]:
    return {"type": "event", "request_time_ms": 1_001, "event": EVENT, **changes}


@pytest.mark.parametrize(
    "value",
    [
        report(),
        report(more=1),
        report(request_time_ms="1001.5"),
        report(event={**EVENT, "room_id": "r", "flow_id": 7}),
        report(event={**EVENT, "event_type": "x", "event_time_ms": 0}),
    ],
)
def test_events(value: Any) -> None:
    assert judge_event(json.dumps(value).encode()) is Result.SUCCESS


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        None,
        7,
        report(type="other"),
        report(type=None),
        report(request_time_ms=None),
        report(request_time_ms="soon"),
        report(request_time_ms=10**400),
        report(event=None),
        report(event=[]),
        report(event="x"),
        report(event={"event_type": 3}),
        report(event={"event_time_ms": 3}),
        report(event={**EVENT, "event_type": None}),
        report(event={**EVENT, "event_time_ms": {}}),
    ],
)
def test_what_is_none(value: Any) -> None:
    assert judge_event(json.dumps(value).encode()) is Result.INVALID_REQUEST


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xff", b"[" * 100_000], ids=range(4))
def test_what_is_not_even_json(body: bytes) -> None:
    assert judge_event(body) is Result.INVALID_REQUEST
