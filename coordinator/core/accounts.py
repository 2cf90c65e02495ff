"""What an address has been given here, to be taken back: bytes of what it has said, and places in rooms that it holds without a socket.

A place is not bounded by the sockets of an address where none is needed for it: AppRTC's are taken by HTTP, and outlive a lost socket.
"""

from __future__ import annotations

import math

from coordinator.core.store import Store


class Places:
    """A number of places, with a bound."""

    __slots__ = ("_most", "taken")

    def __init__(self, most: float = math.inf) -> None:
        self._most = most
        self.taken = 0

    def fits(self, count: int = 1) -> bool:
        """Whether there are so many more."""
        return self.taken + count <= self._most

    def take(self) -> None:
        """One is taken, whether it fits or not."""
        self.taken += 1

    def give_back(self) -> None:
        """One is free again."""
        self.taken -= 1


class Account(Store):
    """Bytes of what an address has said and is kept, and its places."""

    __slots__ = ("clients", "places")

    def __init__(self, max_bytes: int, whole: Store | None = None, *, fair: bool = False, max_places: float = math.inf) -> None:
        """`max_places`: in rooms of AppRTC's room server; and as many at its Collider, where who has joined is once more."""
        super().__init__(max_bytes, whole, fair=fair)
        self.places = Places(max_places)
        """At the room server."""
        self.clients = Places(max_places)
        """At Collider."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be taken back."""
        return not (self.bytes or self.places.taken or self.clients.taken)
