"""Spans of time as people write them."""

from __future__ import annotations

import pytest

from service.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("20", 20.0),
        (" 90s ", 90.0),
        ("90 s", 90.0),
        ("15m", 900.0),
        ("1.5h", 5400.0),
        ("30d", 2_592_000.0),
        ("250ms", 0.25),
        (".5", 0.5),
    ],
)
def test_what_is_one(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1", "1w", "an hour", "1h30m", "nan", "inf", "1e3", "1.", "5S", "\u0663s", "9" * 400])
def test_what_is_none(text: str) -> None:
    assert parse_duration(text) is None
