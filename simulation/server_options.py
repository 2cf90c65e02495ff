"""Options for the comm servers that a simulation starts: ``NAME=VALUE``, judged by the settings model before anything is started."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from commserver.settings import CommServerSettings
from protocol.errors import ConfigError
from service.options import flag_of

OPTION = "--server-option"

_OURS = frozenset(
    {"coordinator", "host", "port", "bind", "udp_port", "announce", "ready_file", "token", "token_file", "processes"}
)
"""What a cluster of the simulation decides itself: where its parts find one another, and which processes are measured."""


def server_arguments(pairs: Iterable[str]) -> list[str]:
    """The command line arguments that `pairs` stand for. Raises :class:`ConfigError`, naming the pair and what is wrong with it."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, value = _split(pair)
        if name in values:
            raise ConfigError(f"{OPTION} {pair!r}: {name} is given twice; a list is one value, separated by commas")
        values[name] = _judged(pair, name, value)
    return [argument for name, value in values.items() for argument in _arguments(name, value)]


def _split(pair: str) -> tuple[str, str]:
    name, sign, value = pair.partition("=")
    name = name.strip().removeprefix("--").replace("-", "_")
    if not sign or not name:
        raise ConfigError(f"{OPTION} {pair!r}: is not NAME=VALUE, such as coalesce_window=0")
    known = CommServerSettings.model_fields.keys()
    if name not in known:
        close = get_close_matches(name, known, n=1)
        raise ConfigError(
            f"{OPTION} {pair!r}: a comm server has no option {name}" + (f" (did you mean {close[0]}?)" if close else "")
        )
    if name in _OURS or name.startswith("auth"):
        raise ConfigError(f"{OPTION} {pair!r}: {name} is set by the simulation itself")
    return name, value.strip()


def _judged(pair: str, name: str, text: str) -> Any:
    values: dict[str, Any] = {name: text}
    try:
        return getattr(CommServerSettings(**values), name)
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        what = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{OPTION} {pair!r}: {what[:1].lower()}{what[1:]}") from None


def _arguments(name: str, value: Any) -> list[str]:
    flag = flag_of(name)
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag.removeprefix('--')}"]
    return [argument for one in (value if isinstance(value, list) else [value]) for argument in (flag, str(one))]
