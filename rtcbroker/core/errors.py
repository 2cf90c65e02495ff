"""What the client raises, all below the project's one error tree (:mod:`protocol.errors`).

::

    RtcBrokerError
    ├── ConnectionClosed              has .code, .reason and .retry
    │   ├── ConnectError              connect() did not get a connection
    │   │   └── AuthError             ... because the token was refused
    │   ├── TokenUnavailable          the token function failed; it is asked again (reported, see Client.on_error)
    │   └── ClientClosed              the client has come to its end; nothing more can be asked of it
    ├── NotConnected                  there was no connection, and none came in time
    ├── RequestTimeout                connected, but the answer or the room did not come in time
    ├── SubscriptionRefused           topics that the server does not let this token subscribe to
    └── RequestRefused                one packet or request was refused (reported, see Client.on_error)
"""

from __future__ import annotations

from collections.abc import Mapping

from protocol.codes import Code, Retry, describe, reason_of
from protocol.errors import ConnectionClosed, RtcBrokerError


class ConnectError(ConnectionClosed):
    """The client could not connect; `code` and `reason` say why the last try failed."""


class AuthError(ConnectError):
    """The token was refused, and a fresh one, where there was a way to get one, was refused too."""


class TokenUnavailable(ConnectionClosed):
    """The application's token function failed, `why` says how. It is asked again, as a coordinator that is away is dialed again."""

    def __init__(self, why: str) -> None:
        super().__init__(Code.TOKEN_UNAVAILABLE, f"the token function failed: {why}")


_NORMAL_CLOSURE = 1000
"""RFC 6455 section 7.4.1: what a connection ends with that did what it was for."""


class ClientClosed(ConnectionClosed):
    """The client is closed: by :meth:`Client.close` (code 1000), or because it was told not to come back (:attr:`code`)."""

    def __init__(self, code: int = _NORMAL_CLOSURE, reason: str = "closed by the application") -> None:
        super().__init__(code, reason)

    @property
    def retry(self) -> Retry:
        """What to do next: nothing, where it was the application's own wish."""
        return Retry.NEVER if self.code == _NORMAL_CLOSURE else super().retry

    def __str__(self) -> str:
        return f"{self.code} {self.reason} ({self.retry.value})" if self.code == _NORMAL_CLOSURE else super().__str__()


class NotConnected(RtcBrokerError):
    """There was no connection for `what`, and none came within `seconds`."""

    def __init__(self, what: str, seconds: float = 0.0) -> None:
        super().__init__(what, seconds)
        self.what = what
        self.seconds = seconds

    def __str__(self) -> str:
        waited = f" within {self.seconds:g} s" if self.seconds else ""
        return f"{self.what}: not connected{waited}"


class RequestTimeout(RtcBrokerError, TimeoutError):
    """Connected, but `what` did not come about within `seconds`."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(what, seconds)
        self.what = what
        self.seconds = seconds

    def __str__(self) -> str:
        return f"{self.what}: not done within {self.seconds:g} s"


class SubscriptionRefused(RtcBrokerError):
    """The server refused these topics; the others of the same request, if any, are in force where the caller kept them."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        super().__init__(dict(topics))
        self.topics = dict(topics)
        """Code (:mod:`protocol.codes`) of each refused topic."""

    def __str__(self) -> str:
        return "subscription refused: " + ", ".join(f"{topic!r}: {describe(code)}" for topic, code in self.topics.items())


class RequestRefused(RtcBrokerError):
    """The server refused one packet or request (ERROR); the connection lives on."""

    def __init__(self, code: int, reason: str, topic: str = "") -> None:
        super().__init__(code, reason, topic)
        self.code = code
        self.reason = reason or reason_of(code)
        self.topic = topic
        """What it was about, or empty."""

    def __str__(self) -> str:
        about = f"topic {self.topic!r}: " if self.topic else ""
        return about + describe(self.code, self.reason)
