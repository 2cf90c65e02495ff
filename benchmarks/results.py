"""The result of a benchmark as a JSON document: what was measured, where, and every single run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Outcome
from benchmarks.rounds import Size

DIRECTORY = Path(__file__).resolve().parent / "results"


def default_path(now: datetime) -> Path:
    """One file a benchmark, in order of time."""
    return DIRECTORY / f"{now:%Y-%m-%d-%H%M}.json"


def document(
    figures: Sequence[Figure],
    outcomes: Mapping[str, Sequence[Outcome]],
    size: Size,
    began: datetime,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything; `about` says on what it was measured."""
    return {
        "began": began.isoformat(timespec="seconds"),
        **about,
        "size": asdict(size),
        "figures": [_figure(one) for one in figures],
        "runs": {name: [asdict(outcome) for outcome in runs] for name, runs in outcomes.items()},
    }


def _figure(figure: Figure) -> dict[str, Any]:
    wanted = figure.wanted
    return {
        "scenario": wanted.scenario,
        "figure": wanted.label,
        "unit": wanted.unit,
        "value": figure.value,
        "values": list(figure.values),
        "target": wanted.at_most,
        "runs": figure.runs,
        "verdict": figure.verdict.value,
        "problems": list(figure.problems),
    }


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write it, indented. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
