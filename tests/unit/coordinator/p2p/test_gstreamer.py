"""GStreamer's simple signalling, message by message: every text is compared as it is on the wire."""

from __future__ import annotations

import itertools

import pytest

from coordinator.core.store import Store
from coordinator.p2p.core.gstreamer import HELLO_S, GStreamer
from coordinator.p2p.core.limits import MAX_ID_CHARS, Limits
from coordinator.p2p.core.outputs import Close, Output, Send

NOW = 1_000.0


class Wire:
    """Peers by name: the name of each is its uid, unless it says another."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.core = GStreamer(limits or Limits())
        self._keys: dict[str, int] = {}
        self._fresh = itertools.count(1)

    def connect(self, name: str, now: float = NOW) -> list[tuple[object, ...]]:
        self._keys[name] = next(self._fresh)
        self.core.connected(self._keys[name], Store(0), now)
        return self.took()

    def hello(self, *names: str) -> None:
        """Registered, and nothing said but the answer to it."""
        for name in names:
            assert self.connect(name) == []
            assert self.say(name, f"HELLO {name}") == [(name, "HELLO")]

    def say(self, name: str, data: str | bytes) -> list[tuple[object, ...]]:
        self.core.received(self._keys[name], data, NOW)
        return self.took()

    def leave(self, name: str) -> list[tuple[object, ...]]:
        self.core.left(self._keys[name], NOW)
        return self.took()

    def took(self) -> list[tuple[object, ...]]:
        """What came of it: (to whom, text), or (who, code, reason) for a close."""
        return [self._readable(output) for output in self.core.outputs()]

    def _readable(self, output: Output) -> tuple[object, ...]:
        (name,) = [name for name, key in self._keys.items() if key == output.key]
        match output:
            case Send():
                return name, output.data
            case Close():
                return name, output.code, output.reason

    def session(self, *names: str) -> None:
        """The first has called the second."""
        self.hello(*names[:2])
        assert self.say(names[0], f"SESSION {names[1]}") == [(names[0], "SESSION_OK")]

    def room(self, room_id: str, *names: str) -> None:
        """All in one room, in that order."""
        self.hello(*names)
        for name in names:
            self.say(name, f"ROOM {room_id}")


@pytest.fixture
def wire() -> Wire:
    return Wire()


# ----------------------------------------------------------------------------------------------------- registration


@pytest.mark.parametrize("first", ["HELLO bob", "HELLO   bob", "  HELLO bob", "HELLO\tbob"])
def test_hello_is_answered_with_hello(wire: Wire, first: str) -> None:
    wire.connect("bob")
    assert wire.say("bob", first) == [("bob", "HELLO")]
    assert (wire.core.members, wire.core.counts.joined) == (1, 1)


@pytest.mark.parametrize("uid", ["7", "it's", "ünïcode", "a" * MAX_ID_CHARS, "session", "HELLO", "a,b;c/d"])
def test_a_uid_is_anything_without_white_space(wire: Wire, uid: str) -> None:
    wire.connect("x")
    assert wire.say("x", f"HELLO {uid}") == [("x", "HELLO")]
    wire.hello("caller")
    assert wire.say("caller", f"SESSION {uid}") == [("caller", "SESSION_OK")]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("HALLO bob", "invalid protocol"),
        ("hello bob", "invalid protocol"),
        ("HELLO: bob", "invalid protocol"),
        ("SESSION bob", "invalid protocol"),
        ("HELLO", "invalid protocol"),
        ("HELLO ", "invalid protocol"),
        ("", "invalid protocol"),
        (" ", "invalid protocol"),
        (b"HELLO bob", "invalid protocol"),
        (b"", "invalid protocol"),
        ("HELLO bob ", "invalid peer uid"),
        ("HELLO bob\n", "invalid peer uid"),
        ("HELLO bob x", "invalid peer uid"),
        ("HELLO bob\u2003x", "invalid peer uid"),
        ("HELLO taken", "invalid peer uid"),
        ("HELLO " + "a" * (MAX_ID_CHARS + 1), "invalid peer uid"),
    ],
)
def test_a_first_message_that_is_no_hello_closes_without_a_word(wire: Wire, first: str | bytes, reason: str) -> None:
    wire.hello("taken")
    wire.connect("x")
    assert wire.say("x", first) == [("x", 1002, reason)]
    assert wire.core.members == 1
    assert sum(wire.core.counts.errors.values()) == 1
    assert wire.say("x", "HELLO x") == []  # it is forgotten
    assert wire.leave("x") == []


def test_a_uid_is_free_again_once_its_peer_is_gone(wire: Wire) -> None:
    wire.hello("bob")
    wire.leave("bob")
    assert wire.core.members == 0
    wire.hello("bob")


def test_a_second_hello_is_ignored(wire: Wire) -> None:
    wire.hello("bob")
    assert wire.say("bob", "HELLO bob") == []
    assert wire.say("bob", "HELLO other") == []
    wire.hello("ann")
    assert wire.say("ann", "SESSION other") == [("ann", "ERROR peer 'other' not found")]


def test_who_never_says_hello_is_closed(wire: Wire) -> None:
    wire.connect("bob", NOW)
    wire.connect("ann", NOW + 1)
    wire.say("ann", "HELLO ann")
    assert wire.core.next_deadline() == NOW + HELLO_S
    wire.core.tick(NOW + HELLO_S - 0.001)
    assert wire.took() == []
    wire.core.tick(NOW + HELLO_S)
    assert wire.took() == [("bob", 1002, "invalid protocol")]
    wire.core.tick(NOW + 100 * HELLO_S)
    assert wire.took() == []
    assert wire.core.members == 1
    assert wire.core.next_deadline() is None
    assert wire.core.counts.errors == {"hello_timeout": 1}


# ------------------------------------------------------------------------------------------------------------- idle


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("SESSION ann", "SESSION_OK"),
        ("SESSION   ann", "SESSION_OK"),
        ("SESSIONS ann", "SESSION_OK"),  # known by how it begins
        ("SESSION nobody", "ERROR peer 'nobody' not found"),
        ("SESSION it's", 'ERROR peer "it\'s" not found'),
        ("SESSION ann ", "ERROR peer 'ann ' not found"),
        ("SESSION ann b", "ERROR peer 'ann b' not found"),
        ("SESSION a\nb", "ERROR peer 'a\\nb' not found"),
        ("SESSION " + 2 * MAX_ID_CHARS * "a", f"ERROR peer '{MAX_ID_CHARS * 'a'}' not found"),
        ("SESSION busy1", "ERROR peer 'busy1' busy"),
        ("SESSION busy2", "ERROR peer 'busy2' busy"),
        ("SESSION roomer", "ERROR peer 'roomer' busy"),
        ("SESSION bob", "ERROR peer 'bob' busy"),
        ("SESSION silent", "ERROR peer 'silent' not found"),
        ("SESSION", "ERROR invalid msg, 'SESSION' without what it needs"),
        ("SESSION ", "ERROR invalid msg, 'SESSION' without what it needs"),
        ("ROOM new", "ROOM_OK "),
        ("ROOM hall", "ROOM_OK roomer"),
        ("ROOMS new", "ROOM_OK "),
        ("ROOM session", "ERROR invalid room id 'session'"),
        ("ROOM a b", "ERROR invalid room id 'a b'"),
        ("ROOM a ", "ERROR invalid room id 'a '"),
        ("ROOM it's mine", 'ERROR invalid room id "it\'s mine"'),
        ("ROOM " + "r" * MAX_ID_CHARS, "ROOM_OK "),
        ("ROOM " + "r" * (MAX_ID_CHARS + 1), f"ERROR invalid room id '{'r' * MAX_ID_CHARS}'"),
        ("ROOM", "ERROR invalid msg, 'ROOM' without what it needs"),
        ("ROOM_PEER_LIST", "ERROR invalid msg, 'ROOM_PEER_LIST' without what it needs"),
        ("ROOM_PEER_MSG", "ERROR invalid msg, 'ROOM_PEER_MSG' without what it needs"),
        ("ROOM_PEER_MSG a b", "ERROR invalid room id 'a b'"),
        (b"SESSION ann", "ERROR invalid msg, binary outside of a session"),
        (b"", "ERROR invalid msg, binary outside of a session"),
    ],
)
def test_a_command_of_an_idle_peer(wire: Wire, said: str | bytes, answer: str) -> None:
    wire.hello("bob", "ann")
    wire.session("busy1", "busy2")
    wire.room("hall", "roomer")
    wire.connect("silent")
    counted = sum(wire.core.counts.errors.values())
    others = [("roomer", "ROOM_PEER_JOINED bob")] if said == "ROOM hall" else []
    assert wire.say("bob", said) == [("bob", answer), *others]
    assert sum(wire.core.counts.errors.values()) == counted + answer.startswith("ERROR")
    assert wire.core.counts.messages == 0


@pytest.mark.parametrize("said", ["", " ", "OFFER_REQUEST", '{"sdp": {}}', "session ann", " SESSION ann", " ROOM x", "hallo"])
def test_anything_else_is_ignored(wire: Wire, said: str) -> None:
    wire.hello("bob", "ann")
    assert wire.say("bob", said) == []
    assert wire.say("bob", "SESSION ann") == [("bob", "SESSION_OK")]


def test_an_error_ends_nothing(wire: Wire) -> None:
    wire.hello("bob", "ann")
    for said in ("SESSION", "ROOM session", "ROOM_PEER_LIST", b"\0"):
        ((_, text),) = wire.say("bob", said)
        assert str(text).startswith("ERROR ")
    assert wire.say("ann", "SESSION bob") == [("ann", "SESSION_OK")]


# ---------------------------------------------------------------------------------------------------------- session


@pytest.mark.parametrize(
    "said",
    [
        "OFFER_REQUEST",
        '{"sdp": {"type": "offer", "sdp": "v=0\\r\\n"}}',
        "SESSION someone",
        "SESSION",
        "ROOM hall",
        "ROOM_PEER_LIST",
        "HELLO other",
        "",
        " two  blanks ",
        "it's",
        b"\x00\xff",
        b"",
    ],
)
def test_a_session_passes_everything_on_as_it_is(wire: Wire, said: str | bytes) -> None:
    wire.session("bob", "ann")
    wire.hello("someone")
    assert wire.say("bob", said) == [("ann", said)]
    assert wire.say("ann", said) == [("bob", said)]
    assert wire.core.counts.messages == 2
    assert wire.core.rooms == 1
    assert not wire.core.counts.errors


@pytest.mark.parametrize(("goes", "stays"), [("bob", "ann"), ("ann", "bob")])
def test_the_end_of_one_is_the_end_of_both(wire: Wire, goes: str, stays: str) -> None:
    wire.session("bob", "ann")
    wire.session("eve", "dan")
    assert wire.leave(goes) == [(stays, 1000, "")]
    assert (wire.core.members, wire.core.rooms) == (2, 1)
    assert wire.say(stays, "hallo") == []
    assert wire.leave(stays) == []
    wire.hello(stays, "new")  # the same uid, on a new socket
    assert wire.say("new", f"SESSION {stays}") == [("new", "SESSION_OK")]


def test_sessions_are_apart(wire: Wire) -> None:
    wire.session("bob", "ann")
    wire.session("eve", "dan")
    assert wire.say("bob", "x") == [("ann", "x")]
    assert wire.say("dan", "y") == [("eve", "y")]


# ------------------------------------------------------------------------------------------------------------- room


def test_who_enters_learns_who_is_there_and_they_learn_of_it(wire: Wire) -> None:
    wire.hello("a", "b", "c")
    assert wire.say("b", "ROOM hall") == [("b", "ROOM_OK ")]
    assert wire.say("a", "ROOM hall") == [("a", "ROOM_OK b"), ("b", "ROOM_PEER_JOINED a")]
    assert wire.say("c", "ROOM hall") == [("c", "ROOM_OK b a"), ("b", "ROOM_PEER_JOINED c"), ("a", "ROOM_PEER_JOINED c")]
    assert wire.core.rooms == 1


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("ROOM_PEER_MSG b hi", ("b", "ROOM_PEER_MSG a hi")),
        ("ROOM_PEER_MSG b  hi  there ", ("b", "ROOM_PEER_MSG a hi  there ")),
        ('ROOM_PEER_MSG b {"ice": "a\\r\\n"}', ("b", 'ROOM_PEER_MSG a {"ice": "a\\r\\n"}')),
        ("ROOM_PEER_MSG b x\n y\n", ("b", "ROOM_PEER_MSG a x\n y\n")),
        ("ROOM_PEER_MSG a hi", ("a", "ROOM_PEER_MSG a hi")),
        ("ROOM_PEER_MSG nobody hi", ("a", "ERROR peer 'nobody' not found")),
        ("ROOM_PEER_MSG it's hi", ("a", 'ERROR peer "it\'s" not found')),
        ("ROOM_PEER_MSG far hi", ("a", "ERROR peer 'far' is not in the room")),
        ("ROOM_PEER_MSG idle hi", ("a", "ERROR peer 'idle' is not in the room")),
        ("ROOM_PEER_MSG silent hi", ("a", "ERROR peer 'silent' not found")),
        ("ROOM_PEER_MSG b", ("a", "ERROR invalid msg, 'ROOM_PEER_MSG' without what it needs")),
        ("ROOM_PEER_MSG b ", ("a", "ERROR invalid msg, 'ROOM_PEER_MSG' without what it needs")),
        ("ROOM_PEER_MSG", ("a", "ERROR invalid msg, 'ROOM_PEER_MSG' without what it needs")),
        ("ROOM_PEER_LIST", ("a", "ROOM_PEER_LIST b c")),
        ("ROOM_PEER_LIST x", ("a", "ERROR invalid msg, already in room")),
        ("ROOM hall", ("a", "ERROR invalid msg, already in room")),
        ("ROOM other", ("a", "ERROR invalid msg, already in room")),
        ("SESSION idle", ("a", "ERROR invalid msg, already in room")),
        ("SESSION b", ("a", "ERROR invalid msg, already in room")),
        ("HELLO a", ("a", "ERROR invalid msg, already in room")),
        ("", ("a", "ERROR invalid msg, already in room")),
        ("room_peer_list", ("a", "ERROR invalid msg, already in room")),
        (b"ROOM_PEER_LIST", ("a", "ERROR invalid msg, already in room")),
        (b"", ("a", "ERROR invalid msg, already in room")),
    ],
)
def test_a_message_in_a_room(wire: Wire, said: str | bytes, answer: tuple[str, str]) -> None:
    wire.room("hall", "b", "a", "c")
    wire.room("other", "far")
    wire.hello("idle")
    wire.connect("silent")
    assert wire.say("a", said) == [answer]
    assert wire.core.counts.messages == answer[1].startswith("ROOM_PEER_MSG")
    assert sum(wire.core.counts.errors.values()) == answer[1].startswith("ERROR")


def test_the_list_of_a_room_with_nobody_else(wire: Wire) -> None:
    wire.room("hall", "a")
    assert wire.say("a", "ROOM_PEER_LIST") == [("a", "ROOM_PEER_LIST ")]


def test_those_who_stay_hear_who_left(wire: Wire) -> None:
    wire.room("hall", "a", "b", "c")
    assert wire.leave("b") == [("a", "ROOM_PEER_LEFT b"), ("c", "ROOM_PEER_LEFT b")]
    assert wire.say("a", "ROOM_PEER_MSG b hi") == [("a", "ERROR peer 'b' not found")]
    wire.hello("b")
    assert wire.say("b", "ROOM hall") == [("b", "ROOM_OK a c"), ("a", "ROOM_PEER_JOINED b"), ("c", "ROOM_PEER_JOINED b")]


def test_an_empty_room_is_gone(wire: Wire) -> None:
    wire.room("hall", "a", "b")
    wire.leave("a")
    wire.leave("b")
    assert (wire.core.rooms, wire.core.members) == (0, 0)
    wire.hello("c")
    assert wire.say("c", "ROOM hall") == [("c", "ROOM_OK ")]


def test_who_is_in_a_room_cannot_be_called(wire: Wire) -> None:
    wire.room("hall", "a")
    wire.hello("bob")
    assert wire.say("bob", "SESSION a") == [("bob", "ERROR peer 'a' busy")]


# ----------------------------------------------------------------------------------------------------------- limits


def test_one_socket_too_many_is_closed_at_once() -> None:
    wire = Wire(Limits(max_members=2))
    wire.hello("a")
    wire.connect("silent")
    assert wire.connect("b") == [("b", 1013, "too many peers")]
    assert wire.say("b", "HELLO b") == []
    assert wire.core.counts.errors == {"too_many_peers": 1}
    wire.leave("silent")
    wire.hello("c")


def test_rooms_and_sessions_have_one_limit() -> None:
    wire = Wire(Limits(max_rooms=2))
    wire.session("a", "b")
    wire.room("hall", "c")
    wire.hello("d", "e")
    assert wire.say("d", "SESSION e") == [("d", "ERROR too many sessions")]
    assert wire.say("d", "ROOM new") == [("d", "ERROR too many rooms")]
    assert wire.core.counts.errors == {"too_many_rooms": 2}
    assert wire.say("d", "ROOM hall")[0] == ("d", "ROOM_OK c")
    wire.leave("a")
    assert wire.say("e", "ROOM new") == [("e", "ROOM_OK ")]


def test_a_room_can_be_full() -> None:
    wire = Wire(Limits(max_room_members=2))
    wire.room("it's", "a", "b")
    wire.hello("c")
    assert wire.say("c", "ROOM it's") == [("c", 'ERROR room "it\'s" is full')]
    wire.leave("a")
    assert wire.say("c", "ROOM it's") == [("c", "ROOM_OK b"), ("b", "ROOM_PEER_JOINED c")]


# ------------------------------------------------------------------------------------------------------------- ends


def test_at_the_end_every_socket_is_closed(wire: Wire) -> None:
    wire.connect("silent")
    wire.hello("idle")
    wire.session("a", "b")
    wire.room("hall", "c", "d")
    wire.core.stop(NOW)
    names = ["silent", "idle", "a", "b", "c", "d"]
    assert wire.took() == [(name, 1001, "going away") for name in names]
    assert (wire.core.rooms, wire.core.members) == (0, 0)
    assert [wire.leave(name) for name in names] == [[]] * 6
    wire.core.tick(NOW + 2 * HELLO_S)
    assert wire.took() == []


def test_outputs_are_taken_once(wire: Wire) -> None:
    wire.hello("a")
    wire.say("a", "ROOM hall")
    assert wire.core.outputs() == []


def test_strangers_do_no_harm(wire: Wire) -> None:
    wire.core.received(99, "HELLO x", NOW)
    wire.core.left(99, NOW)
    wire.hello("a")
    wire.core.connected(1, Store(0), NOW)  # once more
    assert wire.say("a", "ROOM x") == [("a", "ROOM_OK ")]
