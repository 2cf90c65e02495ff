"""The command line: what it prints and writes, and when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks import rounds
from benchmarks.__main__ import main
from benchmarks.figures import Outcome
from benchmarks.rounds import Size


def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcome: Outcome, *arguments: str) -> Result:
    def run_one(name: str, size: Size) -> Outcome:
        return outcome

    monkeypatch.setattr(rounds, "run_one", run_one)
    paths = ["--json", str(tmp_path / "result.json"), "--plots", str(tmp_path / "plots")]
    return CliRunner().invoke(main, ["--only", "lone", *paths, *arguments])


FAST = Outcome({"latency_ms": {"p50": 0.9}, "direct_ms": 0.5, "added_ms": 0.4})
SLOW = Outcome({"latency_ms": {"p50": 5.0}, "direct_ms": 0.5, "added_ms": 4.5})
BROKEN = Outcome({"latency_ms": {"p50": 0.1}, "direct_ms": 0.5, "added_ms": 0.1}, ["loss 2.000% is over 0.1%"])


@pytest.mark.parametrize(
    ("outcome", "arguments", "code", "said"),
    [
        (FAST, ["--runs", "3"], 0, "| met "),
        (FAST, ["--runs", "3", "--strict"], 0, "| met "),
        (SLOW, [], 0, "| missed "),
        (SLOW, ["--strict"], 1, "| missed "),
        (FAST, ["--runs", "2"], 1, "invalid: lone: 2 of at least 3 runs"),
        (BROKEN, [], 1, "invalid: lone, run 5: loss 2.000% is over 0.1%"),
    ],
)
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcome: Outcome, arguments: list[str], code: int, said: str
) -> None:
    result = invoke(monkeypatch, tmp_path, outcome, *arguments)
    assert result.exit_code == code, result.output
    assert said in result.output
    document = json.loads((tmp_path / "result.json").read_text())
    assert {"machine", "commit", "versions", "figures", "runs", "began", "quick", "size"} <= document.keys()


def test_a_scenario_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--only", "lonely"])
    assert result.exit_code == 2
    assert "lonely" in result.output
