"""The figures as one table that is text and Markdown at once, with what is wrong below it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.figures import Figure, Verdict

HEADINGS = ("scenario", "figure", "median", "least - greatest", "target", "verdict")


def table(figures: Sequence[Figure]) -> str:
    """One row a figure."""
    rows = [HEADINGS, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def remarks(figures: Sequence[Figure], notes: Sequence[str]) -> list[str]:
    """Why figures are invalid, each reason once, and what else is to be known."""
    reasons = dict.fromkeys(problem for figure in figures for problem in figure.problems)
    return [*(f"invalid: {reason}" for reason in reasons), *(f"note: {note}" for note in dict.fromkeys(notes))]


def is_valid(figures: Sequence[Figure]) -> bool:
    """Whether every figure says something."""
    return bool(figures) and all(figure.verdict is not Verdict.INVALID for figure in figures)


def is_reached(figures: Sequence[Figure]) -> bool:
    """Whether no target is missed."""
    return all(figure.verdict is not Verdict.MISSED for figure in figures)


def _row(figure: Figure) -> tuple[str, ...]:
    wanted = figure.wanted
    spread = "" if figure.spread is None else " - ".join(number(value, wanted.digits) for value in figure.spread)
    target = "" if wanted.at_most is None else f"≤ {_with_unit(f'{wanted.at_most:g}', wanted.unit)}"
    value = "" if figure.value is None else _with_unit(number(figure.value, wanted.digits), wanted.unit)
    return wanted.scenario, wanted.label, value, spread, target, figure.verdict.value


def number(value: float, digits: int) -> str:
    """With thousands set apart, and as many decimals."""
    return f"{value:,.{digits}f}"


def _with_unit(text: str, unit: str) -> str:
    return f"{text}{'' if unit in ('', '/s', 'x') else ' '}{unit}"
