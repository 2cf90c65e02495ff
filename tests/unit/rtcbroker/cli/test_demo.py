"""The demo's options."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

import simulation.demo
from rtcbroker.cli import main
from simulation.demo import DemoOptions


@pytest.fixture
def demos(monkeypatch: pytest.MonkeyPatch) -> list[DemoOptions]:
    asked: list[DemoOptions] = []

    async def demo(options: DemoOptions, console: Console) -> int:
        asked.append(options)
        return 0

    monkeypatch.setattr(simulation.demo, "demo", demo)
    monkeypatch.setattr("service.logs.configure", lambda *_: None)
    return asked


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["demo", *arguments], terminal_width=400)


def test_defaults(demos: list[DemoOptions]) -> None:
    assert invoke().exit_code == 0
    assert demos == [DemoOptions(None, 30, 2, None)]


def test_options(demos: list[DemoOptions], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCBROKER_DEMO_SERVERS", "3")
    assert invoke("--duration", "20", "--bots", "50", "--port", "0").exit_code == 0
    assert demos == [DemoOptions(20.0, 50, 3, 0)]


@pytest.mark.parametrize("arguments", [["--duration", "0"], ["--bots", "1"], ["--port", "70000"], ["--servers", "two"]])
def test_what_is_wrong_is_named(demos: list[DemoOptions], arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, demos) == (2, [])
    assert arguments[0] in result.output
