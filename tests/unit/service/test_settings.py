"""Settings: which source counts, and an error that names the place of the wrong value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from pydantic import Field, SecretStr, ValidationError, model_validator

from protocol.errors import ConfigError
from service.settings import ServiceSettings, load, unknown_variables


class Example(ServiceSettings):
    command: ClassVar[str] = "commserver"

    port: int = Field(default=9090, ge=0, le=65535)
    bind: list[str] = Field(default_factory=list)
    sizes: list[int] = Field(default_factory=list)
    hub: bool = False
    low: int = 1
    high: int = 2

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("--low must not be above --high")
        return self


class Needy(ServiceSettings):
    command: ClassVar[str] = "simulate"

    url: str


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "cluster.toml"


def problems(settings_class: type[ServiceSettings], given: dict[str, Any], config: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(settings_class, given, config)
    return str(caught.value).splitlines()


# ------------------------------------------------------------------------------------------------------------ where from


def test_defaults_stand_where_nothing_is_said() -> None:
    settings = load(Example, {})
    assert (settings.port, settings.auth, settings.bind) == (9090, "token", [])


def test_each_source_beats_the_next(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml.write_text("[common]\nlog_level = 'debug'\n")
    assert load(Example, {}, toml).log_level == "debug"
    toml.write_text("[common]\nlog_level = 'debug'\n[commserver]\nlog_level = 'info'\n")
    assert load(Example, {}, toml).log_level == "info"
    monkeypatch.setenv("RTCBROKER_LOG_LEVEL", "warning")
    assert load(Example, {}, toml).log_level == "warning"
    monkeypatch.setenv("RTCBROKER_COMMSERVER_LOG_LEVEL", "error")
    assert load(Example, {}, toml).log_level == "error"
    assert load(Example, {"log_level": "info"}, toml).log_level == "info"


def test_another_commands_table_and_variables_are_not_read(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml.write_text("[coordinator]\nport = 1\nanything = 2\n")
    monkeypatch.setenv("RTCBROKER_COORDINATOR_PORT", "3")
    assert load(Example, {}, toml).port == 9090


def test_the_file_may_be_named_by_a_variable_and_the_flag_counts_more(
    toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml.write_text("[commserver]\nport = 1\n")
    monkeypatch.setenv("RTCBROKER_CONFIG", str(toml))
    assert load(Example, {}).port == 1
    other = tmp_path / "other {x}.toml"
    other.write_text("[commserver]\nport = 2\n")
    assert load(Example, {}, other).port == 2


def test_what_a_command_line_leaves_open_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCBROKER_PORT", "5")
    monkeypatch.setenv("RTCBROKER_BIND", "::1")
    settings = load(Example, {"port": None, "bind": ()})
    assert (settings.port, settings.bind) == (5, ["::1"])


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCBROKER_PORT", "")
    assert load(Example, {}).port == 9090


def test_a_model_made_directly_takes_nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCBROKER_PORT", "5")
    monkeypatch.setenv("PORT", "6")
    assert Example().port == 9090


# ---------------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("text", ["a,b", " a , b ,", '["a", "b"]'])
def test_a_list_as_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCBROKER_BIND", text)
    assert load(Example, {}).bind == ["a", "b"]


def test_lists_from_elsewhere(toml: Path) -> None:
    toml.write_text("[commserver]\nbind = ['a', 'b']\nsizes = [1, 2]\n")
    settings = load(Example, {}, toml)
    assert (settings.bind, settings.sizes) == (["a", "b"], [1, 2])
    assert load(Example, {"bind": ("c",), "sizes": ("3",)}, toml).sizes == [3]


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("no", False), ("off", False)])
def test_a_switch_as_text(text: str, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCBROKER_HUB", text)
    assert load(Example, {}).hub is value


# -------------------------------------------------------------------------------------------------------------- problems


def test_a_wrong_value_is_named_with_its_place(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml.write_text("[commserver]\nhub = 'perhaps'\n[common]\nlog_level = 'loud'\n")
    monkeypatch.setenv("RTCBROKER_COMMSERVER_SIZES", "1,x")
    lines = problems(Example, {"port": "99999"}, toml)
    assert "--port: '99999': input should be less than or equal to 65535" in lines
    assert any(line.startswith("RTCBROKER_COMMSERVER_SIZES: 'x': input should be a valid integer") for line in lines)
    assert any(line.startswith(f"{toml} [commserver] hub: 'perhaps': ") for line in lines)
    assert any(line.startswith(f"{toml} [common] log_level: 'loud': input should be 'debug', 'info'") for line in lines)
    assert len(lines) == 4


def test_the_shared_variable_is_named_when_it_is_the_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCBROKER_PORT", "many")
    assert problems(Example, {})[0].startswith("RTCBROKER_PORT: 'many': ")


def test_a_list_that_is_neither_json_nor_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCBROKER_BIND", '["a"')
    assert problems(Example, {}) == [
        "RTCBROKER_BIND: '[\"a\"': is neither a JSON array nor a list separated by commas",
    ]


def test_a_missing_option_says_where_it_can_be_set() -> None:
    assert problems(Needy, {}) == [
        "--url: is required (or set RTCBROKER_SIMULATE_URL, or 'url' in the configuration file)",
    ]


def test_options_that_contradict_each_other() -> None:
    assert problems(Example, {"low": 5}) == ["--low must not be above --high"]


def test_a_long_value_is_cut() -> None:
    (line,) = problems(Example, {"port": "x" * 1000})
    assert len(line) < 200


@pytest.mark.parametrize("value", [12345678901234567, ["hush", "hush"]])
def test_a_secret_is_never_shown(value: Any) -> None:
    (line,) = problems(Example, {"auth_secret": value})
    assert line.startswith("--auth-secret: ")
    assert "hush" not in line
    assert "1234" not in line


def test_a_secret_is_not_in_the_text_of_the_settings() -> None:
    settings = load(Example, {"auth_secret": "hush " * 10})
    assert "hush" not in repr(settings)
    assert settings.auth_secret == SecretStr("hush " * 10)


def test_an_option_that_is_not_there() -> None:
    assert problems(Example, {"prot": 1}) == ["--prot: no option of 'commserver'"]


def test_settings_do_not_change() -> None:
    settings = Example()
    with pytest.raises(ValidationError):
        settings.port = 1


# -------------------------------------------------------------------------------------------------------------- the file


def test_an_unknown_key_is_named_with_a_close_one(toml: Path) -> None:
    toml.write_text("[commserver]\nprot = 1\n")
    assert problems(Example, {}, toml) == [f"{toml} [commserver] prot: no such option (did you mean port?)"]


def test_common_takes_only_what_every_service_has(toml: Path) -> None:
    toml.write_text("[common]\nport = 1\n")
    assert problems(Example, {}, toml) == [f"{toml} [common] port: no such option (it belongs into [commserver])"]


def test_an_unknown_table_and_a_key_without_one(toml: Path) -> None:
    toml.write_text("port = 1\n[comserver]\nport = 2\n")
    assert problems(Example, {}, toml) == [
        f"{toml} [port]: no such table",
        f"{toml} [comserver]: no such table (did you mean commserver?)",
    ]
    toml.write_text("commserver = 1\n")
    assert problems(Example, {}, toml) == [f"{toml} commserver: belongs into a table, such as [common] or [commserver]"]


def test_a_file_that_is_not_toml(toml: Path) -> None:
    toml.write_text("[commserver\n")
    assert problems(Example, {}, toml)[0].startswith(f"--config {toml}: not TOML: ")
    toml.write_bytes(b"\xff\xfe")
    assert problems(Example, {}, toml)[0].startswith(f"--config {toml}: not TOML: ")


def test_a_file_that_is_not_there(toml: Path) -> None:
    assert problems(Example, {}, toml) == [f"--config {toml}: cannot be read (No such file or directory)"]


# ------------------------------------------------------------------------------------------------------------- variables


def test_unknown_variables_are_told_and_those_of_other_commands_are_not() -> None:
    environ = {
        "RTCBROKER_CONFIG": "x",
        "RTCBROKER_PORT": "1",
        "RTCBROKER_COMMSERVER_PORT": "1",
        "RTCBROKER_COORDINATOR_ANYTHING": "1",
        "PATH": "/bin",
        "RTCBROKER_PROT": "1",
        "RTCBROKER_COMMSERVER_LOG_LEVL": "1",
        "RTCBROKER_XYZZY": "1",
    }
    assert unknown_variables(Example, environ) == [
        "RTCBROKER_COMMSERVER_LOG_LEVL: no option of 'commserver' (did you mean RTCBROKER_COMMSERVER_LOG_LEVEL?)",
        "RTCBROKER_PROT: no option of 'commserver' (did you mean RTCBROKER_PORT?)",
        "RTCBROKER_XYZZY: no option of 'commserver'",
    ]


def test_the_environment_is_looked_at_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unknown_variables(Example) == []
    monkeypatch.setenv("RTCBROKER_XYZZY", "1")
    assert len(unknown_variables(Example)) == 1
