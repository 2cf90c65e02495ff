"""Peers whose TURN credentials will end get new ones before that, for as long as their sockets live.

So no peer has to ask, or to watch its clock: whoever makes a link was sent an offer, or a CONNECT, by this very socket, and new credentials
before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from coordinator.core.expiry import Expiries
from coordinator.core.ice import IceServers
from protocol.ice import NO_ICE, IceGrant

if TYPE_CHECKING:
    from random import Random

    from coordinator.core.registry import Peer

EARLIEST, LATEST = 0.5, 0.75
"""Shares of their life after which credentials are replaced; at random in between, since after a restart everyone came at once."""


class IceRenewal:
    """Issues the ICE servers of every peer here, and knows who is to get new ones when."""

    def __init__(self, servers: IceServers, rng: Random) -> None:
        self._servers = servers
        self._rng = rng
        self._renewals = Expiries()

    def grant(self, peer: Peer, now: float) -> IceGrant:
        """The servers of a peer that has its alias; none for an old peer, which would not read them."""
        if not peer.part2:
            return NO_ICE
        # The alias says nothing to a TURN server's operator, or to whoever listens on the way, and the coordinator's log knows it.
        grant = self._servers.issue(str(peer.alias), now)
        if grant.lifetime_s is not None:
            self._renewals.add(peer.key, now + grant.lifetime_s * self._rng.uniform(EARLIEST, LATEST))
        return grant

    def due(self, now: float) -> Iterator[int]:
        """The sockets whose credentials are to be replaced now, each once."""
        return self._renewals.due(now)

    def remove(self, key: int) -> None:
        """That socket is gone."""
        self._renewals.remove(key)

    def next_deadline(self) -> float | None:
        """When `due` is worth calling again."""
        return self._renewals.next_deadline()
