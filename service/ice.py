"""Which STUN and TURN servers a new link uses: the application's own, or those the coordinator gave, while their credentials hold. Pure.

The coordinator replaces credentials on a living socket long before they end, and a link cannot be made without that socket: so none that
have ended should ever be found here. If they are - the process stood still, say - they are left out, not tried; the socket is as old
as they are, and the next one brings new ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from protocol.ice import NO_ICE, IceGrant, IceServer

USABLE = 0.9
"""Share of their life for which credentials are used: the rest is for the way to the TURN server, and for its clock."""


class IceChoice:
    """The ICE servers of one peer's links."""

    def __init__(self, own: Sequence[IceServer] | None = None) -> None:
        """`own`: the application's. Even where that is none at all they count, and the coordinator's do not."""
        self._own = None if own is None else tuple(own)
        self._granted = NO_ICE
        self._ends_at = math.inf

    def granted(self, grant: IceGrant, now: float) -> None:
        """The coordinator gave these, in place of all it gave before."""
        self._granted = grant
        self._ends_at = math.inf if grant.lifetime_s is None else now + grant.lifetime_s * USABLE

    def servers(self, now: float) -> tuple[IceServer, ...]:
        """For a link that is made now."""
        if self._own is not None:
            return self._own
        if now < self._ends_at:
            return self._granted.servers
        return tuple(server for server in self._granted.servers if not server.credential)
