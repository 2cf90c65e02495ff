"""Values as people write them."""

from __future__ import annotations

import click
import pytest

from rtcbroker.cli.types import DURATION, POSITIVE, SHARE, WORKERS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20", 20),
        ("90s", 90),
        ("15m", 900),
        ("1h", 3600),
        ("30d", 2_592_000),
        ("250ms", 0.25),
        ("1.5h", 5400),
        (".5", 0.5),
        (7, 7),
    ],
)
def test_durations(text: str | int, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "1w", "an hour", "1h30m", "nan", "inf", 0, -3.0, float("nan"), True])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(click.BadParameter, match="is no duration above 0, such as 90, 90s, 15m, 1h or 30d"):
        DURATION.convert(text, None, None)


@pytest.mark.parametrize(("text", "share"), [("0.1%", 0.001), ("0.001", 0.001), ("0", 0), ("100%", 1), (0.5, 0.5)])
def test_shares(text: str | float, share: float) -> None:
    assert SHARE.convert(text, None, None) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "2", "101%", "-1%", "nan", "much"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no share between 0 and 1"):
        SHARE.convert(text, None, None)


def test_numbers_above_zero() -> None:
    assert POSITIVE.convert("2.5", None, None) == 2.5
    for text in ("0", "-1", "nan", "inf", "ten", ""):
        with pytest.raises(click.BadParameter, match="is no number above 0"):
            POSITIVE.convert(text, None, None)


def test_workers() -> None:
    assert [WORKERS.convert(value, None, None) for value in ("auto", "3", 4, None)] == [None, 3, 4, None]
    for text in ("0", "257", "-1", "many", 0):
        with pytest.raises(click.BadParameter, match="is neither 'auto' nor a number from 1 to 256"):
            WORKERS.convert(text, None, None)
