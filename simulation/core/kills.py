"""What is to be killed, and when: ``coordinator/1@3``, ``redis@500ms``, ``server/2@3.5s``. Numbers count from 1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol.errors import ConfigError
from service.durations import parse_duration

OPTION = "--kill"

REDIS = "redis"

_KILL = re.compile(r"(?P<process>redis|(?:coordinator|server)/[1-9]\d{0,3})@(?P<after>.*)")


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL for one process of the cluster."""

    process: str
    """``redis``, ``coordinator/N`` or ``server/N``."""
    after_s: float
    """Seconds of the measured time."""


def coordinator(number: int) -> str:
    """What the so-manieth coordinator is called."""
    return f"coordinator/{number}"


def server(number: int) -> str:
    """What the so-manieth comm server is called."""
    return f"server/{number}"


def is_server(process: str) -> bool:
    """Whether it is a comm server."""
    return process.startswith("server/")


def parse_kills(texts: Iterable[str], processes: Sequence[str]) -> list[Kill]:
    """Read what ``--kill`` says, for a cluster of these processes, the first kill first.

    Raises :class:`ConfigError`, naming the kill and what is wrong with it.
    """
    found: dict[str, Kill] = {}
    for text in texts:
        match = _KILL.fullmatch(text.strip())
        after_s = parse_duration(match["after"]) if match is not None else None
        if match is None or after_s is None:
            raise ConfigError(
                f"{OPTION} {text!r}: is not PROCESS@DURATION, such as server/2@4, coordinator/1@500ms or redis@1.5s"
            )
        process = match["process"]
        if process not in processes:
            why = " (there is one with --coordinators 2 and more)" if process == REDIS else ""
            raise ConfigError(f"{OPTION} {text!r}: the cluster has no {process}{why}, but {', '.join(processes)}")
        if process in found:
            raise ConfigError(f"{OPTION} {text!r}: {process} is killed already; it dies once")
        found[process] = Kill(process, after_s)
    return sorted(found.values(), key=lambda kill: kill.after_s)


def check_times(kills: Iterable[Kill], seconds: float) -> None:
    """Raises :class:`ConfigError` for a kill after the `seconds` that are measured."""
    for kill in kills:
        if kill.after_s >= seconds:
            raise ConfigError(f"{OPTION} {kill.process}@{kill.after_s:g}: the run is over after {seconds:g} s")


def processes_of(coordinators: int, servers: int) -> list[str]:
    """The processes of a cluster of so many. Several coordinators meet on a Redis."""
    names = [coordinator(number) for number in range(1, coordinators + 1)]
    names += [REDIS] if coordinators > 1 else []
    return names + [server(number) for number in range(1, servers + 1)]
