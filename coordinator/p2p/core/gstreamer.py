"""GStreamer's simple signalling: peers say HELLO, then are joined two and two in a session, or in a room of many.

A peer is idle until it calls, is called or enters a room, and never becomes idle again but by disconnecting. In a session everything it
says goes to its partner as it is; in a room only the two commands of rooms are understood. What the reference server meets with a crash
(a command without its arguments, binary where no session is, the list of a room's members) is answered here: with an ERROR, or with
what its documents promise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from coordinator.core.expiry import Expiries
from coordinator.core.store import Store
from coordinator.p2p.core.counts import Counts
from coordinator.p2p.core.limits import MAX_ID_CHARS, Limits
from coordinator.p2p.core.outputs import Close, Output, Send

HELLO_S = 10.0
"""For HELLO to come. Clients say it at once, and a socket that says nothing can be called by nobody."""

_NORMAL, _GOING_AWAY, _PROTOCOL_ERROR, _TRY_AGAIN_LATER = 1000, 1001, 1002, 1013
"""Close codes (RFC 6455 section 7.4.1; 1013 is registered with IANA)."""

_RESERVED_ROOM = "session"
"""No room can have this name; the reference server keeps a peer's room and the word `session` in the same place."""


@dataclass(slots=True, eq=False)
class _Room:
    id: str
    members: dict[str, _Peer] = field(default_factory=dict)
    """By uid, in the order in which they came."""


@dataclass(slots=True, eq=False)
class _Peer:
    key: int
    uid: str = ""
    """Empty until HELLO."""
    partner: _Peer | None = None
    room: _Room | None = None

    @property
    def is_idle(self) -> bool:
        return self.partner is None and self.room is None


