"""AppRTC's room server: rooms for two, and what the first one says before the second is there.

A room is its name, by whatever host or port it is asked for. The reference server has a room of that name for each origin; but its Collider,
which carries what is said, knows rooms by name alone, so callers of two origins meet in one half of that system and not in the other.
Who is initiator follows from who is there, so it is not stored: whoever enters an empty room.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from coordinator.core.accounts import Account, Places
from coordinator.core.expiry import Expiries
from coordinator.core.store import Kept, Store, keep
from coordinator.p2p.core.counts import Counts
from coordinator.p2p.core.limits import Limits

if TYPE_CHECKING:
    import random

ROOM_CLIENTS = 2
ROOM_LIFETIME_S = 86_400.0
"""After the last change of a room: a join, a leave, a message that was stored."""

MAX_STORED_MESSAGES = 1_024
"""Of one client. The reference server has no bound here; its Collider has this one."""

LOOPBACK_CLIENT_ID = "LOOPBACK_CLIENT_ID"
"""The second occupant of a room in which somebody calls himself, to try things out. Not secret, unlike ids that were drawn."""

_CLIENT_ID_DIGITS = 8
_DRAWS = 10
"""For a client id that is not taken. Ten times in a row happens with a broken source of randomness only."""


class Result(StrEnum):
    """How a request was met. All of them travel in HTTP 200."""

    SUCCESS = "SUCCESS"
    FULL = "FULL"
    UNKNOWN_ROOM = "UNKNOWN_ROOM"
    UNKNOWN_CLIENT = "UNKNOWN_CLIENT"
    DUPLICATE_CLIENT = "DUPLICATE_CLIENT"
    ERROR = "ERROR"
    """The message is no text, or the server can keep no more: neither a room, nor a client, nor a message."""
    INVALID_REQUEST = "INVALID_REQUEST"


@dataclass(frozen=True, slots=True)
class Joined:
    """Who has come in, and what he needs to know."""

    client: str
    """Drawn at random: whoever knows it, with the room, has been let in or was told by who was."""
    is_initiator: bool
    """Alone, so the one who sends the offer."""
    messages: tuple[str, ...]
    """What the other one has said so far, in order."""


@dataclass(slots=True, eq=False)
class _Client:
    places: Places
    """Of the address that has joined, of which this is one."""
    stored: list[Kept] = field(default_factory=list)
    """What it has said and nobody has heard."""

    def drop(self) -> None:
        """Nothing that it has said waits any longer."""
        for kept in self.stored:
            kept.drop()
        self.stored.clear()


@dataclass(slots=True, eq=False)
class _Room:
    id: str
    serial: int
    """In the heap of deadlines."""
    expires_at: float
    store: Store
    clients: dict[str, _Client] = field(default_factory=dict)
    """Stored messages by client. Only who is alone stores any: they are gone when somebody joins him, or with the room when he leaves."""


class Rooms:
    """All rooms."""

    def __init__(self, limits: Limits, rng: random.Random, counts: Counts | None = None) -> None:
        """`rng`: of client ids, so one that nobody can foresee. `counts`: where to count, for one who shares them."""
        self.counts = Counts() if counts is None else counts
        self._limits = limits
        self._rng = rng
        self._rooms: dict[str, _Room] = {}
        self._by_serial: dict[int, _Room] = {}
        self._members = 0
        self._serials = itertools.count(1)
        self._expiries = Expiries()

    # --------------------------------------------------------------------------------------------------- requests

    def join(self, room_id: str, account: Account, now: float, *, loopback: bool = False) -> Joined | Result:
        """Let somebody in, or FULL. Where the whole server is full, or has no place for more from that address, it is ERROR, which
        clients know for a store that failed.

        `account`: of the address it comes from, whose place it is until it is left. `loopback` puts a second occupant beside who comes first.
        """
        self.tick(now)
        room = self._rooms.get(room_id)
        occupancy = 0 if room is None else len(room.clients)
        if occupancy >= ROOM_CLIENTS:
            return self._refused("room_full", Result.FULL)
        newcomers = 2 if loopback and occupancy == 0 else 1
        has_space = room is not None or len(self._rooms) < self._limits.max_rooms
        if not has_space or self._members + newcomers > self._limits.max_members:
            return self._refused("server_full", Result.ERROR)
        if not account.places.fits(newcomers):
            return self._refused("address_full", Result.ERROR)
        client = self._draw(room)
        if client is None:
            return self._refused("duplicate_client", Result.DUPLICATE_CLIENT)
        if room is None:
            room = self._open(room_id, now)
        messages = tuple(kept.text for other in room.clients.values() for kept in other.stored)
        for other in room.clients.values():
            other.drop()
        self._add(room, client, account.places)
        if newcomers == 2:
            self._add(room, LOOPBACK_CLIENT_ID, account.places)
        room.expires_at = now + ROOM_LIFETIME_S
        self.counts.joined += 1
        return Joined(client, occupancy == 0, messages)

    def stranger(self, room_id: str, client: str, now: float) -> Result | None:
        """Why that client may say nothing in that room, whatever it is; None for one that is in it."""
        self.tick(now)
        room = self._rooms.get(room_id)
        if room is None:
            return self._refused("unknown_room", Result.UNKNOWN_ROOM)
        return None if client in room.clients else self._refused("unknown_client", Result.UNKNOWN_CLIENT)

    def store(self, room_id: str, client: str, text: str, account: Store, now: float) -> Result | None:
        """Keep a message of who is alone in his room, for who comes next. None: somebody is there already, it is for him now.

        `account`: of the address it comes from; see :func:`coordinator.core.store.keep`.
        """
        refusal = self.stranger(room_id, client, now)
        if refusal is not None:
            return refusal
        room = self._rooms[room_id]
        if len(room.clients) > 1:
            return None
        stored = room.clients[client].stored
        kept = keep(text, room.store, account) if len(stored) < MAX_STORED_MESSAGES else None
        if kept is None:
            return self._refused("store_full", Result.ERROR)
        stored.append(kept)
        room.expires_at = now + ROOM_LIFETIME_S
        self.counts.messages += 1
        return Result.SUCCESS

    def leave(self, room_id: str, client: str, now: float) -> Result:
        """Let somebody go. Who stays keeps what he has stored; a room without anybody is gone, and so is one with the loopback alone."""
        self.tick(now)
        room = self._rooms.get(room_id)
        if room is None:
            return Result.UNKNOWN_ROOM
        if client not in room.clients:
            return Result.UNKNOWN_CLIENT
        self._leave(room, client, now)
        return Result.SUCCESS

    def occupancy(self, room_id: str, now: float) -> int:
        """How many are in a room: 0 for one that there is not, at most :data:`ROOM_CLIENTS`."""
        self.tick(now)
        room = self._rooms.get(room_id)
        return 0 if room is None else len(room.clients)

    def stored_bytes(self, room_id: str) -> int:
        """What waits in a room for who comes next."""
        room = self._rooms.get(room_id)
        return 0 if room is None else room.store.bytes

    def holds(self, room_id: str, client: str) -> bool:
        """Whether that client is in that room."""
        room = self._rooms.get(room_id)
        return room is not None and client in room.clients

    def knows(self, room_id: str, client: str) -> bool:
        """The same, for a client that has joined: its id was drawn for it, so who names it was told it. The loopback's is public."""
        return client != LOOPBACK_CLIENT_ID and self.holds(room_id, client)

    # ------------------------------------------------------------------------------------------------------- time

    def tick(self, now: float) -> None:
        """Forget rooms whose time is over."""
        for serial in self._expiries.due(now):
            room = self._by_serial[serial]
            if room.expires_at > now:  # it changed since, which is not worth a new entry in the heap each time
                self._expiries.add(serial, room.expires_at)
                continue
            for client in tuple(room.clients):
                self._remove(room, client)
            self._close(room)

    def next_deadline(self) -> float | None:
        """When the next room may be forgotten."""
        return self._expiries.next_deadline()

    def clear(self) -> None:
        """Forget everything."""
        for room in self._by_serial.values():
            self._expiries.remove(room.serial)
            for client in tuple(room.clients):
                self._remove(room, client)
        self._rooms.clear()
        self._by_serial.clear()

    @property
    def rooms(self) -> int:
        """Rooms with somebody in them."""
        return len(self._rooms)

    @property
    def members(self) -> int:
        """Clients in all of them, loopbacks among them."""
        return self._members

    # -------------------------------------------------------------------------------------------------- rooms, clients

    def _draw(self, room: _Room | None) -> str | None:
        """A client id that nobody has in that room."""
        for _ in range(_DRAWS):
            client = f"{self._rng.randrange(10**_CLIENT_ID_DIGITS):0{_CLIENT_ID_DIGITS}}"
            if room is None or client not in room.clients:
                return client
        return None

    def _open(self, room_id: str, now: float) -> _Room:
        store = Store(self._limits.max_room_bytes)
        room = _Room(room_id, next(self._serials), now + ROOM_LIFETIME_S, store)
        self._rooms[room_id] = self._by_serial[room.serial] = room
        self._expiries.add(room.serial, room.expires_at)
        return room

    def _close(self, room: _Room) -> None:
        del self._rooms[room.id], self._by_serial[room.serial]
        self._expiries.remove(room.serial)

    def _add(self, room: _Room, client: str, places: Places) -> None:
        room.clients[client] = _Client(places)
        places.take()
        self._members += 1

    def _remove(self, room: _Room, client: str) -> None:
        removed = room.clients.pop(client)
        removed.drop()
        removed.places.give_back()
        self._members -= 1

    def _leave(self, room: _Room, client: str, now: float) -> None:
        self._remove(room, client)
        if LOOPBACK_CLIENT_ID in room.clients:
            self._remove(room, LOOPBACK_CLIENT_ID)
        if room.clients:
            room.expires_at = now + ROOM_LIFETIME_S
        else:
            self._close(room)

    def _refused(self, error: str, result: Result) -> Result:
        self.counts.errors[error] += 1
        return result
