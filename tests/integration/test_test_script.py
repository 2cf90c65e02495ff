"""`scripts/test.sh` itself: a test that fails fails the run, unless it passes when it is run again alone, and then it is named."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--unmet-needs-to")
"""
CONFIGURATION = """
[tool.coverage.run]
source = ["tests"]
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
"""
ONCE = """
from pathlib import Path

def test_once():
    seen = Path(__file__).with_suffix(".seen")
    was_there = seen.exists()
    seen.touch()
    assert was_there
"""
NEVER = """
def test_never():
    assert False
"""
FINE = """
def test_fine():
    pass
"""
MANY = """
import pytest
from pathlib import Path

@pytest.mark.parametrize("number", range(4))
def test_many(number):
    seen = Path(__file__).with_name(f"{number}.seen")
    was_there = seen.exists()
    seen.touch()
    assert was_there
"""
BROKEN = "import nothing_of_that_name\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with the script, the tools of ours, and one test that passes in each part."""
    for name in ("scripts", "tests/unit", "tests/e2e", "tests/network"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "test.sh", tmp_path / "scripts")
    (tmp_path / "scripts" / "system-packages.txt").write_text("# none\n")
    (tmp_path / "scripts" / "web.sh").write_text("#!/bin/sh\n")
    (tmp_path / "scripts" / "web.sh").chmod(0o755)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "pyproject.toml").write_text(CONFIGURATION)
    (tmp_path / "tests" / "conftest.py").write_text(CONFTEST)
    for part in ("unit", "e2e"):
        (tmp_path / "tests" / part / "test_fine.py").write_text(FINE)
    return tmp_path


def run(tree: Path) -> tuple[int, str]:
    """The exit code, and what was printed."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ended = subprocess.run(
        ["sh", "scripts/test.sh"], cwd=tree, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_all_well(tree: Path) -> None:
    code, output = run(tree)
    assert code == 0, output
    assert "test: all well" in output
    assert "once more" not in output


@pytest.mark.parametrize("part", ["unit", "e2e"])
def test_what_passes_when_run_again_is_named(tree: Path, part: str) -> None:
    (tree / "tests" / part / "test_unsteady.py").write_text(ONCE)
    code, output = run(tree)
    assert code == 0, output
    _, _, named = output.partition("failed once, and passed when run again")
    assert f"tests/{part}/test_unsteady.py::test_once" in named
    assert "test_fine" not in named


@pytest.mark.parametrize("part", ["unit", "e2e"])
def test_what_fails_twice_has_failed(tree: Path, part: str) -> None:
    (tree / "tests" / part / "test_bad.py").write_text(NEVER + ONCE)
    code, output = run(tree)
    assert code == 1, output
    assert f"test: failed: {'parallel' if part == 'unit' else 'end-to-end'}" in output
    assert "passed when run again" not in output


@pytest.mark.parametrize("text", [MANY, BROKEN])
def test_many_are_no_accident_and_nor_is_what_cannot_be_collected(tree: Path, text: str) -> None:
    (tree / "tests" / "unit" / "test_bad.py").write_text(text)
    code, output = run(tree)
    assert code == 1, output
    assert "test: failed: parallel" in output
    assert "once more" not in output
