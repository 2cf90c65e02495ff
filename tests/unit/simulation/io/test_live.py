"""What people see, in a terminal and elsewhere."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from simulation.core.disruption import Disruption
from simulation.core.latency import Histogram, Timeline
from simulation.core.outages import Outage
from simulation.core.report import Counts, Report
from simulation.io import live


def console(*, terminal: bool) -> tuple[Console, StringIO]:
    text = StringIO()
    return Console(file=text, force_terminal=terminal, width=100), text


def test_elsewhere_lines_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    made, text = console(terminal=False)
    with live.display(made) as display:
        for tenth in range(131):
            clock = tenth / 10
            display.show("running", clock, 13.0, "fine")
        display.show("draining", 1.0, 1.0, "done")
    assert text.getvalue().splitlines() == [
        "running: 0 of 13: fine",
        "running: 5 of 13: fine",
        "running: 10 of 13: fine",
        "running: 13 of 13: fine",
        "draining: 1 of 1: done",
    ]


def test_in_a_terminal_every_phase_has_a_bar() -> None:
    made, text = console(terminal=True)
    with live.display(made) as display:
        display.show("connecting", 1, 2, "1 client")
        display.show("connecting", 2, 2, "2 clients")
        display.show("running", 0, 10, "starts")
    assert "connecting" in text.getvalue()
    assert "2 clients" in text.getvalue()
    assert "running" in text.getvalue()


def test_the_table_has_every_row_of_the_report() -> None:
    made, text = console(terminal=False)
    report = Report("dense", 10.0, Counts(joins=45), Timeline(), Histogram(), [], None, 0.001)
    made.print(live.report_table(report))
    for name, value in report.rows():
        assert name in text.getvalue()
        assert value in text.getvalue()


def test_a_client_and_its_time_stay_on_one_line() -> None:
    made, text = console(terminal=False)
    outages = [Outage(client, 1, since=5.0, until=6.25) for client in range(10, 40)]
    report = Report(
        "dense", 10.0, Counts(joins=45), Timeline(), Histogram(), [], None, 0.001, disruption=Disruption(outages=outages)
    )
    made.print(live.report_table(report))
    lines = [line for line in text.getvalue().splitlines() if "#" in line]
    assert len(lines) > 3
    assert sum(line.count(" 1.25 s") for line in lines) == 30
    for line in lines:
        assert line.count("#") == line.count(" 1.25 s")
        assert len(line) <= 100


def test_a_narrow_console_gets_everything_all_the_same() -> None:
    text = StringIO()
    outages = [Outage(client, 1, since=5.0, until=6.25) for client in range(10, 40)]
    report = Report(
        "dense", 10.0, Counts(joins=45), Timeline(), Histogram(), [], None, 0.001, disruption=Disruption(outages=outages)
    )
    Console(file=text, width=50).print(live.report_table(report))
    assert max(map(len, text.getvalue().splitlines())) <= 50
    assert text.getvalue().count("#") == 30
