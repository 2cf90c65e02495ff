"""docs/operations.md and deploy/README.md name options, metrics, files and pages that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from rtcbroker.cli import main
from tests.deploy.test_monitoring import documented
from tests.support.deployment import DEPLOY, ROOT

PAGES = [ROOT / "docs" / "operations.md", DEPLOY / "README.md"]

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def options(command: click.Command) -> set[str]:
    """Of a command and of all below it."""
    own = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            own |= options(below) if below is not None else set()
    return own


OF_OTHERS = {
    *("--build-arg", "--read-only", "--tmpfs", "--cap-drop", "--rm", "--build", "--detach", "--wait", "--profile", "--no-deps"),
    *("--namespace", "--create-namespace", "--set", "--require-hashes", "--now", "--json", "--deploy-hook"),
}
"""Of docker, helm, pip, systemctl and certbot."""


@page
def test_options_exist(path: Path) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", path.read_text(encoding="utf-8")))
    assert named - options(main) - OF_OTHERS == set()


@page
def test_metrics_exist(path: Path) -> None:
    named = set(re.findall(r"\brtcbroker_[a-z_]+\b", path.read_text(encoding="utf-8")))
    assert named <= documented().keys()


@page
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (path.parent / target).exists(), target
    for name in re.findall(r"`(deploy/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"^\| `([\w./]+)`", text, re.MULTILINE):
        assert path.parent != DEPLOY or (DEPLOY / name).exists(), name


def test_everything_in_the_folder_is_explained() -> None:
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    listing = subprocess.run(["git", "ls-files", "deploy"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    entries = {line.split("/")[1] for line in listing.splitlines()} - {"README.md"}
    assert {entry for entry in entries if f"`{entry}`" not in text and f"`{entry}/" not in text} == set()
