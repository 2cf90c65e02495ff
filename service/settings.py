"""Settings of a process: one model, four sources, and an error that says which of them is wrong.

A value comes from the first of: the command line; ``RTCBROKER_<COMMAND>_<OPTION>``; ``RTCBROKER_<OPTION>``; the TOML file, table
``[<command>]``, then ``[common]``; the default. The file is named by ``--config`` or ``RTCBROKER_CONFIG``.

A model made directly (``CoordinatorSettings(port=0)``) takes nothing from outside; only :func:`load` reads sources.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from protocol.errors import ConfigError
from protocol.tokens import DEFAULT_AUDIENCE, DEFAULT_LEEWAY_S
from service.options import ENV_PREFIX, Option, flag_of, is_list_field, option_of, options_of

__all__ = ["CONFIG_ENV", "Option", "ServiceSettings", "group", "load", "options_of", "unknown_variables"]

CONFIG_ENV = "RTCBROKER_CONFIG"
COMMANDS = ("coordinator", "commserver", "token", "drain", "publish", "dev_cert", "simulate", "demo")
"""The commands that may have a table in the file and variables of their own."""
COMMON_TABLE = "common"


def group(name: str) -> dict[str, Any]:
    """``json_schema_extra`` that puts a field under a heading of the help text."""
    return {"group": name}


_AUTH = group("Authentication")
_LOG = group("Logging")


class ServiceSettings(BaseSettings):
    """The options every service has. A service derives its own model and names its `command`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", enable_decoding=False, validate_default=True)

    command: ClassVar[str] = "service"

    auth: Literal["token", "none"] = Field(
        default="token",
        description="Whether peers must bring a token. 'none' lets everyone in and is for experiments on a private network only.",
        json_schema_extra=_AUTH,
    )
    auth_secret: SecretStr | None = Field(
        default=None,
        description="Shared secret that tokens are signed with (HS256), at least 32 bytes. On a shared machine prefer "
        "--auth-secret-file or the environment: a command line can be read by every user.",
        json_schema_extra=_AUTH,
    )
    auth_secret_file: Path | None = Field(
        default=None, description="File that holds the shared secret; white space around it is cut off.", json_schema_extra=_AUTH
    )
    auth_key_file: Path | None = Field(
        default=None,
        description="PEM file with the public key that tokens are verified with: RSA (RS256), EC P-256 (ES256) or Ed25519 (EdDSA).",
        json_schema_extra=_AUTH,
    )
    auth_jwks_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+",
        description="URL of a JSON Web Key Set with the public keys; fetched at the start, every 10 minutes, and when a token "
        "names a key that is not known yet.",
        json_schema_extra=_AUTH,
    )
    auth_audience: str = Field(
        default=DEFAULT_AUDIENCE, min_length=1, description="Audience ('aud') a token must be for.", json_schema_extra=_AUTH
    )
    auth_issuer: str | None = Field(
        default=None, min_length=1, description="The only issuer ('iss') accepted; any when not set.", json_schema_extra=_AUTH
    )
    auth_leeway: float = Field(
        default=DEFAULT_LEEWAY_S,
        ge=0,
        le=300,
        description="Seconds of clock difference tolerated when the times of a token are checked. Should be the same everywhere.",
        json_schema_extra=_AUTH,
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe messages logged. Packets are logged at debug only.", json_schema_extra=_LOG
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="'console' for people, 'json' for machines: one object a line.", json_schema_extra=_LOG
    )
    ready_file: Path | None = Field(
        default=None,
        description="Write a JSON object with the process id and the ports here once the process accepts peers. For whoever "
        "starts it with port 0 and must learn which ports it got.",
        json_schema_extra=group("Process"),
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is given: :func:`load` reads the other sources, since it must remember which value came from where."""
        return (init_settings,)

    @field_validator("*", mode="before")
    @classmethod
    def _split_lists(cls, value: Any, info: Any) -> Any:
        """A list as one text: JSON, or separated by commas; a flag that takes several of some fixed words takes them so, too."""
        if isinstance(value, list | tuple) and is_list_field(cls.model_fields[info.field_name]):
            has_words = bool(option_of(cls, info.field_name).choices)
            return [part.strip() for item in value for part in str(item).split(",")] if has_words else value
        if not isinstance(value, str) or not is_list_field(cls.model_fields[info.field_name]):
            return value
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except ValueError as error:
                raise ValueError("is neither a JSON array nor a list separated by commas") from error
        return [part for part in (p.strip() for p in value.split(",")) if part]


S = TypeVar("S", bound=ServiceSettings)


def load(settings_class: type[S], given: Mapping[str, Any], config: Path | None = None) -> S:
    """Make the settings of a process from all their sources.

    `given` is the command line: fields and their values, as text or typed; None and an empty tuple stand for "not given". `config` is
    the file of ``--config``; without it ``RTCBROKER_CONFIG`` is looked at. Raises :class:`ConfigError`, one line for each problem, each
    naming the option and where its value stands. Values of secrets are never shown.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, found in _sources(settings_class, given, config):
        for name, value in found.items():
            if name not in values:
                values[name], origins[name] = value, origin.format(flag=flag_of(name), name=name, upper=name.upper())
    try:
        return settings_class(**values)
    except ValidationError as error:
        problems = [_problem(settings_class, detail, origins) for detail in error.errors(include_url=False)]
        raise ConfigError("\n".join(problems)) from None  # the original shows values, also of secrets


def unknown_variables(settings_class: type[ServiceSettings], environ: Mapping[str, str] | None = None) -> list[str]:
    """A warning for each ``RTCBROKER_`` variable that no option of this command reads and that is no other command's."""
    own = f"{ENV_PREFIX}{settings_class.command}_".upper()
    others = tuple(f"{ENV_PREFIX}{command}_".upper() for command in COMMANDS if command != settings_class.command)
    known = {name.upper() for name in settings_class.model_fields}
    warnings = []
    for variable in sorted(os.environ if environ is None else environ):
        upper = variable.upper()
        prefix = own if upper.startswith(own) else ENV_PREFIX
        if not upper.startswith(prefix) or upper == CONFIG_ENV or upper.removeprefix(prefix) in known or upper.startswith(others):
            continue
        match = get_close_matches(upper.removeprefix(prefix), sorted(known), n=1)
        hint = f" (did you mean {prefix}{match[0]}?)" if match else ""
        warnings.append(f"{variable}: no option of '{settings_class.command}'{hint}")
    return warnings


def _sources(
    settings_class: type[ServiceSettings], given: Mapping[str, Any], config: Path | None
) -> Iterable[tuple[str, dict[str, Any]]]:
    """The sources, first the one that counts most: a template for the place of a value, and the values."""
    command_line = {name: value for name, value in given.items() if value is not None and value != ()}
    unknown = command_line.keys() - settings_class.model_fields.keys()
    if unknown:
        raise ConfigError("\n".join(f"{flag_of(name)}: no option of '{settings_class.command}'" for name in sorted(unknown)))
    yield "{flag}", command_line
    for prefix in (f"{ENV_PREFIX}{settings_class.command}_".upper(), ENV_PREFIX):
        yield prefix + "{upper}", EnvSettingsSource(settings_class, env_prefix=prefix, env_ignore_empty=True)()
    if config is None and os.environ.get(CONFIG_ENV):
        config = Path(os.environ[CONFIG_ENV])
    if config is not None:
        tables = _read_tables(settings_class, config)
        for table in (settings_class.command, COMMON_TABLE):
            yield f"{_no_braces(config)} [{table}] " + "{name}", tables.get(table, {})


def _read_tables(settings_class: type[ServiceSettings], path: Path) -> dict[str, dict[str, Any]]:
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"--config {path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config {path}: not TOML: {error}") from error
    problems = []
    for table, content in document.items():
        if table not in (COMMON_TABLE, *COMMANDS, settings_class.command):
            problems.append(f"{path} [{table}]: no such table{_close(table, [COMMON_TABLE, *COMMANDS])}")
        elif not isinstance(content, dict):
            problems.append(f"{path} {table}: belongs into a table, such as [{COMMON_TABLE}] or [{settings_class.command}]")
        elif table in (COMMON_TABLE, settings_class.command):
            problems += _unknown_keys(path, table, content, settings_class)
    if problems:
        raise ConfigError("\n".join(problems))
    return document


