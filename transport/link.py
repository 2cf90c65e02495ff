"""What a WebRTC link is to everyone else: two channels, bytes in and out, an end with a reason.

A link carries the two data channels of the wire (WIRE.md, "Signalling flow" 3): ``reliable`` (ordered, reliable) and
``unreliable`` (unordered, maxRetransmits 0). Whoever holds a link gives it a :class:`LinkHandler`; the link calls it from
the event loop, never from inside :meth:`Link.send`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple, Protocol

RELIABLE_LABEL = "reliable"
UNRELIABLE_LABEL = "unreliable"


class LinkEnd(enum.Enum):
    """Why a link ended, as far as the transport knows."""

    LOCAL = "local"
    """This side called :meth:`Link.close`."""
    REMOTE = "remote"
    """The other side shut DTLS or SCTP down, or closed a channel."""
    SILENT = "silent"
    """Nothing valid was heard within the deadline (ICE consent, RFC 7675, seen from the answering side)."""
    FAILED = "failed"
    """ICE, DTLS or SCTP never came up, or broke."""
    TIMEOUT = "timeout"
    """The channels were not open within the set-up deadline."""


class Expiry(NamedTuple):
    """How long a message on the unreliable channel is worth sending."""

    lifetime: float
    """Seconds from :meth:`Link.send` on. What has not left by then is dropped; a message in several packets also half sent."""
    dropped: Callable[[], None]
    """Called when that happens, at any time, also within a call of the link's: it may count, and no more. Not at the link's end."""


class Link(Protocol):
    """One WebRTC connection with both channels."""

    @property
    def is_open(self) -> bool:
        """Both channels are open and the link has not ended."""
        ...

    @property
    def trouble(self) -> str:
        """What STUN and TURN servers did not do for this link, for people to read; empty where all is well or none was asked."""
        ...

    def send(self, data: bytes, *, reliable: bool, expiry: Expiry | None = None) -> None:
        """Send one binary message. Sending on a link that is not open does nothing (its end is reported by event).

        `expiry` is for the unreliable channel; a reliable message is never dropped.
        Raises :class:`protocol.errors.MessageTooLarge` when the peer's SDP said it takes less (``a=max-message-size``, RFC 8841 section 6).
        """
        ...

    def buffered_amount(self, *, reliable: bool) -> int:
        """Bytes given to :meth:`send` on that channel and not yet handed to the network (W3C ``bufferedAmount``)."""
        ...

    def close(self) -> None:
        """End the link now; tells the peer (SCTP ABORT, DTLS close_notify). Idempotent; ``on_closed`` follows on the next loop turn."""
        ...


class LinkHandler(Protocol):
    """Who owns a link. Calls come from the event loop, in this order: open, any messages and lows, closed (exactly once, last)."""

    def on_open(self, link: Link) -> None:
        """Both channels are open."""
        ...

    def on_message(self, link: Link, data: bytes, reliable: bool) -> None:
        """A message arrived. Text messages arrive as their UTF-8 bytes."""
        ...

    def on_buffered_low(self, link: Link, reliable: bool) -> None:
        """``buffered_amount`` of that channel has fallen to the low mark after being above it."""
        ...

    def on_closed(self, link: Link, end: LinkEnd) -> None:
        """The link has ended; nothing follows."""
        ...
