"""Which web pages may open a WebSocket here.

A browser lets any page dial any host, and says in `Origin` which page it was (RFC 6454, RFC 6455 section 10.2). So does nothing that is
not a browser: without the header a peer is judged by its token alone. A page of the coordinator itself has the origin that the request
was sent to; others have to be named by the operator. The request's scheme is not compared, since a proxy that ends TLS hides it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EVERY_ORIGIN = "*"
OPAQUE = "null"
"""The origin of sandboxed frames and of files: any site can have it, so it says nothing."""

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_MAX_PORT = 65_535
_AUTHORITY = r"(?P<host>\[[0-9a-f:.]+\]|[^\s/?#@\[\]:,;'\"]+)(?::(?P<port>[0-9]{1,5}))?"
_ORIGIN = re.compile(rf"(?P<scheme>[a-z][a-z0-9+.\-]*)://{_AUTHORITY}", re.ASCII)
_HOST = re.compile(_AUTHORITY, re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """A page's origin (RFC 6454 section 4), as comparable parts."""

    scheme: str
    host: str
    port: int | None
    """Never None for http and https."""


def parse_origin(text: str) -> Origin | None:
    """``https://app.example.com``, ``http://[::1]:9090``; None for what is none, `null` among it."""
    match = _ORIGIN.fullmatch(text.lower()) if text.isascii() else None
    if match is None:
        return None
    return _origin(match["scheme"], match["host"], match["port"])


def origin_at(scheme: str, host_header: str) -> Origin | None:
    """The origin of pages that a browser got with that `Host` by that scheme."""
    match = _HOST.fullmatch(host_header.lower()) if host_header.isascii() else None
    return None if match is None else _origin(scheme, match["host"], match["port"])


def _origin(scheme: str, host: str, port: str | None) -> Origin | None:
    if host.startswith("["):
        try:
            host = f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
        except ValueError:
            return None
    number = int(port) if port is not None else _DEFAULT_PORTS.get(scheme)
    return None if number is not None and not 0 < number <= _MAX_PORT else Origin(scheme, host, number)


class OriginPolicy:
    """The operator's list, and the rule for the coordinator's own pages."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """`allowed`: origins, or `*` for every page of every site. Raises ValueError naming an entry that is neither."""
        self._every = False
        self._allowed: set[Origin] = set()
        for entry in allowed:
            origin = parse_origin(entry)
            if entry == EVERY_ORIGIN:
                self._every = True
            elif origin is not None:
                self._allowed.add(origin)
            else:
                raise ValueError(
                    f"{entry!r} is no origin: write https://app.example.com, with :PORT if any but without a path, or *"
                )

    def allows(self, origins: Sequence[str], host_header: str) -> bool:
        """Whether a request with these `Origin` headers (none: not a browser) and that `Host` may come in."""
        if not origins or self._every:
            return True
        if len(origins) > 1:
            return False  # no browser sends two, and a proxy that looks at one might have looked at the other
        origin = parse_origin(origins[0])
        if origin is None:
            return False
        return origin in self._allowed or (origin.scheme in ("http", "https") and origin == origin_at(origin.scheme, host_header))
