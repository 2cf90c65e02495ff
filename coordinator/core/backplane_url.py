"""Where the coordinators of a cluster meet: `memory` for one alone, or the URL of a Redis; never shown with its password."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

MEMORY = "memory"
SCHEMES = ("redis", "rediss", "unix")


def check_backplane_url(url: str) -> str:
    """`url` as it is. Raises ValueError, which does not show it."""
    if url == MEMORY:
        return url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is no URL: its port or its host cannot be read") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"must be 'memory', or begin with one of {', '.join(scheme + '://' for scheme in SCHEMES)}")
    if parts.scheme == "unix":
        if not parts.path or parts.hostname:
            raise ValueError("unix:// is followed by the path of a socket: unix:///run/redis/redis-server.sock")
    elif not parts.hostname or port == 0:
        raise ValueError(f"{parts.scheme}:// is followed by a host: {parts.scheme}://localhost:6379")
    elif parts.path.strip("/") and not parts.path.strip("/").isdigit():
        raise ValueError("behind host and port comes the number of a database, if anything: redis://localhost:6379/0")
    if any(name != "db" or not value.isdigit() for name, value in parse_qsl(parts.query, keep_blank_values=True)):
        raise ValueError("the only parameter is the number of a database: ?db=0")
    return url


def scheme_of(url: str) -> str:
    """``redis``, ``rediss`` or ``unix``; empty for memory."""
    return urlsplit(url).scheme


def shown(url: str) -> str:
    """For logs and people: without user and password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or 6379}"
