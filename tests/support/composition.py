"""deploy/compose as an engine would see it: initialised in a folder of its own, variables filled in."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support.deployment import DEPLOY, Tools

ADDRESS, SITE = "203.0.113.7", "rtc.example.com"


class Composition:
    """What init.sh has written, and compose.yaml with it."""

    def __init__(self, folder: Path, tools: Tools) -> None:
        self.folder = folder / "deploy" / "compose"
        shutil.copytree(DEPLOY, folder / "deploy", ignore=shutil.ignore_patterns(".env", "secrets"))
        self.init(ADDRESS, SITE)
        self.text = filled_in((self.folder / "compose.yaml").read_text(encoding="utf-8"), self.variables())
        self.document: dict[str, Any] = tools.query("compose", text=self.text)

    def init(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run init.sh."""
        return subprocess.run([self.folder / "init.sh", *arguments], check=False, capture_output=True, text=True, timeout=30)

    def variables(self) -> dict[str, str]:
        """Of .env."""
        lines = (self.folder / ".env").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """By name."""
        services: dict[str, dict[str, Any]] = self.document["services"]
        return services

    def of(self, command: str) -> dict[str, dict[str, Any]]:
        """Our services that run this command."""
        return {name: service for name, service in self.services.items() if service.get("command", [""])[0] == command}

    def secret(self, path: str) -> Path:
        """The file that a container sees as /run/secrets/NAME."""
        file: str = self.document["secrets"][Path(path).name]["file"]
        return self.folder / file


def filled_in(text: str, variables: dict[str, str]) -> str:
    """${NAME}, ${NAME:-default} and ${NAME:?message}; AssertionError for a variable that is not set."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match[1], match[2], match[3]
        if name in variables:
            return variables[name]
        assert kind == ":-", f"{name} is not set: {rest}"
        return rest

    return re.sub(r"(?<!\$)\$\{(\w+)(?:(:-|:\?)([^}]*))?\}", value, text).replace("$$", "$")
