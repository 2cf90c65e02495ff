"""Services get what they are told, from wherever it comes; what is wrong is named in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

import click
import pytest
from click.testing import CliRunner, Result
from pydantic import Field

from rtcbroker.cli import services
from service.settings import ServiceSettings, group


class BridgeSettings(ServiceSettings):
    """A service that does not exist."""

    command: ClassVar[str] = "bridge"

    lanes: int = Field(2, ge=1, description="Lanes.", json_schema_extra=group("Traffic"))
    tolls: list[str] = Field(default_factory=list, description="Tolls.")
    open: bool = Field(True, description="Whether it is open.")
    weight: float = Field(3.5, description="Tonnes.")
    side: Literal["left", "right"] = Field("left", description="Where one drives.")
    river: str = Field(description="What it leads over.")


@pytest.fixture
def served() -> list[BridgeSettings]:
    return []


@pytest.fixture
def invoke(served: list[BridgeSettings], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def main(settings: BridgeSettings) -> int:
        served.append(settings)
        return 7

    monkeypatch.setattr("service.logs.configure", lambda *_: None)
    command: click.Command = services.service_command(BridgeSettings, main, "Runs a bridge.")
    return lambda *arguments: CliRunner().invoke(command, arguments, terminal_width=400)


def test_what_is_said_is_served(invoke: Callable[..., Result], served: list[BridgeSettings]) -> None:
    result = invoke("--lanes", "4", "--tolls", "car", "--tolls", "bus", "--no-open", "--weight", "7.5", "--river", "Rhine")
    assert result.exit_code == 7, result.output
    (settings,) = served
    assert (settings.lanes, settings.tolls, settings.open, settings.weight, settings.side) == (
        4,
        ["car", "bus"],
        False,
        7.5,
        "left",
    )


def test_command_line_before_environment_before_file(
    invoke: Callable[..., Result], served: list[BridgeSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text('[bridge]\nlanes = 5\nweight = 5\nriver = "Elbe"\n[common]\nlog_level = "error"\n')
    monkeypatch.setenv("RTCBROKER_BRIDGE_WEIGHT", "6")
    monkeypatch.setenv("RTCBROKER_LANES", "6")
    assert invoke("--config", str(path), "--lanes", "7").exit_code == 7
    (settings,) = served
    assert (settings.lanes, settings.weight, settings.river, settings.log_level) == (7, 6, "Elbe", "error")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--river", "x", "--lanes", "none"], "rtcbroker bridge: --lanes: 'none': input should be a valid integer"),
        (["--river", "x", "--lanes", "0"], "rtcbroker bridge: --lanes: '0': input should be greater than or equal to 1"),
        (["--river", "x", "--side", "up"], "rtcbroker bridge: --side: 'up': input should be 'left' or 'right'"),
        ([], "rtcbroker bridge: --river: is required"),
        (["--river", "x", "--config", "gone.toml"], "rtcbroker bridge: --config gone.toml: cannot be read"),
        (["--rivr", "x"], "No such option '--rivr'"),
    ],
)
def test_what_is_wrong_is_named(
    invoke: Callable[..., Result], served: list[BridgeSettings], arguments: list[str], message: str
) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, served) == (2, [])
    assert message.lower() in result.output.lower()
    assert "Traceback" not in result.output


def test_each_problem_has_its_line(invoke: Callable[..., Result]) -> None:
    lines = invoke("--lanes", "0", "--side", "up").output.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("rtcbroker bridge: --") for line in lines)


def test_a_variable_of_no_option_is_told(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, served: list[BridgeSettings]
) -> None:
    monkeypatch.setenv("RTCBROKER_BRIDGE_LANE", "3")
    result = invoke("--river", "x")
    assert len(served) == 1
    assert "RTCBROKER_BRIDGE_LANE: no option of 'bridge' (did you mean RTCBROKER_BRIDGE_LANES?)" in result.output


def test_the_help_has_headings_variables_and_defaults(invoke: Callable[..., Result]) -> None:
    text = invoke("--help").output
    assert "Traffic:" in text
    assert "Authentication:" in text
    assert "[env RTCBROKER_BRIDGE_LANES or RTCBROKER_LANES; default: 2]" in text
    assert "--open / --no-open" in text
    assert "default: yes" in text
    assert "--side [left|right]" in text
    assert "[env RTCBROKER_BRIDGE_RIVER or RTCBROKER_RIVER; required]" in text


def test_the_services_there_are() -> None:
    assert services.coordinator.name == "coordinator"
    assert services.commserver.name == "commserver"
    with pytest.raises(AttributeError):
        _ = services.bridge
