"""Which deeds of those who look after the cluster get a line in the log, so that no busy backend washes everything else out of it.

What is left out is counted, and the next line of its kind says how many there were. That bounds what goes to the other coordinators, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from coordinator.core.cluster import Deed
from protocol.text import cut
from service.bucket import TokenBucket

MAX_DEED_BYTES = 240
"""Of each of its texts: topics and subjects are strangers' words."""


@dataclass(slots=True)
class _Kind:
    bucket: TokenBucket
    untold: int = 0


class Deeds:
    """Told in full where an operator does them; of packets that a backend publishes one every ten seconds."""

    def __init__(self) -> None:
        self._kinds = {"asked": _Kind(TokenBucket(2.0, 20, 0.0)), "published": _Kind(TokenBucket(0.1, 3, 0.0))}

    def asked(self, deed: Deed, now: float) -> Deed | None:
        """A deed of an operator's; None where there were too many."""
        return self._told("asked", deed, now)

    def published(self, deed: Deed, now: float) -> Deed | None:
        """A packet of a backend's; None mostly."""
        return self._told("published", deed, now)

    def _told(self, name: str, deed: Deed, now: float) -> Deed | None:
        kind = self._kinds[name]
        if not kind.bucket.take(now):
            kind.untold += 1
            return None
        more = f" (and {kind.untold} more before)" if kind.untold else ""
        kind.untold = 0
        return replace(shortened(deed), what=cut(deed.what, MAX_DEED_BYTES) + more)


def shortened(deed: Deed) -> Deed:
    """With texts that fit into a line."""
    return replace(deed, by=cut(deed.by, MAX_DEED_BYTES), what=cut(deed.what, MAX_DEED_BYTES))
