"""Where and on what it was measured: figures without it mean nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("aiortc", "aioice", "uvloop", "protobuf", "cryptography", "pyOpenSSL")


def machine() -> dict[str, Any]:
    """Processor, cores that may be used, kernel, interpreter, and how busy it is with other things."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def versions() -> dict[str, str | None]:
    """Of the libraries that matter; None for one that is not installed."""
    return {name: _version(name) for name in LIBRARIES}


def commit() -> dict[str, Any]:
    """What was measured: the commit, and whether files differ from it; nulls outside a clone."""
    try:
        return {"id": _git("rev-parse", "HEAD"), "changed": bool(_git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError):
        return {"id": None, "changed": None}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout.strip()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
