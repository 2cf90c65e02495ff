"""What every signalling core looks like from outside, so that one shell drives them all.

Call an event method with `now` (seconds on a clock that never steps back), carry out all outputs, then the next event. No event method
raises, whatever comes in.
"""

from __future__ import annotations

from typing import Protocol

from coordinator.core.accounts import Account
from coordinator.p2p.core.counts import Counts
from coordinator.p2p.core.outputs import Output


class Signalling(Protocol):
    """Sockets that are connected, say something, and leave."""

    counts: Counts

    def connected(self, key: int, account: Account, now: float) -> None:
        """A socket was let in; `key` tells it from all others, for ever. What it says and is kept is taken of its address's `account`."""

    def received(self, key: int, data: str | bytes, now: float) -> None:
        """A frame came: text or binary."""

    def left(self, key: int, now: float) -> None:
        """The socket is gone. Does nothing for one that the core has closed itself."""

    def tick(self, now: float) -> None:
        """Time has passed. Call it at `next_deadline`, or at any other time."""

    def next_deadline(self) -> float | None:
        """When `tick` is due, or None when nothing is waited for."""

    def outputs(self) -> list[Output]:
        """What is to be done, in order; asking again gives only what has come since."""

    def stop(self, now: float) -> None:
        """Close every socket."""

    @property
    def rooms(self) -> int:
        """Rooms, conversations, sessions there are."""

    @property
    def members(self) -> int:
        """Members of all of them."""