class GStreamer:
    """All peers, sessions and rooms; see :class:`coordinator.p2p.core.signalling.Signalling`."""

    def __init__(self, limits: Limits) -> None:
        self.counts = Counts()
        self._limits = limits
        self._peers: dict[int, _Peer] = {}
        """Every socket, also before its HELLO."""
        self._named: dict[str, _Peer] = {}
        """Those that have said HELLO, by uid."""
        self._rooms: dict[str, _Room] = {}
        self._sessions = 0
        self._hellos = Expiries()
        self._outputs: list[Output] = []

    # ------------------------------------------------------------------------------------------------- what happens

    def connected(self, key: int, account: Store, now: float) -> None:
        """A socket was let in; nothing it says is ever kept. One too many is closed with 1013: there is no word in the protocol for "full"."""
        if key in self._peers:
            return
        if len(self._peers) >= self._limits.max_members:
            self.counts.errors["too_many_peers"] += 1
            self._outputs.append(Close(key, _TRY_AGAIN_LATER, "too many peers"))
            return
        self._peers[key] = _Peer(key)
        self._hellos.add(key, now + HELLO_S)

    def received(self, key: int, data: str | bytes, now: float) -> None:
        """A frame came."""
        peer = self._peers.get(key)
        if peer is None:
            return
        if not peer.uid:
            self._greeted(peer, data)
        elif peer.partner is not None:
            self._pass_on(peer.partner, data)
        elif peer.room is not None:
            self._said_in_room(peer, peer.room, data)
        else:
            self._said_idle(peer, data)

    def left(self, key: int, now: float) -> None:
        """The socket is gone; whoever it was with hears of it."""
        peer = self._peers.get(key)
        if peer is not None:
            self._forget(peer)

    def tick(self, now: float) -> None:
        """Close those whose HELLO is overdue, as if something else had come in its place."""
        for key in self._hellos.due(now):
            self._refuse(self._peers[key], "hello_timeout", "invalid protocol")

    def next_deadline(self) -> float | None:
        """When the next HELLO may be overdue."""
        return self._hellos.next_deadline()

    def outputs(self) -> list[Output]:
        """What is to be done, in order."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def stop(self, now: float) -> None:
        """Close every socket with 1001."""
        for key in self._peers:
            self._outputs.append(Close(key, _GOING_AWAY, "going away"))
            self._hellos.remove(key)
        self._peers.clear()
        self._named.clear()
        self._rooms.clear()
        self._sessions = 0

    @property
    def rooms(self) -> int:
        """Rooms and sessions."""
        return len(self._rooms) + self._sessions

    @property
    def members(self) -> int:
        """Peers that have said HELLO."""
        return len(self._named)

    # ------------------------------------------------------------------------------------------------- before HELLO

    def _greeted(self, peer: _Peer, data: str | bytes) -> None:
        words = data.split(maxsplit=1) if isinstance(data, str) else []
        if len(words) != 2 or words[0] != "HELLO":
            return self._refuse(peer, "invalid_protocol", "invalid protocol")
        uid = words[1]
        if not _is_word(uid) or uid in self._named:
            return self._refuse(peer, "invalid_peer_uid", "invalid peer uid")
        peer.uid = uid
        self._named[uid] = peer
        self._hellos.remove(peer.key)
        self.counts.joined += 1
        self._send(peer, "HELLO")

    def _refuse(self, peer: _Peer, error: str, reason: str) -> None:
        self.counts.errors[error] += 1
        self._forget(peer)
        self._outputs.append(Close(peer.key, _PROTOCOL_ERROR, reason))

    # --------------------------------------------------------------------------------------------------------- idle

    def _said_idle(self, peer: _Peer, data: str | bytes) -> None:
        """Commands are known by how they begin, as in the reference server; what is no command is ignored."""
        if not isinstance(data, str):
            return self._error(peer, "invalid_message", "invalid msg, binary outside of a session")
        is_call = data.startswith("SESSION")
        if not is_call and not data.startswith("ROOM"):
            return None
        words = data.split(maxsplit=1)
        if len(words) != 2:
            return self._error(peer, "invalid_message", f"invalid msg, {_quoted(words[0])} without what it needs")
        if is_call:
            return self._call(peer, words[1])
        return self._enter(peer, words[1])

    def _call(self, peer: _Peer, uid: str) -> None:
        callee = self._named.get(uid)
        if callee is None:
            return self._error(peer, "peer_not_found", f"peer {_quoted(uid)} not found")
        # Who calls is busy calling: a session with oneself would make a peer that nobody can reach, and no client asks for one.
        if callee is peer or not callee.is_idle:
            return self._error(peer, "peer_busy", f"peer {_quoted(uid)} busy")
        if self.rooms >= self._limits.max_rooms:
            return self._error(peer, "too_many_rooms", "too many sessions")
        peer.partner, callee.partner = callee, peer
        self._sessions += 1
        self._send(peer, "SESSION_OK")

    def _enter(self, peer: _Peer, room_id: str) -> None:
        if room_id == _RESERVED_ROOM or not _is_word(room_id):
            return self._error(peer, "invalid_room_id", f"invalid room id {_quoted(room_id)}")
        room = self._rooms.get(room_id)
        if room is None:
            if self.rooms >= self._limits.max_rooms:
                return self._error(peer, "too_many_rooms", "too many rooms")
            room = self._rooms[room_id] = _Room(room_id)
        if len(room.members) >= self._limits.max_room_members:
            return self._error(peer, "room_full", f"room {_quoted(room_id)} is full")
        # With nobody there a blank is left at the end, and has to be: clients look for it.
        self._send(peer, f"ROOM_OK {' '.join(room.members)}")
        self._tell(room, f"ROOM_PEER_JOINED {peer.uid}")
        room.members[peer.uid] = peer
        peer.room = room

    # ---------------------------------------------------------------------------------------------------- in a room

    def _said_in_room(self, peer: _Peer, room: _Room, data: str | bytes) -> None:
        if isinstance(data, str) and data.startswith("ROOM_PEER_MSG"):
            return self._pass_on_in_room(peer, room, data)
        if data == "ROOM_PEER_LIST":
            others = " ".join(uid for uid in room.members if uid != peer.uid)
            return self._send(peer, f"ROOM_PEER_LIST {others}")
        return self._error(peer, "invalid_message", "invalid msg, already in room")

    def _pass_on_in_room(self, peer: _Peer, room: _Room, data: str) -> None:
        words = data.split(maxsplit=2)
        if len(words) != 3:
            return self._error(peer, "invalid_message", f"invalid msg, {_quoted(words[0])} without what it needs")
        _, uid, message = words
        other = self._named.get(uid)
        if other is None:
            return self._error(peer, "peer_not_found", f"peer {_quoted(uid)} not found")
        if other.room is not room:
            return self._error(peer, "peer_not_in_room", f"peer {_quoted(uid)} is not in the room")
        return self._pass_on(other, f"ROOM_PEER_MSG {peer.uid} {message}")

    # --------------------------------------------------------------------------------------------------------- ends

    def _forget(self, peer: _Peer) -> None:
        """Nothing is left of `peer`, nor of its session or an empty room; those who were with it are told."""
        del self._peers[peer.key]
        self._hellos.remove(peer.key)
        if peer.uid:
            del self._named[peer.uid]
        partner, room = peer.partner, peer.room
        if partner is not None:
            partner.partner = None  # or it would come back here
            self._sessions -= 1
            self._forget(partner)
            self._outputs.append(Close(partner.key, _NORMAL, ""))
        if room is not None:
            del room.members[peer.uid]
            if not room.members:
                del self._rooms[room.id]
            self._tell(room, f"ROOM_PEER_LEFT {peer.uid}")

    # ------------------------------------------------------------------------------------------------------- saying

    def _send(self, peer: _Peer, data: str | bytes) -> None:
        self._outputs.append(Send(peer.key, data))

    def _pass_on(self, peer: _Peer, data: str | bytes) -> None:
        self.counts.messages += 1
        self._send(peer, data)

    def _tell(self, room: _Room, text: str) -> None:
        for member in room.members.values():
            self._send(member, text)

    def _error(self, peer: _Peer, error: str, text: str) -> None:
        self.counts.errors[error] += 1
        self._send(peer, f"ERROR {text}")


def _is_word(text: str) -> bool:
    """Whether it can be an id: no white space anywhere, and of a length that ids have."""
    return len(text) <= MAX_ID_CHARS and text.split() == [text]


def _quoted(text: str) -> str:
    """As Python writes a string. Longer than any id can be it is cut, or an error could be several times what caused it."""
    return repr(text[:MAX_ID_CHARS])
