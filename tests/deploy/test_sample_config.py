"""deploy/config.sample.toml has every option, and every line of it is one that the settings take."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from scripts.sample_config import SERVICES, has_default, sample
from service.options import Option, options_of
from service.settings import ServiceSettings, load

SAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "config.sample.toml"


def uncommented(text: str) -> str:
    """Every assignment in force; a line with `# ` is prose."""
    return re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE)


def all_of_it() -> dict[str, dict[str, Any]]:
    return tomllib.loads(uncommented(SAMPLE.read_text(encoding="utf-8")))


@pytest.fixture(params=SERVICES, ids=lambda settings: settings.command)
def service(request: pytest.FixtureRequest) -> type[ServiceSettings]:
    """Each of the services."""
    made: type[ServiceSettings] = request.param
    return made


def table_of(option: Option, service: type[ServiceSettings]) -> str:
    return "common" if option.name in ServiceSettings.model_fields else service.command


def test_it_is_what_the_models_say() -> None:
    assert SAMPLE.read_text(encoding="utf-8") == sample(), "run `make docs`"


def test_as_it_stands_it_changes_nothing(service: type[ServiceSettings]) -> None:
    assert load(service, {}, SAMPLE) == service()


def test_every_option_stands_there_with_its_default_and_its_sentence(service: type[ServiceSettings]) -> None:
    tables = all_of_it()
    prose = " ".join(line.removeprefix("# ") for line in SAMPLE.read_text(encoding="utf-8").splitlines() if line.startswith("# "))
    for option in options_of(service):
        value = tables[table_of(option, service)][option.name]
        assert option.description in prose
        if has_default(option):
            default = list(option.default) if isinstance(option.default, list | tuple) else option.default
            assert value == (str(default) if isinstance(default, Path) else default)


def test_nothing_else_stands_there() -> None:
    tables = all_of_it()
    assert set(tables) == {"common", *(service.command for service in SERVICES)}
    for service in SERVICES:
        assert {**tables["common"], **tables[service.command]}.keys() == service.model_fields.keys()


def test_every_line_is_taken(service: type[ServiceSettings], tmp_path: Path) -> None:
    """One at a time, since some options exclude each other; examples of files need not exist for a model to be made."""
    tables = all_of_it()
    for option in options_of(service):
        table = table_of(option, service)
        line = re.search(rf"^#({option.name} = .*)$", SAMPLE.read_text(encoding="utf-8").split(f"\n[{table}]\n")[1], re.MULTILINE)
        assert line is not None
        file = tmp_path / "config.toml"
        file.write_text(f"[{table}]\n{line[1]}\n", encoding="utf-8")
        settings = load(service, {}, file)
        assert option.name in settings.model_fields_set
        if not option.is_secret:
            found = getattr(settings, option.name)
            assert (str(found) if isinstance(found, Path) else found) == tables[table][option.name]
