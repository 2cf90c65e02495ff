"""`rtcbroker simulate` as a process of its own, and what it says."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TIMEOUT_S = 45.0


async def rtcbroker(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Run the command line to its end: exit code, output, errors. `environment` is put over ours."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "rtcbroker.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(), errors.decode()


async def simulate(tmp_path: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """A run that is to succeed: its figures and its table. No loss is allowed; loads are far below what two busy cores can do."""
    path = tmp_path / "result.json"
    code, output, errors = await rtcbroker("simulate", *arguments, "--max-loss", "0", "--json", str(path))
    assert code == 0, output + errors
    return json.loads(path.read_text()), output