def _unknown_keys(path: Path, table: str, content: dict[str, Any], settings_class: type[ServiceSettings]) -> list[str]:
    # [common] is read by every command, so it takes only what every service has.
    known = list((ServiceSettings if table == COMMON_TABLE else settings_class).model_fields)
    problems = []
    for key in content:
        if key in known:
            continue
        hint = _close(key, known)
        if key in settings_class.model_fields:
            hint = f" (it belongs into [{settings_class.command}])"
        problems.append(f"{path} [{table}] {key}: no such option{hint}")
    return problems


def _problem(settings_class: type[ServiceSettings], detail: ErrorDetails, origins: Mapping[str, str]) -> str:
    what = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    what = what[:1].lower() + what[1:]
    if not detail["loc"]:
        return what
    name = str(detail["loc"][0])
    option = option_of(settings_class, name)
    if detail["type"] == "missing":
        return f"{option.flag}: is required (or set {option.env}, or '{name}' in the configuration file)"
    origin = origins.get(name, option.flag)
    if option.is_secret:
        return f"{origin}: {what}"
    return f"{origin}: {_shown(detail['input'])}: {what}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _close(word: str, known: Iterable[str]) -> str:
    matches = get_close_matches(word, list(known), n=1)
    return f" (did you mean {matches[0]}?)" if matches else ""


def _no_braces(path: Path) -> str:
    return str(path).replace("{", "{{").replace("}", "}}")
