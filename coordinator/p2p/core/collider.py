"""Collider, AppRTC's WebSocket server: passes messages between the two clients of a room, and keeps those whose receiver is not there yet.

A client is there from its first message or registration until somebody deletes it or it has had no socket for ten seconds: so one that
reconnects in time finds its peer, and what it missed. A message waits with its sender, until another client of the room has a socket.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from coordinator.core.accounts import Account, Places
from coordinator.core.expiry import Expiries
from coordinator.core.store import Kept, Store, keep
from coordinator.p2p.core.collider_frames import Command, MalformedCommand, decode_command, error_frame, message_frame
from coordinator.p2p.core.counts import Counts
from coordinator.p2p.core.limits import MAX_ID_CHARS, Limits
from coordinator.p2p.core.outputs import Close, Output, Send

ROOM_CLIENTS = 2
MAX_QUEUED_MESSAGES = 1_024
"""Of one client."""

ABSENCE_S = 10.0
"""Without a socket, until a client is removed."""

UNREGISTERED_S = 86_400.0
"""For a socket to register: web clients open it while a person still looks for the camera. A registered one may be silent for ever."""

EMPTY_BODY = "Empty request body"
ROOM_FULL = "Max room capacity reached"
QUEUE_FULL = "Too many messages queued for the client"
_UNREADABLE = "websocket.JSON.Receive error: "

_NORMAL, _GOING_AWAY = 1000, 1001
"""Close codes (RFC 6455 section 7.4.1)."""


@dataclass(slots=True, eq=False)
class _Client:
    room: _Room
    id: str
    is_vouched_for: bool
    places: Places
    """Of the address that it came from first, of which it has one."""
    key: int | None = None
    """Of its socket."""
    absence: int = 0
    """Number of the timer that runs while it has none."""
    queue: list[Kept] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Room:
    id: str
    store: Store
    clients: dict[str, _Client] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Socket:
    account: Account
    """Of its address."""
    client: _Client | None = None
    """None until it has registered."""


class _Refused(Exception):
    """With the words for the client, and a name to count it by."""

    def __init__(self, text: str, error: str) -> None:
        super().__init__(text)
        self.text = text
        self.error = error


class Collider:
    """All its rooms and sockets; see :class:`coordinator.p2p.core.signalling.Signalling`.

    `counts.joined` stays 0 here: members join at the room server. Registrations are in `registrations`.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        counts: Counts | None = None,
        knows: Callable[[str, str], bool] | None = None,
        removed: Callable[[str, str, float], None] | None = None,
    ) -> None:
        """`knows` tells whether a room and client id are a secret shared with somebody who was let in; `removed` hears of each
        client that is gone, with its room, its id and the time. `counts`: where to count, for one who shares them.
        """
        self.counts = Counts() if counts is None else counts
        self.registrations = 0
        self.ws_errors = 0
        self.http_errors = 0
        self._limits = limits
        self._knows = knows or (lambda room_id, client_id: False)
        self._removed = removed or (lambda room_id, client_id, now: None)
        self._sockets: dict[int, _Socket] = {}
        """By key."""
        self._unregistered = Expiries()
        self._rooms: dict[str, _Room] = {}
        self._members = 0
        self._absent: dict[int, _Client] = {}
        """By the number of their timer."""
        self._absences = Expiries()
        self._numbers = itertools.count(1)
        self._outputs: list[Output] = []

    # ------------------------------------------------------------------------------------------------ what happens

    def connected(self, key: int, account: Account, now: float) -> None:
        """A socket was let in. Where there are as many as there may be clients it is told, in the nearest words there are, and closed."""
        if key in self._sockets:
            return
        if len(self._sockets) >= self._limits.max_members:
            self._tell_last(key, ROOM_FULL, "too_many_sockets")
            return
        self._sockets[key] = _Socket(account)
        self._unregistered.add(key, now + UNREGISTERED_S)

    def received(self, key: int, data: str | bytes, now: float) -> None:
        """A frame came: one JSON object, as text or as bytes. What is wrong is answered; most of it ends the socket too."""
        self.tick(now)
        if key not in self._sockets:
            return
        try:
            command = decode_command(data)
            match command.cmd:
                case "register":
                    self._register(key, command, now)
                case "send":
                    self._send(key, command, now)
                case _:
                    self._tell_error(key, "Invalid message: unexpected 'cmd'", "unexpected_cmd")
        except MalformedCommand as error:
            self._tell_last(key, f"{_UNREADABLE}{error}", "malformed")
            self._forget_socket(key, now)
        except _Refused as refusal:
            self._tell_last(key, refusal.text, refusal.error)
            self._forget_socket(key, now)

    def left(self, key: int, now: float) -> None:
        """The socket is gone; its client has :data:`ABSENCE_S` to come back."""
        if key in self._sockets:
            self._forget_socket(key, now)

    def post(self, room_id: str, client_id: str, text: str, account: Account, now: float) -> str | None:
        """A message by HTTP, on behalf of a client that need not be here yet. None when it is passed on or kept, otherwise why not.

        `account`: of the address it comes from; see :func:`coordinator.core.store.keep`.
        """
        self.tick(now)
        if not text:
            return self.refuse_request(EMPTY_BODY, "empty_body")
        try:
            self._pass_on(self._client(room_id, client_id, account, now), text, account)
        except _Refused as refusal:
            return self._not_sent(refusal)
        return None

    def has_no_place(self, room_id: str, client_id: str, account: Account, now: float) -> str | None:
        """Why whatever is posted for that client is refused, because there can be no such client; None where there can."""
        self.tick(now)
        try:
            self._check_place(room_id, client_id, account.clients)
        except _Refused as refusal:
            return self._not_sent(refusal)
        return None

    def refuse_request(self, text: str, error: str) -> str:
        """Count a request that is answered by HTTP 500 and `text`."""
        self.http_errors += 1
        self.counts.errors[error] += 1
        return text

    def delete(self, room_id: str, client_id: str, now: float) -> None:
        """Remove a client with its queue, and close its socket. Its peer is told nothing. Nothing happens to one that is not here."""
        self.tick(now)
        client = self._find(room_id, client_id)
        if client is None:
            return
        if client.key is not None:
            self._outputs.append(Close(client.key, _NORMAL, ""))
            del self._sockets[client.key]
        self._remove(client, now)

    def tick(self, now: float) -> None:
        """Remove clients that did not come back, and sockets that never registered."""
        for number in self._absences.due(now):
            self._remove(self._absent[number], now)
        for key in self._unregistered.due(now):
            self._tell_last(key, f"{_UNREADABLE}i/o timeout", "idle_socket")
            del self._sockets[key]

    def next_deadline(self) -> float | None:
        """When `tick` is due."""
        deadlines = (self._absences.next_deadline(), self._unregistered.next_deadline())
        return min((at for at in deadlines if at is not None), default=None)

    def outputs(self) -> list[Output]:
        """What is to be done, in order."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def stop(self, now: float) -> None:
        """Close every socket with 1001 and forget everything. Nobody is told of clients that are removed by it."""
        for key in self._sockets:
            self._outputs.append(Close(key, _GOING_AWAY, "going away"))
            self._unregistered.remove(key)
        for number in self._absent:
            self._absences.remove(number)
        for room in self._rooms.values():
            for client in room.clients.values():
                _drop_queue(client)
                client.places.give_back()
        self._sockets.clear()
        self._absent.clear()
        self._rooms.clear()
        self._members = 0

    @property
    def rooms(self) -> int:
        """Rooms with at least one client, registered or not."""
        return len(self._rooms)

    @property
    def members(self) -> int:
        """Clients of all rooms, registered or not."""
        return self._members

    @property
    def registered(self) -> int:
        """Clients that have a socket now."""
        return self._members - len(self._absent)

    def beside(self, held: Callable[[str, str], bool]) -> tuple[int, int]:
        """Rooms without a client that is `held` elsewhere, and clients that are not."""
        rooms = members = 0
        for room in self._rooms.values():
            strangers = sum(not held(room.id, client_id) for client_id in room.clients)
            members += strangers
            rooms += strangers == len(room.clients)
        return rooms, members

    def holds(self, room_id: str, client_id: str) -> bool:
        """Whether there is that client."""
        return self._find(room_id, client_id) is not None

    def vouches(self, room_id: str, client_id: str) -> bool:
        """Whether there is that client, and its id was known as a secret when it came."""
        client = self._find(room_id, client_id)
        return client is not None and client.is_vouched_for

    # ---------------------------------------------------------------------------------------------------- commands

    def _register(self, key: int, command: Command, now: float) -> None:
        socket = self._sockets[key]
        if socket.client is not None:
            raise _Refused("Duplicated register request", "duplicated_register")
        if not command.room_id or not command.client_id:
            raise _Refused("Invalid register request: missing 'clientid' or 'roomid'", "register_without_id")
        client = self._client(command.room_id, command.client_id, socket.account, now)
        if client.key is not None:
            raise _Refused("Duplicated registration", "duplicated_registration")
        self._stop_absence(client)
        self._unregistered.remove(key)
        socket.client, client.key = client, key
        self.registrations += 1
        peer = _peer(client)
        if peer is not None:
            for kept in peer.queue:
                self._deliver(key, kept.text)
            _drop_queue(peer)

    def _send(self, key: int, command: Command, now: float) -> None:
        socket = self._sockets[key]
        if socket.client is None:
            raise _Refused("Client not registered", "not_registered")
        if not command.msg:
            raise _Refused("Invalid send request: missing 'msg'", "send_without_msg")
        try:
            self._pass_on(socket.client, command.msg, socket.account)
        except _Refused as refusal:  # by WebSocket, the reference server does not tell
            self.counts.errors[refusal.error] += 1

    def _pass_on(self, client: _Client, text: str, account: Store) -> None:
        peer = _peer(client)
        if peer is not None and peer.key is not None:
            self._deliver(peer.key, text)
        else:
            kept = keep(text, client.room.store, account) if len(client.queue) < MAX_QUEUED_MESSAGES else None
            if kept is None:
                raise _Refused(QUEUE_FULL, "queue_full")
            client.queue.append(kept)
        self.counts.messages += 1

    # ----------------------------------------------------------------------------------------------- clients, rooms

    def _find(self, room_id: str, client_id: str) -> _Client | None:
        room = self._rooms.get(room_id)
        return None if room is None else room.clients.get(client_id)

    def _client(self, room_id: str, client_id: str, account: Account, now: float) -> _Client:
        """The client, made where it is not there yet."""
        self._check_place(room_id, client_id, account.clients)
        room = self._rooms.get(room_id)
        if room is None:
            room = self._rooms[room_id] = _Room(room_id, Store(self._limits.max_room_bytes))
        if client_id in room.clients:
            return room.clients[client_id]
        client = room.clients[client_id] = _Client(room, client_id, self._knows(room_id, client_id), account.clients)
        client.places.take()
        self._members += 1
        self._start_absence(client, now)
        return client

    def _check_place(self, room_id: str, client_id: str, places: Places) -> None:
        """Whether there is that client, or may be. With too much of anything the room is full, which is the one word there is."""
        room = self._rooms.get(room_id)
        if room is not None and client_id in room.clients:
            return
        if room is not None and len(room.clients) >= ROOM_CLIENTS:
            raise _Refused(ROOM_FULL, "room_full")
        if max(len(room_id), len(client_id)) > MAX_ID_CHARS:
            raise _Refused(ROOM_FULL, "id_too_long")
        has_space = room is not None or len(self._rooms) < self._limits.max_rooms
        if not has_space or self._members >= self._limits.max_members:
            raise _Refused(ROOM_FULL, "server_full")
        if not places.fits():
            raise _Refused(ROOM_FULL, "address_full")

    def _remove(self, client: _Client, now: float) -> None:
        """Without its socket, which is closed or was never there."""
        room = client.room
        self._stop_absence(client)
        _drop_queue(client)
        client.places.give_back()
        del room.clients[client.id]
        if not room.clients:
            del self._rooms[room.id]
        self._members -= 1
        self._removed(room.id, client.id, now)

    def _forget_socket(self, key: int, now: float) -> None:
        client = self._sockets.pop(key).client
        self._unregistered.remove(key)
        if client is not None:
            client.key = None
            self._start_absence(client, now)

    def _start_absence(self, client: _Client, now: float) -> None:
        client.absence = next(self._numbers)
        self._absent[client.absence] = client
        self._absences.add(client.absence, now + ABSENCE_S)

    def _stop_absence(self, client: _Client) -> None:
        self._absent.pop(client.absence, None)
        self._absences.remove(client.absence)

    # ------------------------------------------------------------------------------------------------------ saying

    def _not_sent(self, refusal: _Refused) -> str:
        return self.refuse_request(f"Failed to send the message: {refusal.text}", refusal.error)

    def _deliver(self, key: int, text: str) -> None:
        self._outputs.append(Send(key, message_frame(text)))

    def _tell_error(self, key: int, text: str, error: str) -> None:
        self.ws_errors += 1
        self.counts.errors[error] += 1
        self._outputs.append(Send(key, error_frame(text)))

    def _tell_last(self, key: int, text: str, error: str) -> None:
        self._tell_error(key, text, error)
        self._outputs.append(Close(key, _NORMAL, ""))


def _drop_queue(client: _Client) -> None:
    for kept in client.queue:
        kept.drop()
    client.queue.clear()


def _peer(client: _Client) -> _Client | None:
    for other in client.room.clients.values():
        if other is not client:
            return other
    return None
