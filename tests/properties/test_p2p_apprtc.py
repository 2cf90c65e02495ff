"""AppRTC, whatever its clients do in whatever order, against a model that looks through everything each time.

The model says for each step what every socket hears and what every request is answered; so nothing reaches a stranger, nothing that
should wait is lost, and nothing waits that should be gone.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from coordinator.core.accounts import Account
from coordinator.core.store import MESSAGE_OVERHEAD_BYTES, Store
from coordinator.p2p.core.apprtc import LOOPBACK_CLIENT_ID, ROOM_LIFETIME_S, Joined, Result
from coordinator.p2p.core.apprtc_newcomers import PATIENCE_S
from coordinator.p2p.core.apprtc_service import AppRtc
from coordinator.p2p.core.collider import ABSENCE_S, UNREGISTERED_S
from coordinator.p2p.core.limits import Limits
from coordinator.p2p.core.outputs import Close, Output, Send

ROOMS = ["a", "b", "c"]
TEXTS = ["x", "hello", "sixteen of them.", "", "gr\u00fc\u00dfe \U0001f600", "\U0001f600" * 8]
HALF = "\ud83d"
"""Of a surrogate pair: it can be said in JSON only."""
ADDRESSES = ["192.0.2.1", "192.0.2.2"]
ROOM_BYTES, ADDRESS_BYTES, WHOLE_BYTES = (number * MESSAGE_OVERHEAD_BYTES + 40 for number in (2, 3, 5))
"""So tight that every one of them is met."""
HOUR_S = 3_600.0
FULL = "Max room capacity reached"
QUEUE_FULL = "Too many messages queued for the client"


class Said(NamedTuple):
    """Something that waits, and which address it is from."""

    text: str
    address: str

    @property
    def size(self) -> int:
        return len(self.text.encode("utf-8", "surrogatepass")) + MESSAGE_OVERHEAD_BYTES


@dataclass
class Place:
    """A room of the room server."""

    clients: dict[str, list[Said]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    """Of all clients there ever were, where they came from."""
    ends_at: float = 0.0


@dataclass
class Client:
    """A client of Collider."""

    room: str
    id: str
    key: int | None
    away_since: float
    is_secret: bool
    address: str
    """It came from there first."""
    queue: list[Said] = field(default_factory=list)


class Model:
    """Lists, and loops over them."""

    def __init__(self, limits: Limits, places_each: int) -> None:
        self.limits = limits
        self.places_each = places_each
        self.now = 1_000.0
        self.places: dict[str, Place] = {}
        self.clients: list[Client] = []
        self.sockets: dict[int, float] = {}
        """Open ones, and when they came."""
        self.addresses: dict[int, str] = {}
        """Of all sockets there ever were."""
        self.expected: list[Output] = []
        self.newcomers: dict[tuple[str, str], float] = {}
        """Who has joined and is to be seen at Collider, and when it was last heard."""

    def kept(self) -> list[Said]:
        """All that waits."""
        stored = [said for place in self.places.values() for waiting in place.clients.values() for said in waiting]
        return [*stored, *(said for client in self.clients for said in client.queue)]

    def fits(self, said: Said, here: list[Said]) -> bool:
        """Whether it may wait with what waits in that room."""
        by_same = [other for other in self.kept() if other.address == said.address]
        bounds = ((here, ROOM_BYTES), (by_same, ADDRESS_BYTES), (self.kept(), WHOLE_BYTES))
        return all(sum(other.size for other in waiting) + said.size <= bound for waiting, bound in bounds)

    # the room server

    def members(self) -> int:
        return sum(len(place.clients) for place in self.places.values())

    def taken(self, address: str) -> int:
        """Places of the room server that somebody from there has."""
        return sum(place.addresses[client] == address for place in self.places.values() for client in place.clients)

    def at_collider(self, address: str) -> int:
        return sum(client.address == address for client in self.clients)

    def may_join(self, room: str, newcomers: int, address: str) -> Result:
        place = self.places.get(room)
        if place is not None and len(place.clients) == 2:
            return Result.FULL
        if place is None and len(self.places) == self.limits.max_rooms:
            return Result.ERROR
        fits = self.members() + newcomers <= self.limits.max_members and self.taken(address) + newcomers <= self.places_each
        return Result.SUCCESS if fits else Result.ERROR

    def leave(self, room: str, client: str) -> None:
        place = self.places.get(room)
        if place is None or client not in place.clients:
            return
        del place.clients[client]
        place.clients.pop(LOOPBACK_CLIENT_ID, None)
        place.ends_at = self.now + ROOM_LIFETIME_S
        if not place.clients:
            del self.places[room]

    def knows(self, room: str, client: str) -> bool:
        return client != LOOPBACK_CLIENT_ID and client in self.place(room).clients

    def place(self, room: str) -> Place:
        return self.places.get(room, Place())

    # Collider

    def of(self, key: int) -> Client | None:
        return next((client for client in self.clients if client.key == key), None)

    def find(self, room: str, name: str) -> Client | None:
        return next((client for client in self.clients if (client.room, client.id) == (room, name)), None)

    def peer(self, client: Client) -> Client | None:
        return next((other for other in self.clients if other.room == client.room and other is not client), None)

    def make(self, room: str, name: str, address: str) -> Client | None:
        client = self.find(room, name)
        if client is not None:
            return client
        rooms = {client.room for client in self.clients}
        here = [client for client in self.clients if client.room == room]
        if len(here) == 2 or len(self.clients) == self.limits.max_members:
            return None
        if room not in rooms and len(rooms) == self.limits.max_rooms:
            return None
        if self.at_collider(address) == self.places_each:
            return None
        client = Client(room, name, None, self.now, self.knows(room, name), address)
        self.clients.append(client)
        return client

    def pass_on(self, client: Client, text: str, address: str) -> bool:
        peer = self.peer(client)
        if peer is not None and peer.key is not None:
            self.expect(peer.key, msg=text)
            return True
        said = Said(text, address)
        if not self.fits(said, [other for one in self.clients if one.room == client.room for other in one.queue]):
            return False
        client.queue.append(said)
        return True

    def remove(self, client: Client) -> None:
        self.clients.remove(client)
        self.leave(client.room, client.id)

    def lose(self, key: int) -> None:
        del self.sockets[key]
        client = self.of(key)
        if client is not None:
            client.key, client.away_since = None, self.now

    def expect(self, key: int, *, msg: str = "", error: str = "", closes: bool = False) -> None:
        self.expected.append(Send(key, json.dumps({"msg": msg, "error": error}, separators=(",", ":")) + "\n"))
        if closes:
            self.expected.append(Close(key, 1000, ""))
            if key in self.sockets:
                self.lose(key)

    def sweep(self) -> None:
        for client in list(self.clients):
            if client.key is None and client.away_since + ABSENCE_S <= self.now:
                self.remove(client)
        for (room, newcomer), since in list(self.newcomers.items()):
            if since + PATIENCE_S <= self.now:
                del self.newcomers[room, newcomer]
                if self.find(room, newcomer) is None:
                    self.leave(room, newcomer)
        for name, place in list(self.places.items()):
            if place.ends_at <= self.now:
                del self.places[name]
        for key, since in list(self.sockets.items()):
            if self.of(key) is None and since + UNREGISTERED_S <= self.now:
                self.expect(key, error="websocket.JSON.Receive error: i/o timeout", closes=True)


class AppRtcMachine(RuleBasedStateMachine):
    """Clients that join, post, register, send, drop, come back, leave, and delete one another."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = 0
        self.is_late = False
        """Time has passed that the core has not been told of."""
        self.names = ["alice", LOOPBACK_CLIENT_ID]
        """Client ids to choose from: those that were drawn, and two that were not."""

    @initialize(seed=st.integers(0, 9), rooms=st.integers(2, 6), members=st.integers(2, 9), places=st.integers(1, 6))
    def begin(self, seed: int, rooms: int, members: int, places: int) -> None:
        limits = Limits(max_rooms=rooms, max_members=members, max_room_bytes=ROOM_BYTES)
        self.whole = Store(WHOLE_BYTES)
        self.accounts = {address: Account(ADDRESS_BYTES, self.whole, max_places=places) for address in ADDRESSES}
        self.core = AppRtc(limits, random.Random(seed))
        self.model = Model(limits, places)

    def check(self) -> None:
        assert self.core.outputs() == self.model.expected
        self.model.expected = []
        self.is_late = False

    def name(self, choice: int) -> str:
        return self.names[choice % len(self.names)]

    def key(self, choice: int) -> int:
        keys = list(self.model.sockets)
        return keys[choice % len(keys)] if keys else 0

    # the room server

    @rule(room=st.sampled_from(ROOMS), address=st.sampled_from(ADDRESSES), loopback=st.sampled_from([False, False, False, True]))
    def join(self, room: str, address: str, loopback: bool) -> None:
        self.model.sweep()
        place = self.model.place(room)
        is_first = not place.clients
        expected = self.model.may_join(room, 2 if loopback and is_first else 1, address)
        joined = self.core.join(room, self.accounts[address], self.model.now, loopback=loopback)
        if expected is not Result.SUCCESS:
            assert joined is expected
            return self.check()
        assert isinstance(joined, Joined)
        assert joined.client not in self.names
        assert joined.is_initiator is is_first
        assert list(joined.messages) == [said.text for stored in place.clients.values() for said in stored]
        for stored in place.clients.values():
            stored.clear()
        for client in (joined.client, LOOPBACK_CLIENT_ID) if loopback and is_first else (joined.client,):
            place.clients[client] = []
            place.addresses[client] = address
        place.ends_at = self.model.now + ROOM_LIFETIME_S
        self.model.places[room] = place
        self.names.append(joined.client)
        self.model.newcomers[room, joined.client] = self.model.now
        return self.check()

    @rule(room=st.sampled_from(ROOMS), choice=st.integers(0, 20), text=st.sampled_from(TEXTS), address=st.sampled_from(ADDRESSES))
    def message(self, room: str, choice: int, text: str, address: str) -> None:
        self.model.sweep()
        name, place = self.name(choice), self.model.place(room)
        if name in place.clients and (room, name) in self.model.newcomers:
            self.model.newcomers[room, name] = self.model.now
        result = self.core.message(room, name, text.encode(), self.accounts[address], self.model.now)
        if not place.clients:
            assert result is Result.UNKNOWN_ROOM
        elif name not in place.clients:
            assert result is Result.UNKNOWN_CLIENT
        elif len(place.clients) == 2:
            assert result is (Result.SUCCESS if self._post(room, name, text, address) is None else None)
        elif not self.model.fits(Said(text, address), place.clients[name]):
            assert result is Result.ERROR
        else:
            assert result is Result.SUCCESS
            place.clients[name].append(Said(text, address))
            place.ends_at = self.model.now + ROOM_LIFETIME_S
        self.check()

    @rule(room=st.sampled_from(ROOMS), choice=st.integers(0, 20))
    def leave(self, room: str, choice: int) -> None:
        self.model.sweep()
        name, place = self.name(choice), self.model.place(room)
        is_in = Result.SUCCESS if name in place.clients else Result.UNKNOWN_CLIENT
        assert self.core.leave(room, name, self.model.now) is (is_in if place.clients else Result.UNKNOWN_ROOM)
        self.model.leave(room, name)
        self.model.newcomers.pop((room, name), None)
        self.check()

    @rule(room=st.sampled_from(ROOMS), choice=st.integers(0, 20))
    def bye(self, room: str, choice: int) -> None:
        self.model.sweep()
        self.core.bye(room, self.name(choice), self.model.now)
        self._delete(room, self.name(choice))
        self.model.leave(room, self.name(choice))
        self.check()

    # Collider

    @rule(room=st.sampled_from(ROOMS), choice=st.integers(0, 20), text=st.sampled_from(TEXTS), address=st.sampled_from(ADDRESSES))
    def post(self, room: str, choice: int, text: str, address: str) -> None:
        self.model.sweep()
        has_no_place = self.core.has_no_place(room, self.name(choice), self.accounts[address], self.model.now)
        answer = self.core.post(room, self.name(choice), text, self.accounts[address], self.model.now)
        assert answer == self._post(room, self.name(choice), text, address)
        if text:
            assert (has_no_place is not None) == (answer == f"Failed to send the message: {FULL}")
        self.check()

    def _post(self, room: str, name: str, text: str, address: str) -> str | None:
        if not text:
            return "Empty request body"
        client = self.model.make(room, name, address)
        if client is None:
            return f"Failed to send the message: {FULL}"
        return None if self.model.pass_on(client, text, address) else f"Failed to send the message: {QUEUE_FULL}"

    @rule(room=st.sampled_from(ROOMS), choice=st.integers(0, 20))
    def delete(self, room: str, choice: int) -> None:
        self.model.sweep()
        self.core.delete(room, self.name(choice), self.model.now)
        self._delete(room, self.name(choice))
        self.check()

    def _delete(self, room: str, name: str) -> None:
        client = self.model.find(room, name)
        if client is None:
            return
        if client.key is not None:
            self.model.expected.append(Close(client.key, 1000, ""))
            del self.model.sockets[client.key]
        self.model.remove(client)

    @rule(address=st.sampled_from(ADDRESSES))
    def connect(self, address: str) -> None:
        self.model.sweep()
        self.core.tick(self.model.now)
        self.keys += 1
        self.core.connected(self.keys, self.accounts[address], self.model.now)
        self.model.addresses[self.keys] = address
        if len(self.model.sockets) < self.model.limits.max_members:
            self.model.sockets[self.keys] = self.model.now
        else:
            self.model.expect(self.keys, error=FULL, closes=True)
        self.check()

    @rule(room=st.sampled_from(ROOMS), choice=st.integers(0, 20), which=st.integers(0, 9))
    def register(self, room: str, choice: int, which: int) -> None:
        self.model.sweep()
        key, name = self.key(which), self.name(choice)
        self.core.received(key, json.dumps({"cmd": "register", "roomid": room, "clientid": name}), self.model.now)
        if key in self.model.sockets:
            self._register(key, room, name)
        self.check()

    def _register(self, key: int, room: str, name: str) -> None:
        if self.model.of(key) is not None:
            return self.model.expect(key, error="Duplicated register request", closes=True)
        client = self.model.make(room, name, self.model.addresses[key])
        if client is None:
            return self.model.expect(key, error=FULL, closes=True)
        if client.key is not None:
            return self.model.expect(key, error="Duplicated registration", closes=True)
        client.key = key
        peer = self.model.peer(client)
        if peer is not None:
            for said in peer.queue:
                self.model.expect(key, msg=said.text)
            peer.queue.clear()
        return None

    @rule(which=st.integers(0, 9), text=st.sampled_from([*TEXTS, HALF]))
    def send(self, which: int, text: str) -> None:
        self.model.sweep()
        key = self.key(which)
        client = self.model.of(key)
        self.core.received(key, json.dumps({"cmd": "send", "msg": text}), self.model.now)
        if key in self.model.sockets:
            if client is None:
                self.model.expect(key, error="Client not registered", closes=True)
            elif not text:
                self.model.expect(key, error="Invalid send request: missing 'msg'", closes=True)
            else:
                self.model.pass_on(client, text, self.model.addresses[key])
        self.check()

    @rule(which=st.integers(0, 9))
    def say_something_else(self, which: int) -> None:
        self.model.sweep()
        key = self.key(which)
        self.core.received(key, b'{"cmd":"dance"}', self.model.now)
        if key in self.model.sockets:
            self.model.expect(key, error="Invalid message: unexpected 'cmd'")
        self.check()

    @precondition(lambda self: self.model.sockets)
    @rule(which=st.integers(0, 9))
    def drop(self, which: int) -> None:
        self.model.sweep()
        self.core.tick(self.model.now)
        key = self.key(which)
        if key:
            self.core.left(key, self.model.now)
            self.model.lose(key)
        self.check()

    @rule(seconds=st.sampled_from([0.1, 3.0, 9.9, 10.0, 11.0, 30.0, 60.0, 80_000.0, 86_400.0]), ticks=st.booleans())
    def wait(self, seconds: float, ticks: bool) -> None:
        """The timer may be late: then whatever comes next finds the time as it is. But never by hours."""
        end = self.model.now + seconds
        while seconds > HOUR_S and (due := self.core.next_deadline()) is not None and due < end:
            self.model.now = max(self.model.now, due)
            self.core.tick(self.model.now)
            self.model.sweep()
            self.check()
        self.model.now = end
        self.is_late = True
        if ticks:
            self.core.tick(self.model.now)
            self.model.sweep()
            self.check()

    # what always holds

    @invariant()
    def as_many_as_there_are(self) -> None:
        if self.is_late:
            return
        model, collider = self.model, self.core.collider
        room_server = self.core.room_server
        assert (room_server.rooms, room_server.members) == (len(model.places), model.members())
        assert (collider.rooms, collider.members) == (len({client.room for client in model.clients}), len(model.clients))
        for address, account in self.accounts.items():
            assert account.bytes == sum(said.size for said in model.kept() if said.address == address)
            assert (account.places.taken, account.clients.taken) == (model.taken(address), model.at_collider(address))
        assert self.whole.bytes == sum(said.size for said in model.kept())
        assert collider.registered == sum(client.key is not None for client in model.clients)
        for room in ROOMS:
            for name in self.names:
                client = model.find(room, name)
                is_secret = model.knows(room, name) or (client is not None and client.is_secret)
                assert self.core.vouches(room, name) == is_secret

    @invariant()
    def it_wakes_up_in_time(self) -> None:
        """For everything that will end by itself."""
        ends = [place.ends_at for place in self.model.places.values()]
        ends += [client.away_since + ABSENCE_S for client in self.model.clients if client.key is None]
        ends += [since + UNREGISTERED_S for key, since in self.model.sockets.items() if self.model.of(key) is None]
        ends += [since + PATIENCE_S for since in self.model.newcomers.values()]
        deadline = self.core.next_deadline()
        assert not ends or (deadline is not None and deadline <= min(ends))

    def teardown(self) -> None:
        """When all sockets are gone and a day has passed, nothing is left."""
        if not hasattr(self, "core"):
            return
        for key in self.model.sockets:
            self.core.left(key, self.model.now)
        self.core.tick(self.model.now + ROOM_LIFETIME_S)
        rooms, collider = self.core.room_server, self.core.collider
        assert not any((rooms._rooms, rooms._by_serial, rooms._expiries._ends, rooms._expiries._heap))
        assert not any((collider._sockets, collider._rooms, collider._absent))
        assert not any((collider._absences._ends, collider._unregistered._ends))
        assert (self.core.rooms, self.core.members, collider.rooms, collider.members) == (0, 0, 0, 0)
        assert all(account.is_empty for account in self.accounts.values())


TestAppRtc = AppRtcMachine.TestCase
