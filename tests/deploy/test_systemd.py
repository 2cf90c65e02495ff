"""deploy/systemd: units that systemd reads without a word, little exposed, with options that the processes take.

systemd does not run here. Two restrictions that such a program may stumble over are tried on real processes instead (see the end).
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from commserver.settings import CommServerSettings
from coordinator.settings import CoordinatorSettings
from rtcbroker import Client
from service.settings import ServiceSettings, load, unknown_variables
from tests.support.cluster import Cluster, cluster
from tests.support.deployment import DEPLOY
from tests.support.needs import impossible, unmet
from tests.support.talk import heard_by_all

SYSTEMD = DEPLOY / "systemd"
UNITS: dict[str, type[ServiceSettings]] = {
    "rtcbroker-coordinator.service": CoordinatorSettings,
    "rtcbroker-commserver@.service": CommServerSettings,
}
ENVIRONMENTS = {"rtcbroker-coordinator.service": "coordinator.env", "rtcbroker-commserver@.service": "commserver@a.env"}
MOST_EXPOSED = 15
"""Tenths, of 100: systemd's own sum of what a unit may do beyond what it is told not to."""
AFTER_DRAIN_S = 5

unit = pytest.mark.parametrize("name", UNITS)


def directives(name: str) -> dict[str, list[str]]:
    """Of [Service], each with all its values."""
    found: dict[str, list[str]] = {}
    section = (SYSTEMD / name).read_text(encoding="utf-8").split("[Service]")[1].split("\n[")[0]
    for key, value in re.findall(r"^(\w+)=(.*)$", section, re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def systemd_analyze(*arguments: str) -> str:
    done = subprocess.run(["systemd-analyze", *arguments], check=False, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.needs("systemd-analyze")
@unit
def test_systemd_reads_it_without_a_word(name: str, tmp_path: Path) -> None:
    """The command is where the package lies on this machine; all else is as it stands."""
    program = Path(sys.executable).with_name("rtcbroker")
    copy = tmp_path / name.replace("@", "@a")
    copy.write_text(
        (SYSTEMD / name).read_text(encoding="utf-8").replace("/opt/rtcbroker/bin/rtcbroker", str(program)), encoding="utf-8"
    )
    said = systemd_analyze("verify", "--man=no", "--recursive-errors=no", str(copy))
    assert said.strip() == ""


@pytest.mark.needs("systemd-analyze")
@unit
def test_it_is_little_exposed(name: str) -> None:
    systemd_analyze("security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED}", str(SYSTEMD / name))


@unit
def test_its_options_are_some(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = UNITS[name]
    given = directives(name)
    assert given["ExecStart"] == [f"/opt/rtcbroker/bin/rtcbroker {model.command}"]
    lines = [*given["Environment"], *(SYSTEMD / ENVIRONMENTS[name]).read_text(encoding="utf-8").splitlines()]
    (credential,) = given["LoadCredential"]
    (tmp_path / credential.partition(":")[0]).write_text("a secret of thirty-two bytes and a few more", encoding="utf-8")
    for line in lines:
        if not line.startswith("#"):
            key, value = line.split("=", 1)
            monkeypatch.setenv(key, value.replace("%d", str(tmp_path)))
    monkeypatch.setenv("RTCBROKER_CONFIG", str(DEPLOY / "config.sample.toml"))
    assert unknown_variables(model) == []
    settings = load(model, {})
    assert settings.auth_secret_file is not None
    assert settings.auth_secret_file.is_file()


def test_there_is_time_to_drain() -> None:
    (limit,) = directives("rtcbroker-commserver@.service")["TimeoutStopSec"]
    assert int(limit) > CommServerSettings().drain_seconds + AFTER_DRAIN_S
    (limit,) = directives("rtcbroker-coordinator.service")["TimeoutStopSec"]
    assert int(limit) > CoordinatorSettings().stop_timeout


def test_both_are_kept_in_as_far_as_each_can_bear() -> None:
    """The comm server alone needs memory that it can write and run: DTLS calls back into Python."""
    coordinator, commserver = (directives(name) for name in UNITS)
    assert coordinator["MemoryDenyWriteExecute"] == ["yes"]
    assert commserver["MemoryDenyWriteExecute"] == ["no"]
    shared = set(coordinator) - {
        "MemoryDenyWriteExecute",
        "RestrictAddressFamilies",
        "ExecStart",
        "EnvironmentFile",
        "TimeoutStopSec",
    }
    assert {key: coordinator[key] for key in shared} == {key: commserver.get(key) for key in shared}
    assert coordinator["DynamicUser"] == ["yes"]


# What follows does by hand what systemd would do, where the kernel and its user let us.

MDWE = """
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit("prctl refuses PR_SET_MDWE")
os.execv(sys.argv[1], sys.argv[1:])
"""
"""PR_SET_MDWE with PR_MDWE_REFUSE_EXEC_GAIN: what MemoryDenyWriteExecute= sets where there is such a call."""

SUBSET = 'mount -t proc -o subset=pid proc /proc && exec "$@"'
"""ProcSubset=pid"""


def kernel_since(major: int, minor: int) -> bool:
    """Whether this kernel is that one or newer, by its name."""
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    return found is not None and (int(found[1]), int(found[2])) >= (major, minor)


def try_out(command: list[str], what: str, since: tuple[int, int]) -> None:
    """Run `command`, and where it fails say that this machine does not do `what`; kernels older than `since` cannot."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    if done.returncode == 0:
        return
    if not kernel_since(*since):
        impossible(f"{what} needs Linux {since[0]}.{since[1]}, this is {platform.release()}")
    unmet(f"{what} is not possible here: {done.stderr.strip()[-200:]}")


async def talked(made: Cluster) -> None:
    """Packets pass between two who have just joined."""
    async with (
        Client(made.url, token=made.token("ann")) as ann,
        Client(made.url, token=made.token("bob")) as bob,
        bob.subscribe("square") as packets,
    ):
        await heard_by_all(ann, "square", [packets])


@pytest.mark.timeout(120)
async def test_the_coordinator_needs_no_memory_that_it_can_write_and_run() -> None:
    try_out([sys.executable, "-c", MDWE, "/bin/true"], "PR_SET_MDWE", (6, 3))
    async with cluster(1) as made:
        assert await made.coordinator.terminate() == 0
        made.coordinator.spawn(sys.executable, "-c", MDWE)
        await made.coordinator.ready()
        await made.connected(made.servers[0])
        await talked(made)


@pytest.mark.timeout(120)
async def test_neither_needs_more_of_proc_than_processes() -> None:
    wrapper = ["unshare", "--mount", "sh", "-c", SUBSET, "sh"]
    try_out([*wrapper, "/bin/true"], "a mount namespace with subset=pid", (5, 8))
    async with cluster(1) as made:
        for process in (made.coordinator, made.servers[0]):
            assert await process.terminate() == 0
            process.spawn(*wrapper)
            await process.ready()
        await made.connected(made.servers[0])
        assert await made.servers[0].metric("rtcbroker_process_resident_bytes") > 1e6
        await talked(made)
