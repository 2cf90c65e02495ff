"""What the repository promises a newcomer: pinned locks, commands that are explained, code in readable portions."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.needs import PACKAGE_LIST, read_packages

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [f"requirements/{name}.txt" for name in ("base", "dev", "image", "build", "deploy")]
PACKAGES = ["protocol", "service", "transport", "coordinator", "commserver", "rtcbroker", "simulation"]

MAX_FILE_LINES = 400
MAX_TEST_FILE_LINES = 600
MAX_FUNCTION_LINES = 60


def tracked(*patterns: str) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


PYTHON = [path for path in tracked("*.py") if not path.name.endswith("_pb2.py")]
SCRIPTS = [*tracked("scripts/*.sh"), ROOT / ".ci/run"]


def pins(lock: str) -> dict[str, set[str]]:
    """The versions of each package that a lock names; there are several where they differ by Python version."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.\-]+)==([\w.+!\-]+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_pins_and_hashes_alone(lock: str) -> None:
    hashes: dict[str, int] = {}
    pin = ""
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"([\w.\-]+==[\w.+!\-]+)( ; [^\\]+)? \\", line):
            pin = match[1] + (match[2] or "")
            hashes[pin] = 0
        elif re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line):
            hashes[pin] += 1
        else:
            assert line.startswith("#"), f"{lock}: neither a pin nor a hash: {line}"
            assert "://" not in line
    assert hashes
    assert all(hashes.values())


@pytest.mark.parametrize(("lock", "group"), [("requirements/base.txt", False), ("requirements/dev.txt", True)])
def test_a_lock_meets_what_the_project_asks_for(project: dict[str, Any], lock: str, group: bool) -> None:
    asked = list(project["project"]["dependencies"])
    asked += [line for extra in project["project"]["optional-dependencies"].values() for line in extra]
    asked += project["dependency-groups"]["dev"] if group else []
    locked = pins(lock)
    for requirement in map(Requirement, asked):
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{lock} lacks {requirement}: run `make lock`"
        assert all(map(requirement.specifier.contains, versions)), f"{lock} has {versions} for {requirement}: run `make lock`"


def test_what_runs_is_what_is_tested() -> None:
    tested = pins("requirements/dev.txt")
    assert {name: tested.get(name) for name in pins("requirements/base.txt")} == pins("requirements/base.txt")


def test_what_runs_in_the_image_is_what_is_tested_less_the_plots(project: dict[str, Any]) -> None:
    locked, base = pins("requirements/image.txt"), pins("requirements/base.txt")
    asked = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["fast"]]
    assert {canonicalize_name(Requirement(line).name) for line in asked} <= locked.keys(), "run `make lock`"
    assert {name: base.get(name) for name in locked} == locked
    assert not {Requirement(line).name for line in project["project"]["optional-dependencies"]["simulation"]} & locked.keys()


@pytest.mark.parametrize("lock", ["requirements/dev.txt", "requirements/build.txt"])
def test_the_build_tool_is_locked(project: dict[str, Any], lock: str) -> None:
    for requirement in map(Requirement, project["build-system"]["requires"]):
        assert all(map(requirement.specifier.contains, pins(lock)[requirement.name]))


def test_every_installed_package_is_found_and_typed(project: dict[str, Any]) -> None:
    found = {pattern.removesuffix("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert found == set(PACKAGES) == set(project["tool"]["coverage"]["run"]["source_pkgs"])
    for package in PACKAGES:
        assert not (ROOT / package / "__init__.py").exists() or (ROOT / package / "py.typed").is_file(), (
            f"{package} lacks py.typed"
        )


def test_every_target_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", makefile, re.MULTILINE)
    listed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert set(targets) == set(re.findall(r"make (\w+)", listed))
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(targets)


def test_the_build_server_runs_what_a_person_runs() -> None:
    assert "make check test" in (ROOT / ".ci/run").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", SCRIPTS, ids=relative)
def test_a_script_can_be_run_and_stops_at_an_error(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert os.access(script, os.X_OK)
    assert re.search(r"^set -eu", text, re.MULTILINE)
    shell = "bash" if "bash" in text.splitlines()[0] else "sh"
    subprocess.run([shell, "-n", str(script)], check=True)


def test_the_list_of_system_packages_is_pairs() -> None:
    read_packages(PACKAGE_LIST.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_code_comes_in_readable_portions(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= (MAX_TEST_FILE_LINES if path.is_relative_to(ROOT / "tests") else MAX_FILE_LINES)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{relative(path)}:{node.lineno}: {node.name} has {length} lines"


def test_text_is_clean() -> None:
    """No carriage return, no white space at the end of a line, a line feed at the end of a file: as .editorconfig says."""
    suffixes = {".py", ".md", ".toml", ".txt", ".sh", ".proto", ".ts", ".js", ".html", ".css", ".json", ".yml", ".yaml"}
    generated = (ROOT / "protocol/pb", ROOT / "web")
    for path in tracked():
        if path.suffix not in suffixes or any(map(path.is_relative_to, generated)):
            continue
        data = path.read_bytes()
        assert not re.search(rb"[ \t\r]$", data, re.MULTILINE), f"{relative(path)}: white space at the end of a line"
        assert not data or data.endswith(b"\n"), f"{relative(path)}: no line feed at the end"
