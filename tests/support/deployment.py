"""How tests look at deploy/: files of several formats as plain values, by tools that live in an environment of their own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
QUERIES = Path(__file__).with_name("deploy_queries.py")
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
