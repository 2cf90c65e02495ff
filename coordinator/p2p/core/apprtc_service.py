"""AppRTC whole: the room server, which knows who is in, and Collider, which carries what they say, as two halves of one process.

They were made to tell each other by HTTP; here it is a call. So a client that Collider has removed is out of its room too: who crashed
makes place after ten seconds instead of a day, and who never came to Collider after a minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.core.accounts import Account
from coordinator.p2p.core.apprtc import ROOM_CLIENTS, Joined, Result, Rooms
from coordinator.p2p.core.apprtc_newcomers import PATIENCE_S, Newcomers
from coordinator.p2p.core.collider import Collider
from coordinator.p2p.core.counts import Counts
from coordinator.p2p.core.limits import Limits
from coordinator.p2p.core.outputs import Output

if TYPE_CHECKING:
    import random


class AppRtc:
    """Requests of the room server and of Collider, and Collider's sockets; see :class:`coordinator.p2p.core.signalling.Signalling`.

    A client joins the room server before it turns to Collider; one of another room server's is at Collider alone, and counts, too.
    """

    def __init__(self, limits: Limits, rng: random.Random, patience_s: float = PATIENCE_S) -> None:
        """`rng` makes client ids; it must be one that nobody can foresee, since they are what lets a client leave and delete.

        `patience_s`: how long a client may be in a room before it is seen at Collider.
        """
        self.counts = Counts()
        self.room_server = Rooms(limits, rng, self.counts)
        self.collider = Collider(limits, counts=self.counts, knows=self.room_server.knows, removed=self._removed)
        self._newcomers = Newcomers(patience_s)

    # --------------------------------------------------------------------------------------------------- requests

    def join(self, room_id: str, account: Account, now: float, *, loopback: bool = False) -> Joined | Result:
        """Let somebody in from the address that `account` is of, or say why not."""
        self.tick(now)
        joined = self.room_server.join(room_id, account, now, loopback=loopback)
        if isinstance(joined, Joined):
            self._newcomers.joined((room_id, joined.client), now)
        return joined

    def stranger(self, room_id: str, client: str, now: float) -> Result | None:
        """Why a message of that client is not worth reading; None for one that is in that room."""
        self.tick(now)
        return self.room_server.stranger(room_id, client, now)

    def message(self, room_id: str, client: str, body: bytes, account: Account, now: float) -> Result | None:
        """Something said by HTTP: kept for who comes, or passed on to who is there. None: Collider would not take it.

        `account`: of the address it comes from.
        """
        refusal = self.stranger(room_id, client, now)
        if refusal is not None:
            return refusal
        try:
            text = body.decode()
        except UnicodeDecodeError:
            self.counts.errors["message_not_utf8"] += 1
            return Result.ERROR
        self._newcomers.heard((room_id, client), now)
        result = self.room_server.store(room_id, client, text, account, now)
        if result is not None:
            return result
        return Result.SUCCESS if self.post(room_id, client, text, account, now) is None else None

    def leave(self, room_id: str, client: str, now: float) -> Result:
        """Somebody goes. What Collider has of him stays until it is deleted, or his socket has been gone for long enough."""
        self.tick(now)
        self._newcomers.forget((room_id, client))
        return self.room_server.leave(room_id, client, now)

    def bye(self, room_id: str, client: str, now: float) -> None:
        """Somebody is gone, wherever he was: out of Collider, and out of his room."""
        self.delete(room_id, client, now)
        self.room_server.leave(room_id, client, now)

    def post(self, room_id: str, client: str, text: str, account: Account, now: float) -> str | None:
        """Something said to Collider by HTTP, from the address that `account` is of. None, or why not, in the words of its answer."""
        self.tick(now)
        return self.collider.post(room_id, client, text, account, now)

    def has_no_place(self, room_id: str, client: str, account: Account, now: float) -> str | None:
        """The answer to whatever is said to Collider by HTTP for that client, where there is no place for it; None where there is one."""
        self.tick(now)
        return self.collider.has_no_place(room_id, client, account, now)

    def delete(self, room_id: str, client: str, now: float) -> None:
        """Somebody is to be removed from Collider: out of his room too, if he was there. Unknown to Collider, he stays where he is."""
        self.tick(now)
        self.collider.delete(room_id, client, now)

    def is_full(self, room_id: str, now: float) -> bool:
        """Whether a join would be answered FULL."""
        self.tick(now)
        return self.room_server.occupancy(room_id, now) >= ROOM_CLIENTS

    def vouches(self, room_id: str, client: str) -> bool:
        """Whether these two ids are proof enough of having been let in: the client's was drawn for it when it joined.

        It holds beyond leaving the room, for as long as Collider has the client, which is told after the room server.
        """
        return self.room_server.knows(room_id, client) or self.collider.vouches(room_id, client)

    def holds(self, room_id: str, client: str) -> bool:
        """Whether there is anything to remove of that client."""
        return self.room_server.holds(room_id, client) or self.collider.holds(room_id, client)

    # ------------------------------------------------------------------------------------------------------ sockets

    def connected(self, key: int, account: Account, now: float) -> None:
        """A socket was let in."""
        self.collider.connected(key, account, now)

    def received(self, key: int, data: str | bytes, now: float) -> None:
        """A frame came."""
        self.tick(now)
        self.collider.received(key, data, now)

    def left(self, key: int, now: float) -> None:
        """The socket is gone."""
        self.collider.left(key, now)

    def tick(self, now: float) -> None:
        """Time has passed."""
        self.collider.tick(now)
        for room_id, client in self._newcomers.due(now):
            # One whom Collider has it will miss, should he go.
            if self.room_server.holds(room_id, client) and not self.collider.holds(room_id, client):
                self.counts.errors["never_registered"] += 1
                self.room_server.leave(room_id, client, now)
        self.room_server.tick(now)

    def next_deadline(self) -> float | None:
        """When `tick` is due."""
        deadlines = (self.collider.next_deadline(), self._newcomers.next_deadline(), self.room_server.next_deadline())
        return min((at for at in deadlines if at is not None), default=None)

    def outputs(self) -> list[Output]:
        """What is to be done, in order."""
        return self.collider.outputs()

    def stop(self, now: float) -> None:
        """Close every socket, and forget everything."""
        self.collider.stop(now)
        self.room_server.clear()
        self._newcomers.clear()

    @property
    def rooms(self) -> int:
        """Rooms with somebody in them."""
        return self.room_server.rooms + self.collider.beside(self.room_server.holds)[0]

    @property
    def members(self) -> int:
        """Clients in all of them."""
        return self.room_server.members + self.collider.beside(self.room_server.holds)[1]

    def _removed(self, room_id: str, client: str, now: float) -> None:
        """Collider has nothing of that client any more."""
        self.room_server.leave(room_id, client, now)
