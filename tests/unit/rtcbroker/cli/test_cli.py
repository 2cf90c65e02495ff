"""The command line as a whole: it explains itself, and starts nothing that was not named."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from subprocess import run

import click
import pytest
from click.testing import CliRunner, Result

from rtcbroker.cli import COMMANDS, main

SCENARIOS = ["dense", "groups", "churn", "replay"]
PATHS = [[name] for name in COMMANDS] + [["simulate", name] for name in SCENARIOS]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, terminal_width=400)


def command(path: list[str]) -> click.Command:
    found: click.Command = main
    for name in path:
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), name)
        assert inner is not None
        found = inner
    return found


def test_the_list_of_commands() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for name, (_, text) in COMMANDS.items():
        assert f"{name} " in result.output
        assert text in result.output


def test_the_version() -> None:
    assert invoke("--version").output == f"rtcbroker {importlib.metadata.version('rtcbroker')}\n"


def test_a_command_that_does_not_exist() -> None:
    result = invoke("comserver")
    assert result.exit_code == 2
    assert (
        "no command 'comserver'; there are coordinator, commserver, token, drain, publish, dev-cert, simulate, demo"
        in result.output
    )


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_explains_itself(path: list[str]) -> None:
    result = invoke(*path, "--help")
    assert result.exit_code == 0, result.output
    assert "Example" in result.output
    assert len(result.output) > 500


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_option_is_explained_with_its_variable(path: list[str]) -> None:
    found, text = command(path), invoke(*path, "--help").output
    for parameter in found.params:
        if isinstance(parameter, click.Option):
            record = parameter.get_help_record(click.Context(found))
            assert record is not None
            assert parameter.opts[0] in text
            assert len(parameter.help or "") > 8, parameter.name
            assert "RTCBROKER_" in record[1], parameter.name


def test_a_service_does_not_load_the_other_or_the_simulation() -> None:
    code = (
        "import sys\nfrom rtcbroker.cli import main\n"
        "try:\n    main(['commserver', '--help'])\nexcept SystemExit:\n    pass\n"
        "sys.exit(','.join(sorted({'coordinator', 'simulation', 'matplotlib'} & set(sys.modules))) or 0)"
    )
    result = run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("variables", "text", "said"),
    [
        ({"RTCBROKER_DEMO_BOTS": "many"}, "", "'many' is not a valid integer"),
        ({}, '[demo]\nbots = "many"\n', "[demo] bots"),
        ({}, "[tokn]\n", "tokn: no such table (did you mean token?)"),
        ({}, "[common]\nfoo = 1\n", "[common] foo: no such option"),
    ],
)
def test_a_wrong_value_is_told_with_the_place_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], text: str, said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "rtcbroker.toml"
    file.write_text(text)
    result = invoke("demo", "--config", str(file))
    assert result.exit_code == 2
    assert said in result.output
    assert all(name in result.output for name in variables)
    assert not variables or str(file) not in result.output


def test_a_variable_that_no_option_reads_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCBROKER_TOKEN_LIFETIM", "3d")
    result = invoke("token", "--subject", "ann", "--secret", "x" * 32)
    assert result.exit_code == 0
    assert "RTCBROKER_TOKEN_LIFETIM: no option of 'token' (did you mean RTCBROKER_TOKEN_LIFETIME?)" in result.output
