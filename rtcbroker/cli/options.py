"""Options that know the heading they stand under in the help text; where their values come from; those made from a settings model."""

from __future__ import annotations

import enum
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from service.options import Option, options_of
from service.settings import COMMANDS, COMMON_TABLE, CONFIG_ENV, ServiceSettings

F = TypeVar("F", bound=Callable[..., Any])

_CONFIG = "rtcbroker.config"
"""In a context's `meta`: the file and table its default map came from."""


class GroupedOption(click.Option):
    """An option of a `heading`."""

    def __init__(self, *arguments: Any, heading: str = "Options", **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.heading = heading

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Where the wrong value stands: the flag, the variable or the file it came from."""
        source = ctx.get_parameter_source(self.name) if ctx is not None and self.name else None
        if source is ParameterSource.ENVIRONMENT:
            variables = [self.envvar] if isinstance(self.envvar, str) else list(self.envvar or ())
            return next((variable for variable in variables if os.environ.get(variable)), self.opts[-1])
        if ctx is not None and source is ParameterSource.DEFAULT_MAP:
            return f"{ctx.meta[_CONFIG]} {self.name}"
        return self.opts[-1]


class GroupedCommand(click.Command):
    """A command whose help text shows options under their headings, in the order they were declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One section a heading."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "heading", "Options"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


class Options:
    """Makes the options of one command, each with its environment variable."""

    def __init__(self, command: str) -> None:
        self._prefix = f"RTCBROKER_{command}".upper()

    def __call__(self, heading: str, *names: str, shared_env: str | None = None, **keywords: Any) -> Callable[[F], F]:
        """A decorator, as :func:`click.option`. `shared_env` is a variable that other commands read, too."""
        made = GroupedOption(list(names), heading=heading, **keywords)
        own = f"{self._prefix}_{made.name}".upper()
        variables = [own] if shared_env is None else [own, shared_env]
        keywords.setdefault("show_default", keywords.get("default") is not None)
        return click.option(*names, cls=GroupedOption, heading=heading, envvar=variables, show_envvar=True, **keywords)


def config_option(table: str, siblings: Callable[[], Iterable[click.Command]] | None = None) -> Callable[[F], F]:
    """``--config FILE``: values of the tables ``[TABLE]`` and ``[common]`` become defaults of the command's options.

    `siblings`: commands that share the table, whose options are allowed in it.
    """

    def read(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> None:
        known = _names(siblings() if siblings else [ctx.command])
        _warn_of_variables(known, table)
        if path is None:
            return
        document = _document(path)
        own, common = _table(document, table, path), _table(document, COMMON_TABLE, path)
        _check_names(document, [*COMMANDS, COMMON_TABLE], f"{path}", "table", ctx)
        _check_names(own, known, f"{path} [{table}]", "option", ctx)
        # [common] is shared with the services: of their options only what fits is taken here.
        _check_names(common, [*known, *ServiceSettings.model_fields], f"{path} [{COMMON_TABLE}]", "option", ctx)
        ctx.meta[_CONFIG] = f"{path} [{table}]"
        ctx.default_map = {**common, **own}

    return click.option(
        "--config",
        cls=GroupedOption,
        heading="Other",
        type=click.Path(path_type=Path),
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        envvar=CONFIG_ENV,
        show_envvar=True,
        callback=read,
        help=f"TOML file with options in the tables [{table}] and [{COMMON_TABLE}].",
    )


def _check_names(found: Iterable[str], known: list[str], where: str, what: str, ctx: click.Context) -> None:
    for name in found:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise click.UsageError(f"{where} {name}: no such {what}{hint}", ctx)


def _warn_of_variables(options: list[str], table: str) -> None:
    """Say which ``RTCBROKER_<TABLE>_`` variables no option reads: most likely one is spelled wrong."""
    prefix = f"RTCBROKER_{table}_".upper()
    known = {f"{prefix}{name.upper()}" for name in options}
    for variable in sorted(os.environ):
        if variable.startswith(prefix) and variable not in known:
            close = get_close_matches(variable, sorted(known), n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            click.echo(f"rtcbroker {table}: {variable}: no option of '{table}'{hint}", err=True)


def _document(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise click.UsageError(f"--config {path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--config {path}: not TOML: {error}") from error


def _table(document: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise click.UsageError(f"{path} {name}: is no table")
    return table


def _names(commands: Iterable[click.Command]) -> list[str]:
    return [parameter.name for command in commands for parameter in command.params if parameter.name]


def settings_options(settings_class: type[ServiceSettings]) -> list[click.Option]:
    """An option for each field of the model. None has a default: what is not given is left to the other sources."""
    return [_from(option) for option in options_of(settings_class)]


def _from(found: Option) -> click.Option:
    keywords: dict[str, Any] = {"help": _help(found), "heading": (found.group or "Options"), "default": None}
    if found.is_bool:
        return GroupedOption([f"{found.flag}/--no-{found.flag[2:]}", found.name], **keywords)
    # Everything is handed on as text: the model is the one place that judges values, wherever they come from.
    keywords |= {"type": str, "metavar": _metavar(found), "multiple": found.is_list}
    return GroupedOption([found.flag, found.name], **keywords)


def _metavar(found: Option) -> str:
    if found.choices:
        return f"[{'|'.join(found.choices)}]"
    return {int: "INTEGER", float: "NUMBER", str: "TEXT"}.get(found.type, "FILE")


def _help(found: Option) -> str:
    notes = [f"env {found.env} or {found.shared_env}"]
    default = _shown(found.default)
    if found.is_required:
        notes.append("required")
    elif default:
        notes.append(f"default: {default}")
    return f"{found.description}  [{'; '.join(notes)}]"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
