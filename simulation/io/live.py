"""What a person sees while a run goes on: bars and a live line in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import textwrap
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from simulation.core.disruption import NBSP
from simulation.core.report import Report

PLAIN_LINE_S = 5.0
"""Between two lines where the output is no terminal."""


class Display(Protocol):
    """Shows phases of a run, one after the other."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def show(self, phase: str, done: float, total: float, note: str) -> None:
        """`phase` has come to `done` of `total`; `note` says more."""
        ...


class TerminalDisplay:
    """A bar for each phase, drawn again and again."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description:>10}"), BarColumn(30), TextColumn("{task.fields[note]}"), console=console
        )
        self._phases: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def show(self, phase: str, done: float, total: float, note: str) -> None:
        """Move the bar of this phase; a new phase gets a bar below."""
        if phase not in self._phases:
            self._phases[phase] = self._bars.add_task(phase, note=note)
        self._bars.update(self._phases[phase], completed=done, total=total, note=note)


class PlainDisplay:
    """A line when a phase begins and ends, and every few seconds of a long one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._next = 0.0
        self._is_over = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def show(self, phase: str, done: float, total: float, note: str) -> None:
        """Print a line, if it is time."""
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._next, self._is_over = phase, now, False
        if now >= self._next or (done >= total and not self._is_over):
            self._is_over = done >= total
            self._next = now + PLAIN_LINE_S
            self._console.print(f"{phase}: {done:.0f} of {total:.0f}: {note}", soft_wrap=True)


def display(console: Console) -> Display:
    """The display that suits the console."""
    return TerminalDisplay(console) if console.is_terminal else PlainDisplay(console)


def report_table(report: Report) -> Table:
    """The table at the end."""
    table = Table(title=report.scenario, show_header=False, title_justify="left", title_style="bold")
    for name, value in report.rows():
        table.add_row(name, _Lines(value))
    return table


class _Lines:
    """A text in lines that break at plain spaces only. The console itself breaks at no-break spaces, too."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in textwrap.wrap(self._text, options.max_width, break_on_hyphens=False):
            # Written as plain spaces: who copies or searches a line gets what it looks like.
            yield Text(line.replace(NBSP, " "))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        words = self._text.split(" ")
        return Measurement(max(map(len, words)), len(self._text)).clamp(max_width=options.max_width)
