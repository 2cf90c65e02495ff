"""Values as people write them: durations, shares, counts; each with an error that says what is wrong."""

from __future__ import annotations

import math
from typing import Any

import click

from service.durations import parse_duration


class Duration(click.ParamType[float]):
    """``90``, ``90s``, ``15m``, ``1h``, ``30d``: a positive number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """In seconds."""
        seconds = parse_duration(str(value))  # a number, as a file may have it, is read as its text is
        if not seconds:
            self.fail(f"{value!r} is no duration above 0, such as 90, 90s, 15m, 1h or 30d", param, ctx)
        return seconds


class Share(click.ParamType[float]):
    """``0.001`` or ``0.1%``: a part of a whole."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """0..1"""
        text = str(value).strip()
        try:
            share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            share = math.nan
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is no share between 0 and 1, such as 0.001 or 0.1%", param, ctx)
        return share


class Positive(click.ParamType[float]):
    """A finite number above 0."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As a float."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (number > 0 and math.isfinite(number)):
            self.fail(f"{value!r} is no number above 0", param, ctx)
        return number


class Workers(click.ParamType[int | None]):
    """``auto``, or how many."""

    name = "workers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """None for ``auto``."""
        if value is None or value == "auto":
            return None
        if str(value).isdecimal() and 1 <= int(value) <= 256:
            return int(value)
        self.fail(f"{value!r} is neither 'auto' nor a number from 1 to 256", param, ctx)


DURATION, SHARE, POSITIVE, WORKERS = Duration(), Share(), Positive(), Workers()
