"""UDP sockets for a listener: bound, deep buffers, never blocking; and the machine's own addresses."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
from collections.abc import Iterable, Sequence

import ifaddr

from protocol.errors import ConfigError

logger = logging.getLogger(__name__)

BUFFER_BYTES = 4 * 1024 * 1024
"""Wanted for each direction: at 1,200 bytes a datagram about 50 ms of 500 Mbit/s. The kernel may grant less (net.core.rmem_max)."""

_PORT_TRIES = 20

_ABROAD = {4: "192.0.2.1", 6: "2001:db8::1"}
"""By IP version, an address that is nobody's (RFC 5737, RFC 3849): the way to it is the default route."""
_DISCARD = 9
"""A port, where one has to be said and nothing is sent."""


def bind_all(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """One socket for each address, all on one port; 0 finds a port that is free on all of them.

    ``::`` is left out, with a warning, on a machine without IPv6 where there is another address. Raises :class:`ConfigError` for
    what is no IP address, OSError for one that cannot be bound.
    """
    if not addresses:
        raise ConfigError("bind: no address given")
    for address in addresses:
        _check_ip(address)
    for _ in range(_PORT_TRIES if port == 0 else 1):
        sockets: list[socket.socket] = []
        try:
            for address in addresses:
                taken = sockets[0].getsockname()[1] if sockets else port
                bound = _bind(address, taken, optional=address == "::" and len(addresses) > 1)
                if bound is not None:
                    sockets.append(bound)
            return sockets
        except OSError as error:
            for bound in sockets:
                bound.close()
            if port != 0 or error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"no UDP port is free on all of {', '.join(addresses)}")


def local_addresses(bound: Iterable[str]) -> list[str]:
    """What the machine has for the `bound` addresses; loopback only where nothing else is."""
    found: list[str] = []
    for address in bound:
        ip = ipaddress.ip_address(address)
        found += machine_addresses(ip.version) if ip.is_unspecified else [str(ip)]
    if not found:
        found = ["::1" if ipaddress.ip_address(address).version == 6 else "127.0.0.1" for address in bound]
    return list(dict.fromkeys(found))


def machine_addresses(version: int) -> list[str]:
    """The machine's own addresses of IP version 4 or 6, without loopback and without link-local ones, which need a scope.

    Where the kernel does not list them (a sandbox), the one that packets to elsewhere leave from, with a warning.
    """
    try:
        names = [ip.ip if isinstance(ip.ip, str) else ip.ip[0] for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    except OSError as error:
        # The kernel lists them by netlink, which a sandbox may forbid; a peer that was told one address too few is better than none.
        logger.warning(
            "the kernel does not list this machine's IPv%d addresses (%s): only the one that its default route begins at is known; "
            "allow netlink sockets (RestrictAddressFamilies=AF_NETLINK under systemd), or announce addresses by name",
            version,
            error.strerror or error,
        )
        known = source_address(_ABROAD[version], _DISCARD)
        names = [] if known is None else [known]
    addresses = [ipaddress.ip_address(name) for name in names]
    return [str(ip) for ip in addresses if ip.version == version and not ip.is_loopback and not ip.is_link_local]


def source_address(host: str, port: int) -> str | None:
    """The local address from which the kernel would send to `host`; None where there is no route. Sends nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, port))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _bind(address: str, port: int, *, optional: bool) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock: socket.socket | None = None
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has its own socket
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        sock.setblocking(False)
        sock.bind((address, port))
    except OSError as error:
        if sock is not None:
            sock.close()
        if optional and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            logger.warning("no IPv6 on this machine: %s is not bound", address)
            return None
        raise OSError(error.errno, f"cannot bind UDP {address} port {port}: {error.strerror}") from error
    return sock


def _check_ip(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise ConfigError(f"bind: {text!r} is not an IP address") from error
