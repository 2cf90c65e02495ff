"""STUN and TURN servers: their URLs, their credentials, and for how long these hold. Pure.

The grammar of the URLs is RFC 7064 (stun, stuns) and RFC 7065 (turn, turns); a server with its credentials is what W3C WebRTC section
4.2.2 calls an RTCIceServer.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from protocol.limits import MAX_ICE_TEXT_BYTES

IceTransportPolicy: TypeAlias = Literal["all", "relay"]
"""Which candidates an agent may use (RTCIceTransportPolicy of W3C WebRTC section 4.2.5): all, or only those of TURN servers."""

ICE_TRANSPORT_POLICIES: tuple[IceTransportPolicy, ...] = ("all", "relay")

_SCHEMES = ("stun", "stuns", "turn", "turns")
_PORT = {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}
_TRANSPORT = {"stun": "udp", "turn": "udp", "stuns": "tcp", "turns": "tcp"}
_URL = re.compile(r"(?P<scheme>[a-z]+):(?P<host>\[[^\]]*\]|[^:?\[\]]*)(?::(?P<port>[^?]*))?(?:\?transport=(?P<transport>.*))?")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_.])?")
_DIGITS_AND_DOTS = re.compile(r"[0-9.]+")
_FORM = "write stun:HOST[:PORT], stuns:HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp] or turns:HOST[:PORT][?transport=udp|tcp]"


@dataclass(frozen=True, slots=True)
class IceUrl:
    """The parts of a URL, what it leaves out filled in."""

    text: str
    """The URL itself, in lower case: nothing in it depends on case, but browsers know the schemes in lower case only."""
    scheme: str
    host: str
    """A name, or an IP address without brackets."""
    port: int
    transport: str
    """``udp`` or ``tcp``, between us and the server."""

    @property
    def is_turn(self) -> bool:
        """A TURN server, which wants credentials."""
        return self.scheme in ("turn", "turns")

    @property
    def is_secure(self) -> bool:
        """Spoken to by TLS, or DTLS."""
        return self.scheme in ("stuns", "turns")

    def __str__(self) -> str:
        return self.text


def parse_ice_url(text: str) -> IceUrl:
    """Read a URL. Raises ValueError that names it and what is wrong."""
    url = text.lower()
    match = _URL.fullmatch(url) if url.isascii() and len(url) <= MAX_ICE_TEXT_BYTES else None
    if match is None or match["scheme"] not in _SCHEMES:
        raise _wrong(text, "it has not the form of one")
    scheme, transport = match["scheme"], match["transport"]
    if transport is not None and (not scheme.startswith("turn") or transport not in ("udp", "tcp")):
        raise _wrong(text, "only turn: and turns: may name a transport, udp or tcp")
    host = _host(match["host"])
    if host is None:
        raise _wrong(text, f"{match['host'][:60]!r} is no host name or IP address")
    port = match["port"]
    if port is not None and not (port.isdigit() and len(port) <= 5 and 0 < int(port) < 65_536):
        raise _wrong(text, f"{port[:20]!r} is no port")
    return IceUrl(url, scheme, host, _PORT[scheme] if port is None else int(port), transport or _TRANSPORT[scheme])


def _host(text: str) -> str | None:
    try:
        if text.startswith("["):
            return str(ipaddress.IPv6Address(text[1:-1]))
        if _DIGITS_AND_DOTS.fullmatch(text):
            return str(ipaddress.IPv4Address(text))
    except ValueError:
        return None
    return text if _NAME.fullmatch(text) and ".." not in text else None


def _wrong(text: str, why: str) -> ValueError:
    before, at, shown = text.rpartition("@")
    if at and before:
        why, shown = "credentials have their own options", f"..@{shown}"
    return ValueError(f"{shown[:100]!r} is no URL of a STUN or TURN server: {why}; {_FORM}")


@dataclass(frozen=True, slots=True, init=False)
class IceServer:
    """A STUN or TURN server with its credentials: one or several URLs that share them."""

    urls: tuple[str, ...]
    username: str
    """Empty where none is needed, as for STUN."""
    credential: str = field(repr=False)

    def __init__(self, urls: str | Iterable[str], username: str | None = None, credential: str | None = None) -> None:
        """`urls`: one, or several. What they say is judged where they are used."""
        object.__setattr__(self, "urls", (urls,) if isinstance(urls, str) else tuple(urls))
        object.__setattr__(self, "username", username or "")
        object.__setattr__(self, "credential", credential or "")


@dataclass(frozen=True, slots=True)
class IceGrant:
    """ICE servers as one peer is given them."""

    servers: tuple[IceServer, ...] = ()
    lifetime_s: float | None = None
    """Seconds for which the credentials hold from then on; None: for ever."""


NO_ICE = IceGrant()


def check_ice_servers(servers: Iterable[IceServer]) -> None:
    """Raises ValueError that names a URL that is none."""
    for server in servers:
        for url in server.urls:
            parse_ice_url(url)
