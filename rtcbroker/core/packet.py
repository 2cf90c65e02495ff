"""What an application receives."""

from __future__ import annotations

from typing import NamedTuple

from protocol.tokens import TokenRole


class Packet(NamedTuple):
    """One packet of a topic. A tuple, because tens of thousands a second are made where a load test receives them."""

    topic: str
    """Empty where an old server, which does not say it, sent the packet while several topics were subscribed."""
    sender: int
    """Alias of the client that published it, as the server knows it."""
    body: bytes
    identity: str | None = None
    """The sender's verified identity (its token's subject), if it published with ``identity=True``."""
    role: TokenRole | None = None
    """The sender's verified role, where `identity` is given."""
    reliable: bool = True
    """The kind of channel it came by, which is the kind it was sent by."""
