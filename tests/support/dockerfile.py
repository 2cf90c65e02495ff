"""What a Dockerfile says, and its RUN steps done on this machine, in folders of a test: no engine, no image, the same commands."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

_STEP = re.compile(r"^([A-Z]+)\s+(.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction."""

    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        """Of the exec form, or as a shell would split it."""
        return json.loads(self.rest) if self.rest.startswith("[") else shlex.split(self.rest)


@dataclass(slots=True)
class Stage:
    """From one FROM to the next."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What its ENV instructions set."""
        pairs = [word.split("=", 1) for step in self.steps if step.word == "ENV" for word in step.words]
        return {name: value for name, value in pairs}  # noqa: C416  # a list of two is no pair to the type checker

    def only(self, word: str) -> Step:
        """The one instruction of that kind."""
        (step,) = [step for step in self.steps if step.word == word]
        return step


def stages(text: str) -> list[Stage]:
    """All stages of a Dockerfile, in order."""
    found: list[Stage] = []
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    for line in filter(None, map(str.strip, joined.splitlines())):
        match = _STEP.match(line)
        assert match is not None, f"no instruction: {line}"
        step = Step(match[1], match[2])
        if step.word == "FROM":
            base, _, name = step.rest.partition(" AS ")
            found.append(Stage(base, name))
        elif found:
            found[-1].steps.append(step)
    return found


class Context:
    """The files that a build may see: the folder less what .dockerignore leaves out. Of two patterns that fit, the later one counts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
        self._patterns = [line for line in lines if line and not line.startswith("#")]

    def has(self, name: str) -> bool:
        """Whether a path, relative to the root, is let through."""
        ignored = False
        for pattern in self._patterns:
            if _fits(pattern.removeprefix("!"), name):
                ignored = not pattern.startswith("!")
        return not ignored

    def copy(self, source: str, target: Path) -> None:
        """As COPY of a folder's content or of one file; AssertionError where nothing is let through."""
        start = self.root / source
        files = [start] if start.is_file() else [path for path in sorted(start.rglob("*")) if path.is_file()]
        seen = [path for path in files if self.has(path.relative_to(self.root).as_posix())]
        assert seen, f"COPY {source}: .dockerignore lets nothing of it through"
        for path in seen:
            to = target if start.is_file() else target / path.relative_to(start)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)


def _fits(pattern: str, name: str) -> bool:
    """Whether the pattern matches the path or a folder that it lies in."""
    parts = name.split("/")
    upwards = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatchcase(part, pattern.removeprefix("**/")) for part in parts)
    return any(fnmatch.fnmatchcase(each, pattern) for each in upwards if each.count("/") == pattern.count("/"))


class Replay:
    """One stage done in `folder`, with these values in place of those that its ENV gives."""

    def __init__(self, stage: Stage, context: Context, folder: Path, overrides: dict[str, str]) -> None:
        self._context = context
        self._folder = folder
        self.environment = {**stage.environment, **overrides}
        self._stage = stage
        self._python = folder / "image-bin"

    def run(self) -> None:
        """COPY, RUN and WORKDIR in their order; AssertionError with the output of a step that failed."""
        self._python.mkdir(parents=True)
        # The image's python3 is one without packages of its own; so is the one that our environment was made with.
        (self._python / "python3").symlink_to(os.path.realpath(sys.executable))
        place = self._folder / "root"
        for step in self._stage.steps:
            if step.word == "WORKDIR":
                place = self._folder / "root" / step.rest.lstrip("/")
                place.mkdir(parents=True, exist_ok=True)
            elif step.word == "COPY":
                *sources, target = step.words
                for source in sources:
                    into = place / target / Path(source).name if target.endswith("/") else place / target
                    self._context.copy(source, into)
            elif step.word == "RUN":
                self._shell(step.rest, place)
            else:
                assert step.word == "ENV", f"{step.word} is not replayed"

    def _shell(self, command: str, place: Path) -> None:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "RTCBROKER_", "COVERAGE_", "VIRTUAL_ENV"))
        }
        environment = {**inherited, "PATH": f"{self._python}:/usr/local/bin:/usr/bin:/bin", **self.environment}
        done = subprocess.run(["sh", "-c", command], cwd=place, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"RUN {command}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
