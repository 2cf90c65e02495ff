"""What all links of a listener or of a dialer have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.ice import IceTransportPolicy
from protocol.limits import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from transport.fastpath.dtls import SharedCertificate

DEFAULT_LOW_MARK = 64 * 1024
"""Bytes. About what a link sends in one round trip of 50 ms at 10 Mbit/s, so that the network never waits for the application."""

MAX_BUFFERED = 16 * 1024 * 1024
"""Bytes; what Chromium holds for a channel too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """Options of :class:`~transport.listener.Listener` and :class:`~transport.dialer.Dialer`."""

    fast: bool = True
    """Drive DTLS and SCTP synchronously; False leaves them to aiortc's queues and tasks."""
    setup_timeout: float = 15.0
    """Seconds from the offer until both channels are open; then the link ends with TIMEOUT."""
    silence: float = 30.0
    """Seconds without a valid binding request, response or DTLS packet; then the link ends with SILENT (RFC 7675 section 5.1)."""
    low_mark: int = DEFAULT_LOW_MARK
    """Bytes of ``buffered_amount`` at which ``on_buffered_low`` comes (W3C ``bufferedAmountLowThreshold``)."""
    max_message: int = MAX_MESSAGE_BYTES
    """Bytes of one message we take, and announce as ``a=max-message-size``; a longer one ends the link."""
    max_buffered: int = MAX_BUFFERED
    """Bytes a channel may hold unsent. The last resort, far above any flow control: a send past it ends the link with FAILED."""
    ice_transport_policy: IceTransportPolicy = "all"
    """``"relay"``: a dialer uses TURN servers and no other way. A listener's peers know its address anyway."""
    certificate: SharedCertificate | None = None
    """None: the one of this process."""
