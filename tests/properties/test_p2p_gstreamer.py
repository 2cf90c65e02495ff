"""Whatever GStreamer's peers do, in whatever order: everyone hears what a naive model says, and nothing is kept of those who are gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from coordinator.core.store import Store
from coordinator.p2p.core.gstreamer import HELLO_S, GStreamer
from coordinator.p2p.core.limits import Limits
from coordinator.p2p.core.outputs import Close, Send

LIMITS = Limits(max_rooms=3, max_members=7, max_room_members=3)

UIDS = st.sampled_from(["a", "b", "c", "d", "it's"])
ROOMS = st.sampled_from(["hall", "yard", "session"])
TEXTS = st.one_of(
    st.sampled_from(["OFFER_REQUEST", "ROOM_PEER_LIST", "SESSION", "ROOM", "ROOM_PEER_MSG a", "HELLO a", "", " x "]),
    st.builds("SESSION {}".format, UIDS),
    st.builds("ROOM {}".format, ROOMS),
    st.builds("ROOM_PEER_MSG {} {}".format, UIDS, st.sampled_from(["x", "x  y ", "{}"])),
    st.text(max_size=6),
)


@dataclass(eq=False)
class Model:
    """One peer as the documents describe it."""

    key: int
    born: float
    uid: str = ""
    state: Literal["new", "idle", "session", "room"] = "new"
    where: object = None
    """The partner in a session, the name of the room in one."""


class Machine(RuleBasedStateMachine):
    """The core beside a model that looks through everyone each time."""

    def __init__(self) -> None:
        super().__init__()
        self.core = GStreamer(LIMITS)
        self.now = 0.0
        self.keys = 0
        self.peers: list[Model] = []
        """In the order in which they came; those of a room are sorted by when they entered it, see `entered`."""
        self.entered: list[Model] = []

    # -------------------------------------------------------------------------------------------------------- model

    def _by_uid(self, uid: str) -> Model | None:
        return next((peer for peer in self.peers if peer.uid == uid), None)

    def _members(self, room: object) -> list[Model]:
        return [peer for peer in self.entered if peer.where == room]

    def _places(self) -> int:
        rooms = {peer.where for peer in self.peers if peer.state == "room"}
        return len(rooms) + sum(peer.state == "session" for peer in self.peers) // 2

    def _gone(self, peer: Model) -> list[Send | Close]:
        """What others are told of it."""
        self.peers.remove(peer)
        if peer.state == "session":
            assert isinstance(peer.where, Model)
            self.peers.remove(peer.where)
            return [Close(peer.where.key, 1000, "")]
        if peer.state == "room":
            self.entered.remove(peer)
            return [Send(other.key, f"ROOM_PEER_LEFT {peer.uid}") for other in self._members(peer.where)]
        return []

    def _idle(self, peer: Model, text: str) -> list[Send | Close]:
        words = text.split(maxsplit=1)
        if not text.startswith(("SESSION", "ROOM")):
            return []
        if len(words) < 2:
            return [Send(peer.key, f"ERROR invalid msg, {words[0]!r} without what it needs")]
        name = words[1]
        return self._call(peer, name) if text.startswith("SESSION") else self._enter(peer, name)

    def _call(self, peer: Model, name: str) -> list[Send | Close]:
        callee = self._by_uid(name)
        if callee is None:
            return [Send(peer.key, f"ERROR peer {name!r} not found")]
        if callee is peer or callee.state != "idle":
            return [Send(peer.key, f"ERROR peer {name!r} busy")]
        if self._places() >= LIMITS.max_rooms:
            return [Send(peer.key, "ERROR too many sessions")]
        peer.state = callee.state = "session"
        peer.where, callee.where = callee, peer
        return [Send(peer.key, "SESSION_OK")]

    def _enter(self, peer: Model, name: str) -> list[Send | Close]:
        there = self._members(name)
        if name == "session" or any(char.isspace() for char in name):
            return [Send(peer.key, f"ERROR invalid room id {name!r}")]
        if not there and self._places() >= LIMITS.max_rooms:
            return [Send(peer.key, "ERROR too many rooms")]
        if len(there) >= LIMITS.max_room_members:
            return [Send(peer.key, f"ERROR room {name!r} is full")]
        peer.state, peer.where = "room", name
        self.entered.append(peer)
        names = " ".join(other.uid for other in there)
        return [Send(peer.key, f"ROOM_OK {names}"), *(Send(other.key, f"ROOM_PEER_JOINED {peer.uid}") for other in there)]

    def _in_room(self, peer: Model, text: str) -> list[Send | Close]:
        if text == "ROOM_PEER_LIST":
            names = " ".join(other.uid for other in self._members(peer.where) if other is not peer)
            return [Send(peer.key, f"ROOM_PEER_LIST {names}")]
        if not text.startswith("ROOM_PEER_MSG"):
            return [Send(peer.key, "ERROR invalid msg, already in room")]
        words = text.split(maxsplit=2)
        if len(words) < 3:
            return [Send(peer.key, f"ERROR invalid msg, {words[0]!r} without what it needs")]
        _, name, said = words
        other = self._by_uid(name)
        if other is None:
            return [Send(peer.key, f"ERROR peer {name!r} not found")]
        if other not in self._members(peer.where):
            return [Send(peer.key, f"ERROR peer {name!r} is not in the room")]
        return [Send(other.key, f"ROOM_PEER_MSG {peer.uid} {said}")]

    def _hello(self, peer: Model, text: str) -> list[Send | Close]:
        words = text.split(maxsplit=1)
        if len(words) < 2 or words[0] != "HELLO":
            self.peers.remove(peer)
            return [Close(peer.key, 1002, "invalid protocol")]
        if any(char.isspace() for char in words[1]) or self._by_uid(words[1]) is not None:
            self.peers.remove(peer)
            return [Close(peer.key, 1002, "invalid peer uid")]
        peer.uid, peer.state = words[1], "idle"
        return [Send(peer.key, "HELLO")]

    def _said(self, peer: Model, text: str) -> list[Send | Close]:
        if peer.state == "session":
            assert isinstance(peer.where, Model)
            return [Send(peer.where.key, text)]
        answer = {"new": self._hello, "idle": self._idle, "room": self._in_room}[peer.state]
        return answer(peer, text)

    # -------------------------------------------------------------------------------------------------------- rules

    def _pick(self, data: st.DataObject) -> Model:
        return data.draw(st.sampled_from(self.peers))

    def _expect(self, wanted: list[Send | Close]) -> None:
        assert self.core.outputs() == wanted

    @rule(uid=UIDS)
    def come(self, uid: str) -> None:
        """And say HELLO."""
        self.connect()
        if self.peers and self.peers[-1].key == self.keys:
            self._say(self.peers[-1], f"HELLO {uid}")

    @rule()
    def connect(self) -> None:
        self.keys += 1
        self.core.connected(self.keys, Store(0), self.now)
        if len(self.peers) >= LIMITS.max_members:
            return self._expect([Close(self.keys, 1013, "too many peers")])
        self.peers.append(Model(self.keys, self.now))
        return self._expect([])

    def _say(self, peer: Model, text: str) -> None:
        self.core.received(peer.key, text, self.now)
        self._expect(self._said(peer, text))

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), text=TEXTS)
    def say(self, data: st.DataObject, text: str) -> None:
        self._say(self._pick(data), text)

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), said=st.binary(max_size=4))
    def say_binary(self, data: st.DataObject, said: bytes) -> None:
        peer = self._pick(data)
        self.core.received(peer.key, said, self.now)
        outputs = self.core.outputs()
        if peer.state == "session":
            assert isinstance(peer.where, Model)
            assert outputs == [Send(peer.where.key, said)]
        elif peer.state == "new":
            self.peers.remove(peer)
            assert outputs == [Close(peer.key, 1002, "invalid protocol")]
        else:
            (output,) = outputs
            assert isinstance(output, Send)
            assert output.key == peer.key
            assert str(output.data).startswith("ERROR ")

    @precondition(lambda self: self.peers)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        peer = self._pick(data)
        self.core.left(peer.key, self.now)
        self._expect(self._gone(peer))

    @rule(key=st.integers(0, 50), text=TEXTS)
    def a_stranger_speaks(self, key: int, text: str) -> None:
        if all(peer.key != key for peer in self.peers):
            self.core.received(key, text, self.now)
            self.core.left(key, self.now)
            self._expect([])

    @rule(seconds=st.sampled_from([0.5, HELLO_S / 2, HELLO_S]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        late = [peer for peer in self.peers if peer.state == "new" and peer.born + HELLO_S <= self.now]
        if late:
            deadline = self.core.next_deadline()
            assert deadline is not None
            assert deadline <= self.now
        self.core.tick(self.now)
        for peer in late:
            self.peers.remove(peer)
        self._expect([Close(peer.key, 1002, "invalid protocol") for peer in late])

    @invariant()
    def it_counts_what_is_there(self) -> None:
        assert self.core.members == sum(peer.state != "new" for peer in self.peers)
        assert self.core.rooms == self._places() <= LIMITS.max_rooms

    def teardown(self) -> None:
        for peer in list(self.peers):
            self.core.left(peer.key, self.now)
        self.core.tick(self.now + 2 * HELLO_S)
        assert (self.core.members, self.core.rooms, self.core.next_deadline()) == (0, 0, None)
        kept = {name: value for name, value in vars(self.core).items() if isinstance(value, dict) and value}
        assert kept == {}


TestGStreamer = Machine.TestCase
