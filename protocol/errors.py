"""The one error tree.

::

    RtcBrokerError
    ├── ProtocolError              the peer's fault: carries the code it is told
    │   ├── DecodeError            bytes that are no message, or not this message
    │   ├── MessageTooLarge
    │   ├── TopicError             a topic that breaks the grammar
    │   ├── SdpError               a session description that does not parse
    │   └── CandidateError         an ICE candidate that does not parse
    ├── TokenError                 a token that was refused, and why
    ├── ConfigError                our operator's fault: names the option
    └── ConnectionClosed           a connection ended: code, reason, retry verdict
"""

from __future__ import annotations

from protocol.codes import Code, Retry, describe, reason_of, retry_verdict


class RtcBrokerError(Exception):
    """Everything this project raises on purpose."""


class ProtocolError(RtcBrokerError):
    """The peer sent something it should not have; only that peer is told, with :attr:`code`."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.detail} [{int(self.code)}]"


class DecodeError(ProtocolError):
    """Bytes that are not the message they should be."""

    def __init__(self, what: str) -> None:
        super().__init__(Code.BAD_MESSAGE, what)


class MessageTooLarge(ProtocolError):
    """A message over its limit; both in bytes."""

    def __init__(self, size: int, limit: int, what: str = "message") -> None:
        super().__init__(Code.MESSAGE_TOO_LARGE, f"{what} of {size} bytes, at most {limit} are allowed")
        self.size = size
        self.limit = limit


class TopicError(ProtocolError):
    """A topic, or a pattern, outside the grammar of :mod:`protocol.topics`."""

    def __init__(self, topic: str, why: str) -> None:
        super().__init__(Code.BAD_TOPIC, f"topic {topic[:80]!r}: {why}")
        self.topic = topic
        self.why = why


class SdpError(ProtocolError):
    """A session description (RFC 8866) that cannot be used; `what` names the line or what is missing."""

    def __init__(self, what: str) -> None:
        super().__init__(Code.BAD_SDP, what)


class CandidateError(ProtocolError):
    """An ICE candidate (RFC 8839 section 5.1) that cannot be used."""

    def __init__(self, what: str) -> None:
        super().__init__(Code.BAD_CANDIDATE, what)


class TokenError(RtcBrokerError):
    """A token was refused. :attr:`detail` may be shown to its bearer: it never holds any part of the token."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.detail} [{int(self.code)}]"


class ConfigError(RtcBrokerError):
    """A setting is wrong; names the option and what it should be."""


class ConnectionClosed(RtcBrokerError):
    """A connection ended with `code` (:mod:`protocol.codes`, or a plain WebSocket code); without a `reason`, that of the code."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason or reason_of(code)

    @property
    def retry(self) -> Retry:
        """What to do next."""
        return retry_verdict(self.code)

    def __str__(self) -> str:
        return describe(self.code, self.reason)
