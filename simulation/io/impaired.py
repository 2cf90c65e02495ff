"""Where the load's processes run: beside the cluster, or in a network of their own behind one impaired cable (``--impair``).

That network is joined to this machine, so a cluster here is reached at the machine's end of the cable. For one elsewhere this machine
forwards and translates addresses meanwhile; a process does that and undoes it when its input ends, however this one ended.
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from protocol.errors import ConfigError
from simulation.core.impairment import Impairment
from simulation.io.netns import Cable, Namespace, NetnsError, held, let_go, missing
from simulation.io.spawn import HOST

NETWORK = ipaddress.ip_network("198.18.0.0/15")
"""For benchmarks of networks, and so on nobody's route (RFC 2544, appendix C.2.2)."""

_GATEWAY = """
set -e
table=$3; in=/proc/sys/net/ipv4/conf/$1/forwarding; out=/proc/sys/net/ipv4/conf/$2/forwarding; was=$(cat $out)
trap 'nft delete table ip $table; echo $was >$out' EXIT
nft add table ip $table
nft add chain ip $table out '{ type nat hook postrouting priority 100; }'
nft add rule ip $table out ip saddr $4 oifname $2 masquerade
echo 1 >$in; echo 1 >$out
echo; cat >/dev/null
"""
"""Of: our device, the device towards the cluster, a name, the address inside."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where clients are, seen from here."""

    host: str = HOST
    """This machine's address, as they reach it."""
    prefix: tuple[str, ...] = ()
    """What to put before a command that is to run there."""


def check_possible(impairment: Impairment | None, url: str | None) -> None:
    """Raises :class:`ConfigError` where the load cannot be impaired on this machine, or the cluster could not be reached so."""
    if impairment is None:
        return
    if (what := missing()) is not None:
        raise ConfigError(f"--impair: this machine lacks {what}")
    for address in _addresses(url):
        if ipaddress.ip_address(address).is_loopback:
            raise ConfigError(
                f"--impair: the clients' network does not reach a cluster at {address}: let it listen and announce at another address "
                "of this machine, or start one with --spawn"
            )
        if not _is_here(address) and shutil.which("nft") is None:
            raise ConfigError("--impair: this machine lacks nft (Debian: nftables), to reach a cluster on another one")


@contextlib.contextmanager
def place(impairment: Impairment | None, url: str | None) -> Iterator[Place]:
    """The place for a run's load, for as long as it lasts. Raises :class:`NetnsError`."""
    if impairment is None:
        yield Place()
        return
    here, device = Namespace.here(), f"rtcb{secrets.token_hex(4)}"
    with (
        Namespace("the clients' network") as there,
        Cable(here, device, there, "eth0", impairment),
        contextlib.ExitStack() as stack,
    ):
        ours, theirs = _free_pair(here)
        here.ip(f"addr add {ours}/30 dev {device}")
        there.ip(f"addr add {theirs}/30 dev eth0", f"route add default via {ours}")
        for outward in sorted({_device_to(address) for address in _addresses(url) if not _is_here(address)}):
            arguments = [device, outward, f"{device}_{outward}".replace(".", "_").replace("-", "_"), theirs]
            gateway, _ = held(["sh", "-c", _GATEWAY, "gateway", *arguments], "a way out of the clients' network")
            stack.callback(let_go, gateway)
        yield Place(ours, tuple(there.prefix))


def _addresses(url: str | None) -> list[str]:
    """IPv4 addresses of the coordinators. Raises :class:`ConfigError` for a name without one."""
    found = []
    for one in (url or "").split(","):
        if not (name := urlsplit(one.strip()).hostname):
            continue
        try:
            found += [str(entry[4][0]) for entry in socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)]
        except socket.gaierror as error:
            raise ConfigError(f"--impair: {name} has no IPv4 address that is known here ({error.strerror})") from None
    return found


def _route(address: str) -> list[str]:
    return Namespace.here().run("ip", "-4", "-o", "route", "get", address).split()


def _is_here(address: str) -> bool:
    return _route(address)[0] == "local"


def _device_to(address: str) -> str:
    words = _route(address)
    return words[words.index("dev") + 1]


def _free_pair(here: Namespace) -> tuple[str, str]:
    """Two addresses of a small network that no device of this machine has."""
    taken = here.run("ip", "-4", "-o", "addr")
    for _ in range(100):
        network = int(NETWORK.network_address) + 4 * secrets.randbelow(NETWORK.num_addresses // 4)
        ours, theirs = (str(ipaddress.ip_address(network + number)) for number in (1, 2))
        if f" {ours}/" not in taken:
            return ours, theirs
    raise NetnsError(f"no free network in {NETWORK}")
