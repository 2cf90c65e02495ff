"""A pytest plugin: tests that need a command of the system say so, and what could not run is listed by name at the end.

``@pytest.mark.needs("redis-server")`` skips the test where that command is missing, or fails it under CI=true or
--strict-needs. Every other skipped test is listed too: no hole in a run goes unnamed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

PACKAGE_LIST = Path(__file__).resolve().parents[2] / "scripts" / "system-packages.txt"


def read_packages(text: str) -> dict[str, str]:
    """The Debian package of each command in a list of lines `command package`; raises ValueError naming a line that is not one."""
    packages = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) != 2:
            raise ValueError(f"line {number}: expected a command and a package, got {line!r}")
        packages[words[0]] = words[1]
    return packages


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this plugin."""
    group = parser.getgroup("needs")
    group.addoption("--strict-needs", action="store_true", help="fail a test whose command is missing (so under CI=true)")
    group.addoption("--unmet-needs-to", metavar="FILE", help="append what could not run to FILE, one test a line")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a need that the list of packages does not know: `make test` could not meet it."""
    packages = read_packages(PACKAGE_LIST.read_text(encoding="utf-8"))
    for item in items:
        for command in _needs(item):
            if command not in packages:
                raise pytest.UsageError(f"{item.nodeid} needs {command!r}, which {PACKAGE_LIST.name} does not list")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail where strict, a test whose command is missing."""
    missing = [command for command in _needs(item) if shutil.which(command) is None]
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
