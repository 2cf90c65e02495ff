"""Hosts of our own on this machine: network namespaces, cables between them, and what is wrong with a cable.

A namespace has no name: it lives as long as the process that holds it, and that one ends when its standard input does. So nothing is
left on the machine, even when whoever made it is killed. Linux only, and root only; :func:`missing` says what is in the way.

An impaired cable is a pair of virtual Ethernet devices with the kernel's netem, or, where the kernel is built without it, a process
that carries the frames (:mod:`simulation.io.wire`).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from protocol.errors import RtcBrokerError
from simulation.core.impairment import Impairment, netem_arguments

COMMAND_S = 10.0
"""For one command of iproute2 or nftables, and for a process of ours to be ready."""
TUN = Path("/dev/net/tun")
_CLONE_NEWNET = 0x40000000
_HOLD = "ip link set lo up; for all in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$all; done 2>/dev/null; echo; exec cat >/dev/null"
"""What holds a namespace. IPv4 alone: the addresses IPv6 makes up by itself would be further ways between the hosts."""


class NetnsError(RtcBrokerError):
    """A network could not be built; says what failed, and how."""


def missing() -> str | None:
    """What this machine lacks for namespaces with impaired cables, or None."""
    if sys.platform != "linux":
        return "network namespaces: they need Linux"
    if os.geteuid() != 0:
        return "root: only root may make network namespaces"
    lacking = [command for command in ("ip", "tc", "unshare", "nsenter") if shutil.which(command) is None]
    if lacking:
        return f"the commands {', '.join(lacking)} (Debian: iproute2, util-linux)"
    if not _succeeds("true"):
        return "the right to make network namespaces (unshare --net is refused here, as in many containers)"
    if not has_netem() and not TUN.exists():
        return f"a kernel with netem (sch_netem), or {TUN} in its place"
    return None


@functools.cache
def has_netem() -> bool:
    """Whether the kernel impairs links itself."""
    return _succeeds("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")


def _succeeds(*command: str) -> bool:
    done = subprocess.run(["unshare", "--net", "--", *command], capture_output=True, timeout=COMMAND_S, check=False)
    return done.returncode == 0


class Namespace:
    """A network of its own for whatever runs in it; a context manager."""

    def __init__(self, name: str) -> None:
        """Make it. `name` is for messages. Raises :class:`NetnsError`."""
        self.name = name
        self._holder: subprocess.Popen[bytes] | None
        self._holder, _ = held(["unshare", "--net", "--", "sh", "-c", _HOLD], name)
        self.pid = self._holder.pid

    @classmethod
    def here(cls) -> Namespace:
        """The one this process is in."""
        self = cls.__new__(cls)
        self.name, self._holder, self.pid = "this machine", None, os.getpid()
        return self

    @property
    def prefix(self) -> list[str]:
        """What to put before a command, to run it in here; it stays the same process."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--"]

    def run(self, *command: str, text: str = "") -> str:
        """Run a command in here to its end, and return what it wrote. Raises :class:`NetnsError`."""
        done = subprocess.run(
            [*self.prefix, *command], input=text, capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        if done.returncode:
            raise NetnsError(f"{self.name}: {' '.join(command)}: {done.stderr.strip() or f'code {done.returncode}'}")
        return done.stdout

    def ip(self, *lines: str) -> None:
        """Commands of ip(8), without the word `ip`. Raises :class:`NetnsError`."""
        self.run("ip", "-batch", "-", text="\n".join(lines) + "\n")

    def enter(self) -> None:
        """Move the calling thread in here: what it opens from now on belongs to this namespace. Raises OSError."""
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(descriptor, _CLONE_NEWNET):
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of it; it is gone when the last process in it is. Idempotent."""
        if self._holder is not None:
            let_go(self._holder)

    def __enter__(self) -> Namespace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Cable:
    """Joins two namespaces by a device in each, both up; a context manager."""

    def __init__(self, a: Namespace, a_device: str, b: Namespace, b_device: str, impairment: Impairment | None = None) -> None:
        """Lay it. With an `impairment` it can be given others later, see :meth:`impair`. Raises :class:`NetnsError`."""
        self._ends = ((a, a_device), (b, b_device))
        self._wire: subprocess.Popen[bytes] | None = None
        if impairment is None or has_netem():
            a.ip(f"link add {a_device} type veth peer name {b_device} netns {b.pid}")
        else:
            self._wire = self._join_by_process()
        for namespace, device in self._ends:
            namespace.ip(f"link set {device} up")
        if impairment is not None:
            self.impair(impairment)

    def impair(self, impairment: Impairment) -> None:
        """Each way, from now on. Raises :class:`NetnsError` for a cable that was laid without an impairment, where there is no netem."""
        if self._wire is not None:
            assert self._wire.stdin is not None  # it is a pipe
            self._wire.stdin.write(json.dumps(asdict(impairment)).encode() + b"\n")
            self._wire.stdin.flush()
            return
        if not has_netem():
            raise NetnsError("this cable was laid without an impairment, and the kernel has no netem to impair it now")
        for namespace, device in self._ends:
            namespace.run("tc", "qdisc", "replace", "dev", device, "root", *netem_arguments(impairment))

    def _join_by_process(self) -> subprocess.Popen[bytes]:
        """The process makes its devices in the first namespace; the second gets one of them."""
        (a, a_device), (b, b_device) = self._ends
        wire, names = held([*a.prefix, sys.executable, "-m", "simulation.io.wire"], f"a cable of {a.name}")
        one, other = names.split()
        a.ip(f"link set {one} name {a_device}", f"link set {other} netns {b.pid} name {b_device}")
        return wire

    def close(self) -> None:
        """Take it away. Idempotent."""
        if self._wire is not None:
            let_go(self._wire)
        else:
            namespace, device = self._ends[0]
            with contextlib.suppress(NetnsError):  # with one of its ends' namespaces it is gone already
                namespace.ip(f"link del {device}")

    def __enter__(self) -> Cable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def held(command: Sequence[str], name: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start what lives until its input ends, and wait for the first line it writes. Raises :class:`NetnsError`."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, start_new_session=True
    )
    assert process.stdout is not None  # both are pipes
    assert process.stderr is not None
    ready, _, _ = select.select((process.stdout,), (), (), COMMAND_S)
    line = process.stdout.readline() if ready else b""
    if not line:
        process.kill()
        said = process.stderr.read().decode(errors="replace").strip()
        let_go(process)
        raise NetnsError(f"{name}: {said or 'was not ready in time'}")
    return process, line.decode()


def let_go(process: subprocess.Popen[bytes]) -> None:
    """The end of its input ends it."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(COMMAND_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(COMMAND_S)
