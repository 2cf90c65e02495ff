"""The paths of a listener's peers: where each was heard, and how much may be sent to an address that has not proven itself. Pure.

A forged source address costs its forger one datagram. So that nobody can make us flood a third party, an address is *proven* before
it gets more than a small multiple of what came from it, as RFC 9000 section 8 has it for QUIC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

Address = tuple[Any, ...]
"""What `recvfrom` says: (host, port), or (host, port, flow, scope) over IPv6."""

Path = tuple[int, Address]
"""Which of our sockets, and the peer's address there."""

AMPLIFICATION: Final = 3
"""Times the bytes, and the datagrams, that came by a path that is not proven: so much may go out by it (RFC 9000 section 8.1)."""


@dataclass(eq=False, slots=True)
class Route:
    """A path that is bound to a peer: a valid binding request came by it."""

    peer: IcePeer
    path: Path
    heard: float
    """When anything came by it."""
    proven: bool = False
    """What we sent by it was received there: the peer answered to it with something only it could know."""
    challenged: float = float("-inf")
    """When we asked for that proof last."""
    datagrams_in: int = 0
    bytes_in: int = 0
    datagrams_out: int = 0
    bytes_out: int = 0

    def came(self, size: int) -> None:
        """A datagram came by it; counted as long as it is not proven."""
        self.datagrams_in += 1
        self.bytes_in += size

    def takes(self, size: int) -> bool:
        """Whether a datagram may be sent by it; counted if so."""
        if not self.proven:
            if self.bytes_out + size > AMPLIFICATION * self.bytes_in or self.datagrams_out >= AMPLIFICATION * self.datagrams_in:
                return False
            self.datagrams_out += 1
            self.bytes_out += size
        return True


@dataclass(eq=False, slots=True)
class IcePeer:
    """One peer as ICE sees it."""

    ufrag: str
    """Our fragment for it: the first half of its USERNAME."""
    key: bytes = field(repr=False)
    """Our ICE password for it, which signs its requests and our answers (RFC 8445 section 7.2.2)."""
    number: int
    """Our own, for challenges."""
    heard: float
    """When the last valid request or DTLS record came."""
    remote_ufrag: str | None = None
    """Its own fragment, once its answer has been read; checks may come before."""
    remote_key: bytes = field(default=b"", repr=False)
    """Its ICE password, which signs our requests and its answers."""
    route: Route | None = None
    """By which we send."""
    routes: dict[Path, Route] = field(default_factory=dict)
    """Those that are bound, in the order they were."""
    handshake: Route | None = None
    """The route that all of the DTLS handshake has gone by so far; None where it changed meanwhile."""
    established: bool = False
    """DTLS is up: from now on a path has to prove itself before the peer is followed there."""
    moves: int = 0
    """Times it was followed to another path."""

    @property
    def selected(self) -> Path | None:
        """Where we send."""
        return None if self.route is None else self.route.path
