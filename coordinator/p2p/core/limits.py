"""Bounds on what strangers may make a coordinator keep. The protocols themselves know few of them."""

from __future__ import annotations

from dataclasses import dataclass

MAX_ID_CHARS = 256
"""Of a room, a member, a conversation. Upstream has no bound; ids made by people and by UUIDs are far shorter."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of each protocol by itself."""

    max_rooms: int = 10_000
    """Rooms, conversations, sessions at once."""
    max_members: int = 20_000
    """Members of all rooms together."""
    max_room_members: int = 256
    """In one room or conversation where the protocol does not say; every join tells all others."""
    max_room_bytes: int = 2 * 1024 * 1024
    """That may be kept for a room, all its members together, where messages wait for somebody. Addresses have a bound beside it, which the
    three protocols share; see :class:`coordinator.core.guests.Guests`."""
