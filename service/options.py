"""How a field of a settings model is named elsewhere: its flag, its environment variables, its type as a command line wants it."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr
from pydantic.fields import FieldInfo

if TYPE_CHECKING:
    from service.settings import ServiceSettings

ENV_PREFIX = "RTCBROKER_"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting, ready to become an option of a command line."""

    name: str
    """The field of the settings model, and the key in the TOML file."""
    flag: str
    """``--udp-port``"""
    type: type
    """Of one value: int, float, str, bool or Path. Everything but bool may also be handed to `load` as text."""
    default: Any
    """As in the model; None where there is none. A secret's default is None."""
    description: str
    is_list: bool
    """The flag may be repeated."""
    is_bool: bool
    """A switch: ``--flag/--no-flag``."""
    env: str
    """The command's own variable, ``RTCBROKER_COMMSERVER_UDP_PORT``; `shared_env` counts where that is not set."""
    shared_env: str
    """``RTCBROKER_UDP_PORT``"""
    choices: tuple[str, ...]
    """The only values, or none when it is free."""
    is_secret: bool
    """Not to be shown in a help text or a log."""
    is_required: bool
    group: str
    """A heading to show it under."""


def options_of(settings_class: type[ServiceSettings]) -> list[Option]:
    """The options of a settings model, in the order of its fields."""
    return [option_of(settings_class, name) for name in settings_class.model_fields]


def option_of(settings_class: type[ServiceSettings], name: str) -> Option:
    """The option that belongs to the field `name`."""
    field = settings_class.model_fields[name]
    annotation = _without_none(field.annotation)
    is_list = typing.get_origin(annotation) in (list, tuple, set, frozenset)
    if is_list:
        annotation = typing.get_args(annotation)[0]
    choices = tuple(map(str, typing.get_args(annotation))) if typing.get_origin(annotation) is Literal else ()
    is_secret = annotation is SecretStr
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return Option(
        name=name,
        flag=flag_of(name),
        type=_plain_type(annotation),
        default=None if is_secret else _default(field),
        description=field.description or "",
        is_list=is_list,
        is_bool=annotation is bool,
        env=own_env(settings_class.command, name),
        shared_env=shared_env(name),
        choices=choices,
        is_secret=is_secret,
        is_required=field.is_required(),
        group=str(extra.get("group", "")),
    )


def flag_of(name: str) -> str:
    """``udp_port`` -> ``--udp-port``"""
    return "--" + name.replace("_", "-")


def own_env(command: str, name: str) -> str:
    """``RTCBROKER_COMMSERVER_UDP_PORT``"""
    return f"{ENV_PREFIX}{command}_{name}".upper()


def shared_env(name: str) -> str:
    """``RTCBROKER_UDP_PORT``"""
    return f"{ENV_PREFIX}{name}".upper()


def is_list_field(field: FieldInfo) -> bool:
    """Whether the field takes several values."""
    return typing.get_origin(_without_none(field.annotation)) in (list, tuple, set, frozenset)


def _default(field: FieldInfo) -> Any:
    return None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        rest = [a for a in typing.get_args(annotation) if a is not type(None)]
        return rest[0]
    return annotation


def _plain_type(annotation: Any) -> type:
    return annotation if annotation in (int, float, bool, Path) else str
