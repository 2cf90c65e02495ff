"""The processes under what their systemd units forbid: the kernel refuses the same calls and address families as under systemd.

systemd does not run here; the lists are read from the unit files, and systemd itself says which calls its groups have.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from rtcbroker import Client
from tests.support import sandbox
from tests.support.cluster import cluster
from tests.support.deployment import DEPLOY
from tests.support.talk import heard_by_all

COORDINATOR = "rtcbroker-coordinator.service"
COMMSERVER = "rtcbroker-commserver@.service"

pytestmark = [pytest.mark.needs("systemd-analyze"), pytest.mark.timeout(120)]


def values(unit: str, directive: str) -> list[str]:
    """All values of a directive of a unit, as they follow one another."""
    return re.findall(rf"^{directive}=(.*)$", (DEPLOY / "systemd" / unit).read_text(encoding="utf-8"), re.MULTILINE)


def group(name: str) -> set[str]:
    """The system calls of one of systemd's groups, and of the groups in it."""
    done = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True, timeout=20)
    words = [line.strip() for line in done.stdout.splitlines() if line.startswith("    ") and "#" not in line]
    return {call for word in words for call in (group(word) if word.startswith("@") else {word})}


def allowed_calls(unit: str) -> set[str]:
    """As SystemCallFilter= is read: a first list that allows, then what is taken from it."""
    calls = group("@default")
    for line in values(unit, "SystemCallFilter"):
        for word in line.removeprefix("~").split():
            named = group(word) if word.startswith("@") else {word}
            calls = calls - named if line.startswith("~") else calls | named
    return calls


def wrapper(unit: str) -> list[str]:
    """What runs a command as far confined as the unit says."""
    (families,) = values(unit, "RestrictAddressFamilies")
    limits = json.dumps({"calls": sorted(allowed_calls(unit)), "families": families.split()})
    return [sys.executable, sandbox.__file__, limits]


def test_the_sandbox_refuses_what_the_unit_does_not_name() -> None:
    """Else the test below would prove nothing."""
    attempt = (
        "import os, socket\n"
        "for call in (lambda: socket.socket(socket.AF_PACKET), lambda: os.chroot('/'), lambda: os.chown('/tmp', -1, -1)):\n"
        "    try: call()\n"
        "    except OSError as error: print(error.errno, end=' ')\n"
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)\n"
    )
    done = subprocess.run(
        [*wrapper(COMMSERVER), sys.executable, "-c", attempt], check=False, capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("97 1 1 ", "")


async def test_a_cluster_works_under_the_filters_of_its_units() -> None:
    """Two comm servers that bind every address, as the unit's do: they list the machine's addresses, join, link, and pass packets."""
    async with cluster(0) as made:
        assert await made.coordinator.terminate() == 0
        made.coordinator.spawn(*wrapper(COORDINATOR))
        await made.coordinator.ready()
        for announce in ("127.0.0.1", "127.0.0.1,local"):
            server = made.server("commserver", coordinator=made.url, announce=announce)
            server.spawn(*wrapper(COMMSERVER))
            await server.ready()
            await made.connected(server)
        await made.meshed()
        async with (
            Client(made.url, token=made.token("ann")) as ann,
            Client(made.url, token=made.token("bob")) as bob,
            bob.subscribe("square") as packets,
        ):
            await heard_by_all(ann, "square", [packets])
        for server in made.servers:
            assert await server.terminate() == 0
            assert "does not list this machine's" not in server.log.read_text()
