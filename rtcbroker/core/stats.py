"""What a client counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final


class Drop:
    """Reasons for which packets are dropped; the keys of :attr:`ClientStats.dropped`."""

    NOT_CONNECTED: Final = "not_connected"
    """Outgoing: published without waiting while there was no connection, or in vain waited for one; or not on its way when it was lost."""
    SEND_BUFFER: Final = "send_buffer"
    """Outgoing: published without waiting while the channel's send buffer was over its mark, or in vain waited for room."""
    TOO_LARGE: Final = "too_large"
    """Outgoing: larger than the server's session description allows, though not than the limits it told."""
    QUEUE: Final = "queue"
    """Incoming: the oldest of a full receive queue."""
    NOT_SUBSCRIBED: Final = "not_subscribed"
    """Incoming: on its way when its topic was unsubscribed."""
    UNDECODABLE: Final = "undecodable"
    """Incoming: a message that is none."""
    CALLBACK: Final = "callback"
    """Incoming: a subscription's callback raised."""


@dataclass(slots=True)
class ClientStats:
    """Counters over the whole life of a client; read them as you like, they only grow."""

    sent: int = 0
    """Packets handed to the link."""
    received: int = 0
    """Packets of subscribed topics that arrived (once, however many subscriptions took them)."""
    bytes_sent: int = 0
    """Bytes of data channel messages sent, of any kind."""
    bytes_received: int = 0
    """Bytes of data channel messages received, of any kind."""
    joins: int = 0
    """Times a comm server was joined."""
    reconnects: int = 0
    """Times a lost connection was made again."""
    moves: int = 0
    """Times the client went to another comm server because its own asked it to, without losing a connection."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Packets dropped, by reason (:class:`Drop`)."""
