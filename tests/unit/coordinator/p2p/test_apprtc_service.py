"""Room server and Collider together: calls as AppRTC's clients make them, and what holds between the two halves."""

from __future__ import annotations

import json
import random

import pytest

from coordinator.core.accounts import Account
from coordinator.p2p.core.apprtc import LOOPBACK_CLIENT_ID, MAX_STORED_MESSAGES, ROOM_LIFETIME_S, Joined, Result
from coordinator.p2p.core.apprtc_newcomers import PATIENCE_S
from coordinator.p2p.core.apprtc_service import AppRtc
from coordinator.p2p.core.collider import ABSENCE_S, MAX_QUEUED_MESSAGES
from coordinator.p2p.core.limits import Limits
from coordinator.p2p.core.outputs import Close, Output, Send

ROOM = "room-1"
ACCOUNT = Account(10**9)


class World:
    """One AppRTC, and a clock."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.core = AppRtc(limits or Limits(), random.Random(1))
        self.now = 0.0
        self._keys = 0

    def join(self, *, loopback: bool = False) -> Joined:
        joined = self.core.join(ROOM, ACCOUNT, self.now, loopback=loopback)
        assert isinstance(joined, Joined)
        return joined

    def register(self, client: str) -> tuple[int, list[str]]:
        """The key of the socket, and what it heard."""
        self._keys += 1
        key = self._keys
        self.core.connected(key, ACCOUNT, self.now)
        self.core.received(key, json.dumps({"cmd": "register", "roomid": ROOM, "clientid": client}), self.now)
        return key, heard(self.core.outputs(), key)

    def say(self, key: int, text: str) -> list[Output]:
        self.core.received(key, json.dumps({"cmd": "send", "msg": text}), self.now)
        return self.core.outputs()

    def message(self, client: str, body: str | bytes, room: str = ROOM) -> Result | None:
        return self.core.message(room, client, body if isinstance(body, bytes) else body.encode(), ACCOUNT, self.now)

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.core.tick(self.now)


def heard(outputs: list[Output], key: int) -> list[str]:
    texts = []
    for output in outputs:
        assert isinstance(output, Send)
        assert output.key == key
        texts.append(json.loads(output.data)["msg"])
    return texts


@pytest.fixture
def world() -> World:
    return World()


def test_a_call_from_the_first_join_to_the_last_delete(world: World) -> None:
    caller = world.join().client
    caller_key, _ = world.register(caller)
    assert world.message(caller, "offer") is Result.SUCCESS
    assert world.message(caller, "candidate 1") is Result.SUCCESS
    callee = world.join()
    assert callee.messages == ("offer", "candidate 1")
    callee_key, waiting = world.register(callee.client)
    assert waiting == []
    assert heard(world.say(callee_key, "answer"), caller_key) == ["answer"]
    assert world.message(caller, "candidate 2") is Result.SUCCESS
    assert heard(world.core.outputs(), callee_key) == ["candidate 2"]

    assert world.core.leave(ROOM, callee.client, world.now) is Result.SUCCESS
    assert heard(world.say(callee_key, "bye"), caller_key) == ["bye"]
    world.core.left(callee_key, world.now)
    world.core.delete(ROOM, callee.client, world.now)
    assert world.message(caller, "offer again") is Result.SUCCESS

    again = world.join()
    assert (again.is_initiator, again.messages) == (False, ("offer again",))
    assert (world.core.rooms, world.core.members, world.core.counts.joined) == (1, 2, 3)
    assert world.core.counts.messages == 6


def test_what_the_first_says_before_the_second_has_a_socket_waits(world: World) -> None:
    caller, callee = world.join().client, world.join().client
    assert world.message(caller, "offer") is Result.SUCCESS
    assert world.register(callee)[1] == ["offer"]


def test_a_message_that_is_no_text(world: World) -> None:
    caller = world.join().client
    assert world.message(caller, b"\xff") is Result.ERROR
    assert world.core.counts.errors == {"message_not_utf8": 1}
    assert world.message(caller, b"\xff", "other") is Result.UNKNOWN_ROOM, "which needs no reading"
    assert world.join().messages == ()


@pytest.mark.parametrize(
    ("room", "client", "result"),
    [("other", None, Result.UNKNOWN_ROOM), (ROOM, "nobody", Result.UNKNOWN_CLIENT), (ROOM, None, Result.SUCCESS)],
)
def test_messages_of_strangers(world: World, room: str, client: str | None, result: Result) -> None:
    caller = world.join().client
    assert world.message(client or caller, "x", room) is result


def test_too_many_stored_messages(world: World) -> None:
    caller = world.join().client
    for _ in range(MAX_STORED_MESSAGES):
        assert world.message(caller, "x") is Result.SUCCESS
    assert world.message(caller, "x") is Result.ERROR


def test_what_collider_does_not_take(world: World) -> None:
    caller, _ = world.join().client, world.join()
    assert world.message(caller, "") is None
    for _ in range(MAX_QUEUED_MESSAGES):
        assert world.message(caller, "x") is Result.SUCCESS
    assert world.message(caller, "x") is None
    assert world.core.counts.errors == {"empty_body": 1, "queue_full": 1}


# ---------------------------------------------------------------------------------------------------- ends


def test_who_crashed_makes_place_after_ten_seconds(world: World) -> None:
    caller = world.join().client
    caller_key, _ = world.register(caller)
    callee = world.join().client
    callee_key, _ = world.register(callee)
    world.core.left(callee_key, world.now)
    world.later(ABSENCE_S - 0.1)
    assert world.core.join(ROOM, ACCOUNT, world.now) is Result.FULL
    world.later(0.1)
    assert not world.join().is_initiator
    assert world.core.outputs() == [], "nobody is told"
    world.core.left(caller_key, world.now)


def test_who_comes_back_in_time_is_still_in(world: World) -> None:
    caller = world.join().client
    key, _ = world.register(caller)
    world.core.left(key, world.now)
    world.later(ABSENCE_S - 0.1)
    world.register(caller)
    world.later(10 * ABSENCE_S)
    assert world.core.members == 1


def test_a_delete_ends_the_stay_in_the_room(world: World) -> None:
    caller = world.join().client
    key, _ = world.register(caller)
    world.core.delete(ROOM, caller, world.now)
    assert world.core.outputs() == [Close(key, 1000, "")]
    assert (world.core.rooms, world.core.collider.rooms) == (0, 0)


def test_a_delete_of_one_that_collider_does_not_have_ends_nothing(world: World) -> None:
    caller = world.join().client
    world.core.delete(ROOM, caller, world.now)
    assert world.core.rooms == 1


@pytest.mark.parametrize("has_socket", [False, True])
def test_bye_ends_it_everywhere(world: World, has_socket: bool) -> None:
    caller = world.join().client
    key = world.register(caller)[0] if has_socket else 0
    world.core.bye(ROOM, caller, world.now)
    assert world.core.outputs() == ([Close(key, 1000, "")] if has_socket else [])
    assert (world.core.rooms, world.core.collider.rooms) == (0, 0)
    world.core.bye(ROOM, caller, world.now)


def test_bye_of_the_loopback_leaves_who_called_himself(world: World) -> None:
    joined = world.join(loopback=True)
    world.core.bye(ROOM, LOOPBACK_CLIENT_ID, world.now)
    assert world.core.members == 1
    world.core.bye(ROOM, joined.client, world.now)
    assert world.core.rooms == 0


def test_a_call_to_oneself(world: World) -> None:
    caller = world.join(loopback=True).client
    caller_key, _ = world.register(caller)
    assert world.message(caller, "offer") is Result.SUCCESS
    echo, waiting = world.register(LOOPBACK_CLIENT_ID)
    assert waiting == ["offer"]
    assert heard(world.say(echo, "answer"), caller_key) == ["answer"]
    world.core.leave(ROOM, caller, world.now)
    for key in (caller_key, echo):
        world.core.left(key, world.now)
    world.later(ABSENCE_S)
    assert (world.core.members, world.core.collider.members) == (0, 0)


# ---------------------------------------------------------------------------------------------------- vouching


def test_a_client_is_vouched_for_from_its_join_until_collider_has_forgotten_it_too(world: World) -> None:
    caller = world.join().client
    assert world.core.vouches(ROOM, caller)
    assert not world.core.vouches(ROOM, "12345678")
    key, _ = world.register(caller)
    world.core.leave(ROOM, caller, world.now)
    assert world.core.vouches(ROOM, caller)
    assert world.core.holds(ROOM, caller)
    world.core.left(key, world.now)
    world.later(ABSENCE_S)
    assert not world.core.vouches(ROOM, caller)
    assert not world.core.holds(ROOM, caller)


def test_who_came_to_collider_without_a_join_is_not(world: World) -> None:
    world.register("alice")
    world.join(loopback=True)
    world.register(LOOPBACK_CLIENT_ID)
    for client in ("alice", LOOPBACK_CLIENT_ID):
        assert world.core.holds(ROOM, client)
        assert not world.core.vouches(ROOM, client)


# ---------------------------------------------------------------------------------------------------- time, limits


def test_the_next_deadline_is_of_either_half(world: World) -> None:
    assert world.core.next_deadline() is None
    caller = world.join().client
    assert world.core.next_deadline() == PATIENCE_S
    world.core.post(ROOM, caller, "x", ACCOUNT, 1.0)
    assert world.core.next_deadline() == 1.0 + ABSENCE_S


def test_a_room_that_was_forgotten_keeps_its_sockets(world: World) -> None:
    caller, callee = world.join().client, world.join().client
    caller_key, _ = world.register(caller)
    callee_key, _ = world.register(callee)
    world.later(ROOM_LIFETIME_S)
    assert world.core.room_server.rooms == 0
    assert heard(world.say(caller_key, "still here"), callee_key) == ["still here"]


def test_who_never_comes_to_collider_makes_place_after_a_minute(world: World) -> None:
    caller, silent = world.join().client, world.join().client
    world.register(caller)
    assert world.core.join(ROOM, ACCOUNT, 1.0) is Result.FULL
    world.later(PATIENCE_S - 1)
    assert world.core.holds(ROOM, silent)
    world.later(1)
    assert not world.core.holds(ROOM, silent)
    assert world.core.holds(ROOM, caller), "whom Collider knows it will miss itself"
    assert world.core.counts.errors["never_registered"] == 1
    world.later(10 * PATIENCE_S)
    assert world.core.holds(ROOM, caller)


def test_who_says_something_by_http_is_waited_for_longer(world: World) -> None:
    caller = world.join().client
    world.later(PATIENCE_S - 1)
    assert world.core.message(ROOM, caller, b"offer", ACCOUNT, world.now) is Result.SUCCESS
    world.later(PATIENCE_S - 1)
    assert world.core.holds(ROOM, caller)
    world.later(1)
    assert not world.core.holds(ROOM, caller)


def test_who_has_left_is_not_waited_for(world: World) -> None:
    caller = world.join().client
    world.core.leave(ROOM, caller, 1.0)
    world.later(PATIENCE_S)
    assert "never_registered" not in world.core.counts.errors


def test_both_halves_have_the_limits() -> None:
    world = World(Limits(max_members=1))
    caller = world.join().client
    assert world.core.join(ROOM, ACCOUNT, 0.0) is Result.ERROR
    world.core.post(ROOM, caller, "x", ACCOUNT, 0.0)
    assert world.core.post(ROOM, "other", "x", ACCOUNT, 0.0) is not None


def test_a_place_is_free_again_when_collider_misses_its_client_or_never_saw_it(world: World) -> None:
    account = Account(10**9, max_places=2)
    for number, gone in enumerate((ABSENCE_S, PATIENCE_S)):
        joined = world.core.join(f"room-{number}", account, world.now)
        assert isinstance(joined, Joined)
        if gone == ABSENCE_S:
            world.core.post(f"room-{number}", joined.client, "x", account, world.now)
            assert (account.places.taken, account.clients.taken) == (1, 1)
        world.later(gone)
        assert account.is_empty


@pytest.mark.parametrize("end", ["bye", "delete", "stop"])
def test_a_place_is_free_again_when_it_is_given_up(world: World, end: str) -> None:
    account = Account(10**9, max_places=2)
    joined = world.core.join(ROOM, account, world.now)
    assert isinstance(joined, Joined)
    world.core.post(ROOM, joined.client, "x", account, world.now)
    if end == "stop":
        world.core.stop(world.now)
    else:
        getattr(world.core, end)(ROOM, joined.client, world.now)
    assert account.is_empty


def test_stopping(world: World) -> None:
    caller = world.join().client
    key, _ = world.register(caller)
    world.core.stop(world.now)
    assert world.core.outputs() == [Close(key, 1001, "going away")]
    assert (world.core.rooms, world.core.members, world.core.collider.rooms) == (0, 0, 0)
    world.later(2 * ROOM_LIFETIME_S)
    assert world.core.next_deadline() is None


def test_who_is_at_collider_alone_counts_too(world: World) -> None:
    """Somebody else's room server sends its clients to our Collider."""
    caller = world.join().client
    world.register(caller)
    assert (world.core.rooms, world.core.members) == (1, 1)
    world.register("stranger")
    assert (world.core.rooms, world.core.members) == (1, 2)
    world.core.leave(ROOM, caller, world.now)
    assert (world.core.rooms, world.core.members) == (1, 2), "he is at Collider still"
