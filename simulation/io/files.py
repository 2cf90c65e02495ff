"""Files the simulation reads and writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from protocol.errors import ConfigError
from simulation.core.trace import Trace, TraceError, parse_trace

PLAZA = Path(__file__).parents[1] / "data" / "plaza.csv"
"""The trace that comes with the project: made by ``data/make_plaza.py``, not recorded."""


def read_trace(path: Path) -> Trace:
    """Read a trace file. Raises :class:`TraceError`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return parse_trace(file, str(path))
    except OSError as error:
        raise TraceError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: is no text in UTF-8 ({error.reason})") from error


def check_writable(path: Path | None, option: str) -> None:
    """Raises :class:`ConfigError` when `path` cannot be written: better now than after the run."""
    if path is None:
        return
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise ConfigError(f"{option} {path}: cannot be written ({error.strerror})") from error


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write `document`, indented."""
    path.write_text(json.dumps(document, indent=2) + "\n")
