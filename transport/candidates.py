"""ICE candidates as text: the `candidate` line of SDP and of RTCIceCandidateInit. Pure.

The JSON around a trickled candidate is :mod:`protocol.signalling`'s; the grammar of the line itself is RFC 8839 section 5.1.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from protocol.errors import CandidateError
from protocol.signalling import MAX_CANDIDATE_CHARS, CandidateInit

CANDIDATE_TYPES = ("host", "srflx", "prflx", "relay")

_TYPE_PREFERENCE = {"host": 126, "prflx": 110, "srflx": 100, "relay": 0}
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")
_FOUNDATION = re.compile(r"[A-Za-z0-9+/_=.:-]{1,64}")  # RFC: 1*32ice-char; libnice and old WebKit go beyond
_TOKEN = re.compile(r"[A-Za-z0-9-]{1,32}")
_DIGITS = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """One transport address a peer may be reached at."""

    foundation: str
    component: int
    transport: str
    """Lower case: ``udp`` or ``tcp``."""
    priority: int
    host: str
    """An IP address, or a name (``….local`` is mDNS)."""
    port: int
    type: str
    """One of CANDIDATE_TYPES, or what a newer RFC may call it."""
    related_host: str | None = None
    related_port: int | None = None

    def __str__(self) -> str:
        text = f"{self.foundation} {self.component} {self.transport} {self.priority} {self.host} {self.port} typ {self.type}"
        if self.related_host is not None:
            text += f" raddr {self.related_host} rport {self.related_port or 0}"
        return f"candidate:{text}"

    @property
    def is_usable(self) -> bool:
        """A UDP candidate of the only component, of a type that is known: the rest is for other agents, and no error."""
        return self.transport == "udp" and self.component == 1 and self.type in CANDIDATE_TYPES and self.port > 0

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host as an IP address; None where it is a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    def to_init(self, mid: str = "0", username_fragment: str | None = None) -> CandidateInit:
        """As it is trickled."""
        return CandidateInit(str(self), mid, 0, username_fragment)


def host_candidate(host: str, port: int, rank: int = 0, foundation: int | None = None) -> IceCandidate:
    """A host candidate with the priority of RFC 8445 section 5.1.2.1; `rank` 0 is the most wanted of an agent's addresses.

    `foundation`: one for all candidates of the same address (RFC 8445 section 5.1.1.3); None where each has its own.
    """
    return IceCandidate(str(foundation or rank + 1), 1, "udp", _priority("host", rank), host, port, "host")


def relay_candidate(relayed: tuple[str, int], mapped: tuple[str, int] | None, rank: int = 0) -> IceCandidate:
    """A relayed candidate; `rank` 0 is of the most wanted TURN server. `mapped` is where that server sees us, None to keep it to
    ourselves (RFC 8839 section 5.1 has placeholders for it).
    """
    host, port = mapped or (("::" if ":" in relayed[0] else "0.0.0.0"), 9)
    return IceCandidate(f"relay{rank + 1}", 1, "udp", _priority("relay", rank), *relayed, "relay", host, port)


def _priority(kind: str, rank: int) -> int:
    return (_TYPE_PREFERENCE[kind] << 24) | ((65535 - rank) << 8) | 255


def parse_candidate(text: str) -> IceCandidate:
    """Read a candidate line, with or without ``a=`` before it.

    Raises :class:`CandidateError`, which names the part that is wrong. Extensions (``generation``, ``network-cost``, …) are skipped.
    """
    if len(text) > MAX_CANDIDATE_CHARS:
        raise CandidateError(f"the candidate has more than {MAX_CANDIDATE_CHARS} characters")
    body = text.strip().removeprefix("a=").removeprefix("candidate:")
    parts = body.split()
    if len(parts) < 8 or parts[6] != "typ":
        raise CandidateError(f"not a candidate: {text[:80]!r}")
    if not _FOUNDATION.fullmatch(parts[0]):
        raise CandidateError(f"candidate foundation {parts[0][:40]!r}")
    if not _TOKEN.fullmatch(parts[2]) or not _TOKEN.fullmatch(parts[7]):
        raise CandidateError(f"candidate transport or type {parts[2][:40]!r} {parts[7][:40]!r}")
    related = dict(zip(parts[8::2], parts[9::2], strict=False))
    raddr = related.get("raddr")
    return IceCandidate(
        foundation=parts[0],
        component=_number(parts[1], 1, 256, "component"),
        transport=parts[2].lower(),
        priority=_number(parts[3], 0, 2**32 - 1, "priority"),
        host=_host(parts[4]),
        port=_number(parts[5], 0, 65535, "port"),
        type=parts[7].lower(),
        related_host=None if raddr is None else _host(raddr),
        related_port=None if raddr is None else _number(related.get("rport", "0"), 0, 65535, "rport"),
    )


def from_init(init: CandidateInit | None) -> IceCandidate | None:
    """The candidate that was trickled; None for the end of candidates. Raises :class:`CandidateError`."""
    if init is None or not init.candidate.strip():
        return None
    return parse_candidate(init.candidate)


def _number(text: str, low: int, high: int, what: str) -> int:
    if not _DIGITS.fullmatch(text) or not low <= int(text) <= high:
        raise CandidateError(f"candidate {what} {text[:40]!r}: want a number from {low} to {high}")
    return int(text)


def _host(text: str) -> str:
    if len(text) <= 253:
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            if _HOST_NAME.fullmatch(text):
                return text
    raise CandidateError(f"candidate address {text[:60]!r}")
