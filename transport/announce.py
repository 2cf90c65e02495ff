"""What a listener tells its peers it can be reached at: the words of ``--announce``, and the candidates they come to. Pure.

A word is an IP address or a host name, each with a port behind it where a NAT has another one (``203.0.113.7:7000``,
``[2001:db8::7]:7000``), or ``local`` for the addresses of this machine, or ``auto`` for those that STUN servers see.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.errors import ConfigError
from protocol.limits import MAX_CANDIDATES
from transport.candidates import IceCandidate, host_candidate

AUTO = "auto"
LOCAL = "local"

MAX_ANNOUNCED = MAX_CANDIDATES
"""Addresses in one offer; a peer takes no more candidates."""

_NAME = re.compile(
    r"(?=.{1,253}$)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?"
)
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:]*))(?::(?P<port>[0-9]{1,5}))?")
_FORM = f"want an IP address or a host name, both with :PORT where that is another one, {AUTO!r} or {LOCAL!r}"

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Word:
    """One of ``--announce``."""

    text: str
    """As it was given; AUTO and LOCAL mean something."""
    host: str = ""
    """An IP address, or a name in lower case; empty for AUTO and LOCAL."""
    port: int | None = None
    """None: the one that is bound."""

    @property
    def is_name(self) -> bool:
        """It has to be looked up."""
        return bool(self.host) and _address(self.host) is None

    def counted_up(self, index: int) -> str:
        """The same for the comm server that is `index` ports above the first."""
        if self.port is None or not index:
            return self.text
        return f"[{self.host}]:{self.port + index}" if ":" in self.host else f"{self.host}:{self.port + index}"


def read_word(text: str) -> Word:
    """Read one. Raises :class:`ConfigError`."""
    text = text.strip()
    if text.lower() in (AUTO, LOCAL):
        return Word(text.lower())
    if (address := _address(text)) is not None:
        return Word(text, address)
    match = _WITH_PORT.fullmatch(text)
    if match is not None:
        port = None if match["port"] is None else int(match["port"])
        host = match["host"] if match["v6"] is None else match["v6"]
        address = _address(host)
        if match["v6"] is not None and (address is None or ":" not in address):
            host = ""
        elif address is not None:
            host = address
        elif not _NAME.fullmatch(host):
            host = ""
        if host and (port is None or 0 < port < 65_536):
            return Word(text, host if address is not None else host.lower(), port)
    raise ConfigError(f"announce: {text[:100]!r} is no address: {_FORM}")


def read_words(texts: Iterable[str]) -> tuple[Word, ...]:
    """Read them all, each once; no word at all means LOCAL. Raises :class:`ConfigError`."""
    words = tuple(dict.fromkeys(read_word(text) for text in texts))
    if len(words) > MAX_ANNOUNCED:
        raise ConfigError(f"announce: {len(words)} addresses, at most {MAX_ANNOUNCED}")
    return words or (Word(LOCAL),)


@dataclass(slots=True)
class Found:
    """What words come to that only time can tell."""

    local: Sequence[str] = ()
    """The machine's own addresses, as they were bound."""
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Addresses of host names."""
    public: Sequence[Endpoint] = ()
    """Where STUN servers see our sockets."""


def endpoints(words: Iterable[Word], port: int, found: Found) -> list[Endpoint]:
    """Where peers are told to come, the most wanted first; `port` is the one that is bound.

    Behind a NAT that changes ports, a public address stands twice: with our port, should that be forwarded, and with the NAT's. Where
    the words come to nothing (yet), the machine's own addresses are better than none.
    """
    told: list[Endpoint] = []
    for word in words:
        if word.text == LOCAL:
            told += [(host, port) for host in found.local]
        elif word.text == AUTO:
            told += [(host, port) for host, _ in found.public] + list(found.public)
        else:
            told += [(host, word.port or port) for host in (found.names.get(word.host, ()) if word.is_name else (word.host,))]
    return list(dict.fromkeys(told))[:MAX_ANNOUNCED] or [(host, port) for host in found.local]


def candidates(told: Sequence[Endpoint]) -> tuple[IceCandidate, ...]:
    """As host candidates: an ICE-lite agent has no others (RFC 8445 section 5.3). The order is that of their priorities.

    The foundation is one for each address, whatever the ports: such candidates work or fail together (RFC 8445 section 5.1.1.3).
    """
    hosts = list(dict.fromkeys(host for host, _ in told))
    return tuple(host_candidate(host, port, rank, foundation=hosts.index(host) + 1) for rank, (host, port) in enumerate(told))


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
