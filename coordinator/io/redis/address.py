"""Where Redis is, and how it is reached; never shown with a password."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from coordinator.core.backplane_url import scheme_of, shown
from protocol.errors import ConfigError
from service.tls import client_context

CONNECT_TIMEOUT_S = 2.0
"""For a connection, its TLS and its password."""


@dataclass(frozen=True, slots=True)
class Address:
    """A Redis, and how to speak to it."""

    url: str = field(repr=False)
    """``redis://``, ``rediss://`` (TLS) or ``unix://``, which may hold user and password."""
    password: str | None = field(default=None, repr=False)
    """In place of one in the URL."""
    ca_file: Path | None = None
    """Whom to trust at ``rediss://`` in place of the system's authorities."""

    def check(self) -> None:
        """Raises :class:`ConfigError` for a file that is of no use, or that nothing would use."""
        if self.ca_file is not None and scheme_of(self.url) != "rediss":
            raise ConfigError("--backplane-ca-file: is for a --backplane at rediss://")
        client_context(self.ca_file, option="backplane_ca_file")

    def client(self) -> Redis:
        """A client whose connections are made when they are needed. It has no deadlines of its own, and tries nothing twice."""
        more: dict[str, Any] = {}
        if self.password is not None:
            more["password"] = self.password
        if self.ca_file is not None:
            more["ssl_ca_certs"] = str(self.ca_file)
        return Redis.from_url(
            self.url,
            protocol=2,
            socket_timeout=None,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            **more,
        )

    def __str__(self) -> str:
        return shown(self.url)


def is_untrusted(error: BaseException) -> bool:
    """Whether a connection failed since the other side's certificate is not trusted."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
