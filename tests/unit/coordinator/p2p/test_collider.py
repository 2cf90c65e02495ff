"""Collider: every command and every error of it, what waits for whom, and for how long a client may be away."""

from __future__ import annotations

import json

import pytest

from coordinator.core.accounts import Account
from coordinator.core.store import MESSAGE_OVERHEAD_BYTES
from coordinator.p2p.core.collider import ABSENCE_S, MAX_QUEUED_MESSAGES, UNREGISTERED_S, Collider
from coordinator.p2p.core.limits import MAX_ID_CHARS, Limits
from coordinator.p2p.core.outputs import Close, Output, Send

ROOM = "r"
ACCOUNT = Account(10**9)
FULL = "Max room capacity reached"
QUEUE_FULL = "Too many messages queued for the client"


class World:
    """A Collider, its outputs by socket, and whom it has removed."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.removed: list[tuple[str, str, float]] = []
        self.secrets: set[tuple[str, str]] = set()
        self.core = Collider(
            limits or Limits(),
            knows=lambda room, client: (room, client) in self.secrets,
            removed=lambda room, client, now: self.removed.append((room, client, now)),
        )
        self.now = 0.0
        self.keys = 0

    def socket(self) -> int:
        self.keys += 1
        self.core.connected(self.keys, ACCOUNT, self.now)
        return self.keys

    def say(self, key: int, data: str | bytes | dict[str, object]) -> list[Output]:
        self.core.received(key, json.dumps(data) if isinstance(data, dict) else data, self.now)
        return self.core.outputs()

    def register(self, client: str, room: str = ROOM) -> tuple[int, list[Output]]:
        key = self.socket()
        return key, self.say(key, {"cmd": "register", "roomid": room, "clientid": client})

    def here(self, client: str, room: str = ROOM) -> int:
        key, outputs = self.register(client, room)
        assert outputs == []
        return key

    def send(self, key: int, msg: str) -> list[Output]:
        return self.say(key, {"cmd": "send", "msg": msg})

    def post(self, client: str, text: str, room: str = ROOM) -> str | None:
        return self.core.post(room, client, text, ACCOUNT, self.now)

    def leave(self, key: int) -> None:
        self.core.left(key, self.now)

    def later(self, seconds: float) -> list[Output]:
        self.now += seconds
        self.core.tick(self.now)
        return self.core.outputs()

    @property
    def is_empty(self) -> bool:
        core = self.core
        kept = (core._sockets, core._rooms, core._absent, core._absences._ends, core._unregistered._ends)
        return (core.rooms, core.members, core.registered) == (0, 0, 0) and not any(kept)


@pytest.fixture
def world() -> World:
    return World()


def heard(key: int, *texts: str) -> list[Output]:
    return [Send(key, json.dumps({"msg": text, "error": ""}, separators=(",", ":")) + "\n") for text in texts]


def refused(key: int, error: str) -> list[Output]:
    return [Send(key, f'{{"msg":"","error":"{error}"}}\n'), Close(key, 1000, "")]


# ------------------------------------------------------------------------------------------------------------ sockets


def test_neither_register_nor_send_is_acknowledged(world: World) -> None:
    one, two = world.here("1"), world.here("2")
    assert world.send(one, "hello") == heard(two, "hello")
    assert world.send(two, "hi") == heard(one, "hi")
    assert (world.core.counts.messages, world.core.registrations, world.core.registered) == (2, 2, 2)


def test_the_frame_of_a_message_to_the_letter(world: World) -> None:
    one, two = world.here("1"), world.here("2")
    assert world.send(one, "x") == [Send(two, '{"msg":"x","error":""}\n')]


def test_binary_frames_and_repeated_ids_are_as_good(world: World) -> None:
    key = world.socket()
    assert world.say(key, b'{"cmd":"register","roomid":"r","clientid":"1"}\n') == []
    two = world.here("2")
    assert world.say(key, b'{"cmd":"send","roomid":"other","clientid":"2","msg":"m"}\n') == heard(two, "m")


def _registered(world: World) -> int:
    return world.here("1")


def _full_room(world: World) -> int:
    world.here("1")
    world.here("2")
    return world.socket()


def _taken(world: World) -> int:
    world.here("1")
    return world.socket()


ERRORS = [
    (_registered, '{"cmd":"register","roomid":"r","clientid":"1"}', "Duplicated register request", "duplicated_register"),
    (_registered, '{"cmd":"register"}', "Duplicated register request", "duplicated_register"),
    *(
        (World.socket, data, "Invalid register request: missing 'clientid' or 'roomid'", "register_without_id")
        for data in (
            '{"cmd":"register"}',
            '{"cmd":"register","roomid":"r"}',
            '{"cmd":"register","clientid":"1"}',
            '{"cmd":"register","roomid":"","clientid":"1"}',
            '{"cmd":"register","roomid":"r","clientid":null}',
        )
    ),
    (_taken, '{"cmd":"register","roomid":"r","clientid":"1"}', "Duplicated registration", "duplicated_registration"),
    (_full_room, '{"cmd":"register","roomid":"r","clientid":"3"}', FULL, "room_full"),
    (World.socket, '{"cmd":"send","msg":"m"}', "Client not registered", "not_registered"),
    (World.socket, '{"cmd":"send"}', "Client not registered", "not_registered"),
    (_registered, '{"cmd":"send"}', "Invalid send request: missing 'msg'", "send_without_msg"),
    (_registered, '{"cmd":"send","msg":""}', "Invalid send request: missing 'msg'", "send_without_msg"),
    (World.socket, "hello", "websocket.JSON.Receive error: this is no JSON", "malformed"),
    (_registered, b"\xff", "websocket.JSON.Receive error: this is no JSON", "malformed"),
    (_registered, '{"cmd":"send","msg":1}', "websocket.JSON.Receive error: msg is no string", "malformed"),
    (World.socket, f'{{"cmd":"register","roomid":"r","clientid":"{"c" * (MAX_ID_CHARS + 1)}"}}', FULL, "id_too_long"),
]


@pytest.mark.parametrize(("prepare", "data", "error", "name"), ERRORS, ids=range(len(ERRORS)))
def test_errors_that_end_the_socket(world: World, prepare: object, data: str | bytes, error: str, name: str) -> None:
    assert callable(prepare)
    key = prepare(world)
    assert world.say(key, data) == refused(key, error)
    assert (world.core.ws_errors, world.core.http_errors, world.core.counts.errors) == (1, 0, {name: 1})
    assert world.say(key, '{"cmd":"send","msg":"m"}') == [], "it is forgotten"
    world.leave(key)
    world.later(ABSENCE_S)
    assert world.core.members == world.core.registered


@pytest.mark.parametrize("data", ['{"cmd":"bye"}', '{"msg":"m"}', "{}", "null", '{"cmd":""}', '{"CMD":"send"}'])
@pytest.mark.parametrize("prepare", [World.socket, _registered])
def test_another_command_is_an_error_and_the_socket_stays(world: World, prepare: object, data: str) -> None:
    assert callable(prepare)
    key = prepare(world)
    assert world.say(key, data) == [Send(key, '{"msg":"","error":"Invalid message: unexpected \'cmd\'"}\n')]
    assert world.core.ws_errors == 1
    other = world.here("2")
    if prepare is World.socket:
        assert world.say(key, {"cmd": "register", "roomid": ROOM, "clientid": "1"}) == []
    assert world.send(key, "still here") == heard(other, "still here")


def test_a_send_without_a_message_does_not_repeat_the_last_one(world: World) -> None:
    one = world.here("1")
    world.here("2")
    world.send(one, "m")
    assert world.say(one, '{"cmd":"send"}') == refused(one, "Invalid send request: missing 'msg'")


def test_who_registers_as_somebody_who_is_here_changes_nothing_for_him(world: World) -> None:
    one, two = world.here("1"), world.here("2")
    thief, outputs = world.register("1")
    assert outputs == refused(thief, "Duplicated registration")
    assert world.send(two, "m") == heard(one, "m")


def test_a_refused_socket_that_was_registered_leaves_its_client_time_to_come_back(world: World) -> None:
    one = world.here("1")
    world.say(one, "nonsense")
    world.later(ABSENCE_S - 1)
    world.here("1")
    world.later(ABSENCE_S)
    assert world.removed == []


def test_rooms_do_not_hear_one_another(world: World) -> None:
    one, _ = world.here("1", "a"), world.here("2", "b")
    assert world.send(one, "m") == []
    assert world.core.rooms == 2


# ------------------------------------------------------------------------------------------------------------ waiting


def test_what_is_said_alone_waits_for_the_next_in_order_once(world: World) -> None:
    one = world.here("1")
    for text in "abc":
        assert world.send(one, text) == []
    two, outputs = world.register("2")
    assert outputs == heard(two, "a", "b", "c")
    world.leave(two)
    assert world.register("2")[1] == []


def test_what_is_posted_waits_too(world: World) -> None:
    assert world.post("1", "a") is None
    assert world.post("1", "b") is None
    two, outputs = world.register("2")
    assert outputs == heard(two, "a", "b")
    assert world.post("1", "c") is None
    assert world.core.outputs() == heard(two, "c")


def test_what_is_said_to_a_peer_without_a_socket_waits_for_it(world: World) -> None:
    one, two = world.here("1"), world.here("2")
    world.leave(two)
    assert world.send(one, "missed") == []
    world.later(ABSENCE_S - 1)
    again, outputs = world.register("2")
    assert outputs == heard(again, "missed")


def test_two_that_have_only_posted_hear_one_another_when_they_come(world: World) -> None:
    world.post("1", "from 1")
    world.post("2", "from 2")
    one, outputs = world.register("1")
    assert outputs == heard(one, "from 2")
    two, outputs = world.register("2")
    assert outputs == heard(two, "from 1")


def test_nothing_comes_back_to_its_sender(world: World) -> None:
    one = world.here("1")
    world.send(one, "m")
    world.leave(one)
    assert world.register("1")[1] == []
    two, outputs = world.register("2")
    assert outputs == heard(two, "m")


def test_what_waits_is_for_whoever_comes_although_its_first_receiver_was_removed(world: World) -> None:
    one, two = world.here("1"), world.here("2")
    world.leave(two)
    world.send(one, "m")
    world.later(ABSENCE_S)
    three, outputs = world.register("3")
    assert outputs == heard(three, "m")


def test_so_many_wait(world: World) -> None:
    one = world.here("1")
    for number in range(MAX_QUEUED_MESSAGES):
        world.send(one, str(number))
    assert world.send(one, "too many") == [], "a sender is not told"
    assert world.post("1", "too many") == f"Failed to send the message: {QUEUE_FULL}"
    assert (world.core.ws_errors, world.core.http_errors, world.core.counts.errors) == (0, 1, {"queue_full": 2})
    assert world.core.counts.messages == MAX_QUEUED_MESSAGES
    two, outputs = world.register("2")
    assert outputs == heard(two, *map(str, range(MAX_QUEUED_MESSAGES)))


def test_so_much_waits_in_a_room_in_bytes_with_what_each_message_costs_beside() -> None:
    world = World(Limits(max_room_bytes=2 * MESSAGE_OVERHEAD_BYTES + 10))
    assert world.post("1", "\U0001f600xx") is None
    assert world.post("2", "\U0001f600x") == f"Failed to send the message: {QUEUE_FULL}", "6 + 5 bytes"
    assert world.post("2", "\U0001f600") is None
    one, _ = world.register("1")
    assert world.post("2", "delivered, so however long" * 100) is None
    world.leave(one)
    assert world.post("2", "1234") is None, "what was delivered takes no space"
    assert world.post("2", "") == "Empty request body"
    assert world.post("2", "1") == f"Failed to send the message: {QUEUE_FULL}"


def test_half_a_surrogate_pair_waits_like_anything_else(world: World) -> None:
    one = world.here("1")
    world.say(one, b'{"cmd":"send","msg":"\\ud83d"}')
    two, outputs = world.register("2")
    assert outputs == [Send(two, '{"msg":"\\ud83d","error":""}\n')]


def test_who_is_removed_takes_what_he_has_said_and_its_space_with_him() -> None:
    world = World(Limits(max_room_bytes=MESSAGE_OVERHEAD_BYTES + 10))
    assert world.post("1", "1234567890") is None
    two, _ = world.register("2")
    world.leave(two)
    assert world.post("1", "1234567890") is None
    assert world.post("2", "1") is not None
    world.core.delete(ROOM, "1", 0.0)
    assert world.post("2", "1234567890") is None


# ------------------------------------------------------------------------------------------------------------ by HTTP


def test_an_empty_message_is_none(world: World) -> None:
    assert world.post("1", "") == "Empty request body"
    assert world.is_empty
    assert (world.core.http_errors, world.core.counts.errors) == (1, {"empty_body": 1})


def test_the_third_may_not_post(world: World) -> None:
    world.here("1")
    world.post("2", "m")
    assert world.post("3", "m") == f"Failed to send the message: {FULL}"
    assert world.core.members == 2


def test_a_posted_message_reaches_the_peer(world: World) -> None:
    one = world.here("1")
    assert world.post("2", "m") is None
    assert world.core.outputs() == heard(one, "m")
    assert (world.core.members, world.core.registered) == (2, 1)


def test_deleting_closes_the_socket_and_drops_the_queue(world: World) -> None:
    one = world.here("1")
    world.send(one, "m")
    world.now = 5.0
    world.core.delete(ROOM, "1", world.now)
    assert world.core.outputs() == [Close(one, 1000, "")]
    assert world.removed == [(ROOM, "1", 5.0)]
    world.leave(one)
    assert world.is_empty
    assert world.register("2")[1] == []


def test_deleting_tells_the_peer_nothing_and_leaves_what_it_has_said(world: World) -> None:
    one, two = world.here("1"), world.here("2")
    world.core.delete(ROOM, "1", 0.0)
    assert world.core.outputs() == [Close(one, 1000, "")]
    assert world.send(two, "for the next") == []
    three, outputs = world.register("3")
    assert outputs == heard(three, "for the next")


def test_deleting_who_has_only_posted(world: World) -> None:
    world.post("1", "m")
    world.core.delete(ROOM, "1", 0.0)
    assert world.core.outputs() == []
    assert world.removed == [(ROOM, "1", 0.0)]
    assert world.is_empty


@pytest.mark.parametrize(("room", "client"), [("other", "1"), (ROOM, "2"), ("", "")])
def test_deleting_nobody(world: World, room: str, client: str) -> None:
    world.here("1")
    world.core.delete(room, client, 0.0)
    assert world.core.outputs() == []
    assert (world.removed, world.core.members) == ([], 1)


def test_a_refused_request_is_counted(world: World) -> None:
    assert world.core.refuse_request("Invalid path: /", "invalid_path") == "Invalid path: /"
    assert (world.core.http_errors, world.core.counts.errors) == (1, {"invalid_path": 1})


# --------------------------------------------------------------------------------------------------------------- time


def test_who_has_no_socket_is_removed(world: World) -> None:
    world.here("2")
    world.post("1", "m")
    assert world.core.next_deadline() == ABSENCE_S
    world.later(ABSENCE_S - 0.1)
    assert world.removed == []
    world.later(0.1)
    assert world.removed == [(ROOM, "1", ABSENCE_S)]
    assert world.core.holds(ROOM, "2")
    assert not world.core.holds(ROOM, "1")


def test_posting_again_gives_no_more_time(world: World) -> None:
    world.post("1", "m")
    world.later(ABSENCE_S - 1)
    world.post("1", "m")
    world.later(1.0)
    assert len(world.removed) == 1


def test_who_lost_his_socket_may_come_back_in_time(world: World) -> None:
    one = world.here("1")
    world.now = 100.0
    world.leave(one)
    world.later(ABSENCE_S - 0.1)
    again = world.here("1")
    world.later(1_000 * ABSENCE_S)
    assert world.removed == []
    world.leave(again)
    world.later(ABSENCE_S)
    assert world.removed == [(ROOM, "1", world.now)]
    assert world.is_empty


def test_coming_and_going_many_times(world: World) -> None:
    for _ in range(200):
        one = world.here("1")
        world.later(ABSENCE_S / 2)
        world.leave(one)
        world.later(ABSENCE_S / 2)
    assert world.removed == []
    assert len(world.core._absences) < 100
    world.later(ABSENCE_S)
    assert len(world.removed) == 1
    assert world.is_empty


def test_a_registered_socket_may_be_silent_for_ever(world: World) -> None:
    world.here("1")
    assert world.later(10 * UNREGISTERED_S) == []
    assert world.core.registered == 1


def test_an_unregistered_socket_ends_after_a_day(world: World) -> None:
    key = world.socket()
    assert world.core.next_deadline() == UNREGISTERED_S
    assert world.later(UNREGISTERED_S - 1) == []
    assert world.later(1.0) == refused(key, "websocket.JSON.Receive error: i/o timeout")
    assert world.is_empty


def test_a_late_tick_gives_no_more_time(world: World) -> None:
    world.post("1", "old")
    world.now = ABSENCE_S
    assert world.register("2")[1] == []
    assert world.removed == [(ROOM, "1", ABSENCE_S)]


def test_a_late_tick_keeps_no_place(world: World) -> None:
    world.post("1", "old")
    world.post("2", "old")
    world.now = ABSENCE_S
    assert world.post("3", "new") is None
    assert world.removed == [(ROOM, "1", ABSENCE_S), (ROOM, "2", ABSENCE_S)]
    world.now *= 2
    world.core.delete(ROOM, "4", world.now)
    assert world.is_empty


def test_a_socket_that_left_before_it_registered(world: World) -> None:
    world.leave(world.socket())
    world.leave(77)
    assert world.is_empty
    assert world.say(77, '{"cmd":"send"}') == []


# ------------------------------------------------------------------------------------------------------------- limits


def test_no_more_rooms_than_that() -> None:
    world = World(Limits(max_rooms=1))
    world.here("1", "a")
    key, outputs = world.register("1", "b")
    assert outputs == refused(key, FULL)
    assert world.post("1", "m", "b") == f"Failed to send the message: {FULL}"
    world.here("2", "a")
    assert world.core.counts.errors == {"server_full": 2}


def test_no_more_members_than_that() -> None:
    world = World(Limits(max_members=2))
    world.post("1", "m", "a")
    world.post("1", "m", "b")
    assert world.post("2", "m", "a") == f"Failed to send the message: {FULL}"
    world.here("1", "a")
    assert world.core.members == 2


def test_no_more_sockets_than_that() -> None:
    world = World(Limits(max_members=2))
    one, _ = world.socket(), world.socket()
    three = world.socket()
    assert world.core.outputs() == refused(three, FULL)
    assert world.core.counts.errors == {"too_many_sockets": 1}
    world.leave(three)
    world.leave(one)
    assert world.here("1")


# ------------------------------------------------------------------------------------------------------------ the rest


def test_whose_id_is_a_secret_is_found_out_when_he_comes(world: World) -> None:
    world.secrets.add((ROOM, "1"))
    world.here("1")
    world.post("2", "m")
    world.secrets = {(ROOM, "2")}
    assert world.core.vouches(ROOM, "1"), "it stays one although he has left the room"
    assert not world.core.vouches(ROOM, "2")
    assert not world.core.vouches(ROOM, "3")
    world.core.delete(ROOM, "1", 0.0)
    assert not world.core.vouches(ROOM, "1")


def test_stopping(world: World) -> None:
    one, two, three = world.here("1"), world.socket(), world.here("1", "b")
    world.post("2", "m")
    world.core.outputs()
    world.core.stop(1.0)
    assert world.core.outputs() == [Close(key, 1001, "going away") for key in (one, two, three)]
    assert world.is_empty
    assert world.removed == []
    assert world.later(2 * UNREGISTERED_S) == []
    assert world.core.next_deadline() is None
    for key in (one, two, three):
        world.leave(key)
    assert world.is_empty


def test_a_key_is_connected_once(world: World) -> None:
    one = world.here("1")
    world.core.connected(one, ACCOUNT, 0.0)
    world.here("2")
    assert len(world.send(one, "m")) == 1


def test_no_more_clients_of_an_address_than_that(world: World) -> None:
    mine = Account(10**9, max_places=1)
    assert world.core.post("a", "1", "x", mine, 0.0) is None
    assert world.core.post("a", "1", "x", mine, 0.0) is None, "it is there"
    assert world.core.has_no_place("b", "1", mine, 0.0) == f"Failed to send the message: {FULL}"
    assert world.core.post("b", "1", "x", mine, 0.0) == f"Failed to send the message: {FULL}"
    assert world.core.has_no_place("b", "1", ACCOUNT, 0.0) is None
    world.core.connected(1, mine, 0.0)
    assert world.say(1, {"cmd": "register", "roomid": "b", "clientid": "1"})[-1] == Close(1, 1000, "")
    assert world.core.counts.errors == {"address_full": 3}
    world.core.delete("a", "1", 0.0)
    assert mine.is_empty
    assert world.core.post("b", "1", "x", mine, 0.0) is None
    world.later(ABSENCE_S)
    assert mine.is_empty
