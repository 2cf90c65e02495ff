"""A pytest plugin: tests that need something of the system say so, and what could not run is listed by name at the end.

``@pytest.mark.needs("redis-server")`` skips the test where that command is missing, or fails it under CI=true or
--strict-needs. What is no command is known by a file that is there with it. What only a try can tell is said with :func:`unmet`, and what
nobody could mend with :func:`impossible`. Every skipped test is listed: no hole in a run goes unnamed.
"""

from __future__ import annotations

import glob
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

PACKAGE_LIST = Path(__file__).resolve().parents[2] / "scripts" / "system-packages.txt"


@dataclass(frozen=True, slots=True)
class Need:
    """One line of the list."""

    command: str
    """Or a name, where there is a `file`."""
    package: str
    """Of Debian."""
    file: str = ""
    """Pattern of a path that is there when the package is."""

    @property
    def is_met(self) -> bool:
        """Whether it is there."""
        return bool(glob.glob(self.file)) if self.file else shutil.which(self.command) is not None


def unmet(reason: str) -> NoReturn:
    """This machine lacks something that it could have, a right or a tool: skips the test, or fails it under CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def impossible(reason: str) -> NoReturn:
    """No setting of this machine and no package could make the test run, the kernel being too old, say: skips it everywhere."""
    pytest.skip(reason)


def read_packages(text: str) -> dict[str, Need]:
    """What a list of lines `command package` or `name package file` says; raises ValueError naming a line that is neither."""
    needs = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) not in (2, 3):
            raise ValueError(f"line {number}: expected a command and a package, or a name, a package and a file, got {line!r}")
        needs[words[0]] = Need(*words)
    return needs


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this plugin."""
    group = parser.getgroup("needs")
    group.addoption("--strict-needs", action="store_true", help="fail a test that lacks what it needs (so under CI=true)")
    group.addoption("--unmet-needs-to", metavar="FILE", help="append what could not run to FILE, one test a line")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a need that the list of packages does not know: `make test` could not meet it."""
    packages = read_packages(PACKAGE_LIST.read_text(encoding="utf-8"))
    for item in items:
        for command in _needs(item):
            if command not in packages:
                raise pytest.UsageError(f"{item.nodeid} needs {command!r}, which {PACKAGE_LIST.name} does not list")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail where strict, a test that lacks what it needs."""
    wanted = _needs(item)
    packages = read_packages(PACKAGE_LIST.read_text(encoding="utf-8")) if wanted else {}
    missing = [command for command in wanted if not packages[command].is_met]
    if not missing:
        return
    reason = f"needs {', '.join(missing)}, missing here"
    if item.config.getoption("--strict-needs") or os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List what could not run."""
    lines = [f"{report.nodeid}: {_reason(report)}" for report in terminalreporter.stats.get("skipped", [])]
    if not lines:
        return
    terminalreporter.section("could not run")
    for line in lines:
        terminalreporter.line(line)
    if path := config.getoption("--unmet-needs-to"):
        with open(path, "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


def _needs(item: pytest.Item) -> list[str]:
    return [command for mark in item.iter_markers("needs") for command in mark.args]


def _reason(report: pytest.TestReport) -> str:
    # A skip's representation is (path, line, message).
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
