"""What AppRTC's clients report of themselves (`POST /a/`): judged as the reference server judges it, then forgotten."""

from __future__ import annotations

import json
from typing import Any

from coordinator.p2p.core.apprtc import Result


def judge_event(body: bytes) -> Result:
    """SUCCESS for an event with its kind and two times in milliseconds, INVALID_REQUEST for everything else."""
    try:
        report = json.loads(body)
    except (ValueError, RecursionError):
        return Result.INVALID_REQUEST
    event = report.get("event") if isinstance(report, dict) else None
    if not isinstance(event, dict) or report.get("type") != "event" or event.get("event_type") is None:
        return Result.INVALID_REQUEST
    times = (report.get("request_time_ms"), event.get("event_time_ms"))
    return Result.SUCCESS if all(map(_is_number, times)) else Result.INVALID_REQUEST


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True
