"""The JSON document holds every run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Outcome, Wanted, figure
from benchmarks.results import default_path, document, write
from benchmarks.rounds import QUICK

BEGAN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def test_everything_is_there(tmp_path: Path) -> None:
    outcomes = {"lone": [Outcome({"cpu": 1.0}), Outcome({"cpu": 3.0}, ["1 duplicates"], ["late"])]}
    content = document(
        [figure(Wanted("lone", "CPU", "µs", "cpu", at_most=2.0), outcomes)], outcomes, QUICK, BEGAN, {"quick": True}
    )
    path = tmp_path / "new" / "result.json"
    write(path, content)
    found = json.loads(path.read_text())
    assert (found["began"], found["quick"], found["size"]["seconds"]) == ("2024-05-06T07:08:09+00:00", True, QUICK.seconds)
    assert found["figures"] == [
        {
            "scenario": "lone",
            "figure": "CPU",
            "unit": "µs",
            "value": 2.0,
            "values": [1.0, 3.0],
            "target": 2.0,
            "runs": 2,
            "verdict": "invalid",
            "problems": ["lone, run 2: 1 duplicates", "lone: 2 of at least 3 runs"],
        }
    ]
    assert found["runs"]["lone"][1] == {"document": {"cpu": 3.0}, "problems": ["1 duplicates"], "notes": ["late"]}


def test_files_sort_by_time() -> None:
    assert default_path(BEGAN).name == "2024-05-06-0708.json"
