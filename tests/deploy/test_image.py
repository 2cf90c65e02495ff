"""deploy/Dockerfile: its own steps done here in clean folders, both roles started by the image's commands, and its health check asked.

There is no engine in it: what a base image brings, and what an engine does (users, layers, published ports), is not under test.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.cluster import SECRET, START_S, STOP_S
from tests.support.deployment import DEPLOY, ROOT, Tools
from tests.support.dockerfile import Context, Replay, Stage, stages
from tests.support.poll import until

BUILD, FINAL = stages((DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
COMMAND_S = 30.0

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("image")]


def test_hadolint_has_nothing_to_say(tools: Tools) -> None:
    assert tools.run("hadolint", "--no-color", DEPLOY / "Dockerfile") == ""


def test_it_ends_without_root_and_without_a_way_to_install_things() -> None:
    user = FINAL.only("USER").rest
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "a number, so that Kubernetes can see that it is not root"
    assert [step.word for step in FINAL.steps if step.word in ("RUN", "ADD")] == []
    assert BUILD.base == FINAL.base, "the environment leans on the interpreter that it was made with"
    (copied,) = [step for step in FINAL.steps if step.word == "COPY"]
    assert copied.words == ["--from=build", BUILD.environment["PREFIX"], BUILD.environment["PREFIX"]]


def test_everything_that_is_installed_is_pinned_by_hash_and_everything_of_ours_is_in() -> None:
    installs = [step.rest for step in BUILD.steps if step.word == "RUN"]
    for command in re.findall(r"pip\" (?:--python \S+ )?(?:install|wheel) ([^&]*)", " ".join(installs)):
        assert "--require-hashes" in command or "--no-index" in command
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {pattern.removesuffix("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    copied = {word for step in BUILD.steps if step.word == "COPY" for word in step.words[:-1]}
    assert packages <= copied
    for name in copied:
        assert (ROOT / name).exists()


def test_the_build_sees_nothing_that_it_does_not_copy() -> None:
    context = Context(ROOT)
    copied = [word for step in BUILD.steps if step.word == "COPY" for word in step.words[:-1]]
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    seen = [name for name in listing.stdout.split("\0") if name and context.has(name)]
    assert seen
    assert [name for name in seen if not any(name == each or name.startswith(f"{each}/") for each in copied)] == []
    for name in (
        ".git/config",
        ".venv/bin/python",
        "deploy/compose/secrets/auth-secret",
        "service/__pycache__/run.cpython-311.pyc",
    ):
        assert not context.has(name)


class Image:
    """The replayed image."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._prefix = folder / "opt"
        overrides = {"PREFIX": str(self._prefix), "TOOLS": str(folder / "tools"), "PIP_NO_CACHE_DIR": "0"}
        Replay(BUILD, Context(ROOT), folder, overrides).run()

    def here(self, text: str, name: str = "") -> str:
        """Where a path of the image is on this machine; each container has a /tmp of its own."""
        places = {BUILD.environment["PREFIX"]: str(self._prefix), "/tmp/": f"{self._folder}/{name}-tmp/"}
        return re.sub("|".join(places), lambda found: places[found[0]], text)

    def environment(self, name: str, **more: str) -> dict[str, str]:
        """What a container has."""
        (self._folder / f"{name}-tmp").mkdir(exist_ok=True)
        return {**{key: self.here(value, name) for key, value in FINAL.environment.items()}, **more}

    def arguments(self, *command: str) -> list[str]:
        """What the engine runs for `docker run IMAGE COMMAND...`."""
        entry = FINAL.only("ENTRYPOINT").words
        return [str(self._prefix / "bin" / entry[0]), *entry[1:], *command]

    def output(self, *command: str) -> str:
        """Of a command that ends by itself."""
        done = subprocess.run(
            self.arguments(*command), env=self.environment("once"), check=False, capture_output=True, text=True, timeout=COMMAND_S
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextlib.contextmanager
    def running(self, name: str, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A container: its process, which is told to end afterwards as an engine does it, and must obey."""
        with (self._folder / f"{name}.log").open("w+") as log:
            process = subprocess.Popen(
                self.arguments(*command),
                env=self.environment(name, **environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                yield process
                process.terminate()
                assert process.wait(STOP_S) == 0
            finally:
                process.kill()
                process.wait()

    async def health(self, name: str, page: str = "") -> tuple[int, str]:
        """The image's own health check in that container: exit code and what it says."""
        words = FINAL.only("HEALTHCHECK").rest.partition("CMD ")[2]
        python, script = re.findall(r'"([^"]+)"', words)
        environment = self.environment(name)
        done = await asyncio.create_subprocess_exec(
            str(self._prefix / "bin" / python),
            self.here(script),
            *([page] if page else []),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await done.communicate()
        return done.returncode or 0, output.decode().strip()

    async def healthy(self, name: str, page: str = "") -> None:
        """Wait for it."""
        said = ""

        async def check() -> bool:
            nonlocal said
            code, said = await self.health(name, page)
            return code == 0

        log = self._folder / f"{name}.log"
        await until(check, START_S, lambda: f"{name} is healthy: {said}; its log:\n{log.read_text()[-2000:]}", interval=0.2)

    def port(self, name: str) -> int:
        """Of a container that is healthy."""
        match = re.search(r"port (\d+)", (self._folder / f"{name}.log").read_text())
        assert match is not None
        return int(match[1])


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Built once."""
    return Image(tmp_path_factory.mktemp("image"))


def test_it_says_its_version_and_has_every_command(image: Image) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert version in image.output("--version")
    listed = image.output(*FINAL.only("CMD").words)
    for command in ("coordinator", "commserver", "simulate", "token"):
        assert f"\n  {command} " in listed
    assert "--url" in image.output("simulate", "dense", "--help"), "the simulation needs no plots"


def test_it_is_small(image: Image) -> None:
    """Without the libraries of the plots, and without pip."""
    (folder,) = Path(image.here(f"{BUILD.environment['PREFIX']}/lib")).glob("python*/site-packages")
    names = os.listdir(folder)
    assert "rtcbroker" in names
    assert not {"pip", "matplotlib", "numpy", "pytest", "setuptools"} & set(names)


@contextlib.asynccontextmanager
async def both(image: Image, **coordinator: str) -> AsyncIterator[None]:
    """A coordinator and a comm server, healthy."""
    secret = {"RTCBROKER_AUTH_SECRET": SECRET}
    with image.running("coordinator", "coordinator", "--host", "127.0.0.1", "--port", "0", **secret, **coordinator):
        await image.healthy("coordinator")
        url = f"ws://127.0.0.1:{image.port('coordinator')}"
        own = [
            "--coordinator",
            url,
            "--host",
            "127.0.0.1",
            "--bind",
            "127.0.0.1",
            "--port",
            "0",
            "--udp-port",
            "0",
            "--processes",
            "2",
        ]
        with image.running("commserver", "commserver", *own, **secret):
            await image.healthy("commserver", "readyz")
            yield


async def test_both_roles_run_by_the_images_commands_and_its_health_check_sees_it(image: Image) -> None:
    assert (await image.health("nobody"))[0] == 1
    async with both(image):
        assert await image.health("coordinator") == (0, "ok")
        assert await image.health("coordinator", "no-such-page") != (0, "ok")
        assert await image.health("commserver") == (0, "ok")
    code, said = await image.health("coordinator")
    assert code == 1, said


async def test_the_health_check_speaks_tls_where_the_coordinator_does(image: Image, tmp_path: Path) -> None:
    image.output("dev-cert", "--out", str(tmp_path / "tls"))
    files = ["--tls-cert", str(tmp_path / "tls" / "cert.pem"), "--tls-key", str(tmp_path / "tls" / "key.pem")]
    own = ["coordinator", "--host", "127.0.0.1", "--port", "0", *files]
    with image.running("with-tls", *own, RTCBROKER_AUTH_SECRET=SECRET):
        await image.healthy("with-tls", "readyz")


def test_stages_are_read_as_docker_reads_them() -> None:
    text = 'ARG A=1\nFROM base AS one\n# why\nENV B=2 \\\n    C=3\nRUN a \\\n    && b\nFROM base\nCMD ["x", "y z"]\n'
    one, two = stages(text)
    assert (one.base, one.name, one.environment) == ("base", "one", {"B": "2", "C": "3"})
    assert one.only("RUN").rest == "a && b"
    assert isinstance(two, Stage)
    assert two.only("CMD").words == ["x", "y z"]
