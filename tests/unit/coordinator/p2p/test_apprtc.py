"""The room server of AppRTC: who may come in, what waits for whom, and that nothing stays of those who left."""

from __future__ import annotations

import random

import pytest

from coordinator.core.accounts import Account
from coordinator.core.store import MESSAGE_OVERHEAD_BYTES
from coordinator.p2p.core.apprtc import LOOPBACK_CLIENT_ID, MAX_STORED_MESSAGES, ROOM_LIFETIME_S, Joined, Result, Rooms
from coordinator.p2p.core.limits import Limits

ROOM = "room-1"
ACCOUNT = Account(10**9)


class Digits(random.Random):
    """Draws what it is told, and the last of it for ever."""

    def __init__(self, *numbers: int) -> None:
        super().__init__(0)
        self._numbers = list(numbers)

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        return self._numbers.pop(0) if len(self._numbers) > 1 else self._numbers[0]


@pytest.fixture
def rooms() -> Rooms:
    return Rooms(Limits(), random.Random(1))


def join(rooms: Rooms, room: str = ROOM, now: float = 0.0, **options: bool) -> Joined:
    joined = rooms.join(room, ACCOUNT, now, **options)
    assert isinstance(joined, Joined)
    return joined


def enter(rooms: Rooms, room: str = ROOM, now: float = 0.0) -> str:
    return join(rooms, room, now).client


def fill(rooms: Rooms) -> None:
    enter(rooms)
    enter(rooms)


# -------------------------------------------------------------------------------------------------------------- join


def test_the_first_is_initiator_and_finds_nothing(rooms: Rooms) -> None:
    joined = join(rooms)
    assert (joined.is_initiator, joined.messages) == (True, ())
    assert (rooms.rooms, rooms.members, rooms.counts.joined) == (1, 1, 1)


def test_a_client_id_is_eight_digits(rooms: Rooms) -> None:
    for number in range(200):
        client = enter(rooms, f"room-{number}")
        assert len(client) == 8
        assert client.isascii()
        assert client.isdecimal()


def test_a_small_number_keeps_its_zeros() -> None:
    assert enter(Rooms(Limits(), Digits(42))) == "00000042"


def test_the_second_gets_what_the_first_has_stored_in_order_once(rooms: Rooms) -> None:
    first = enter(rooms)
    for text in ("one", "two", "", "two"):
        assert rooms.store(ROOM, first, text, ACCOUNT, 0.0) is Result.SUCCESS
    second = join(rooms)
    assert (second.is_initiator, second.messages) == (False, ("one", "two", "", "two"))
    assert second.client != first
    rooms.leave(ROOM, second.client, 0.0)
    assert join(rooms).messages == ()


def test_the_third_finds_it_full(rooms: Rooms) -> None:
    fill(rooms)
    assert rooms.join(ROOM, ACCOUNT, 0.0) is Result.FULL
    assert rooms.counts.errors == {"room_full": 1}
    assert rooms.members == 2


def test_a_call_to_oneself_takes_both_places(rooms: Rooms) -> None:
    joined = join(rooms, loopback=True)
    assert (joined.is_initiator, joined.messages) == (True, ())
    assert rooms.occupancy(ROOM, 0.0) == 2
    assert rooms.join(ROOM, ACCOUNT, 0.0) is Result.FULL
    assert rooms.store(ROOM, joined.client, "offer", ACCOUNT, 0.0) is None, "the loopback is there to hear it"


def test_loopback_means_nothing_to_who_comes_second(rooms: Rooms) -> None:
    enter(rooms)
    assert not join(rooms, loopback=True).is_initiator
    assert rooms.members == 2
    assert not rooms.holds(ROOM, LOOPBACK_CLIENT_ID)


def test_an_id_that_is_taken_is_drawn_again() -> None:
    rooms = Rooms(Limits(), Digits(7, 7, 7, 8))
    assert [enter(rooms), enter(rooms)] == ["00000007", "00000008"]


def test_no_free_id_to_be_had_is_a_duplicate() -> None:
    rooms = Rooms(Limits(), Digits(7))
    enter(rooms)
    assert rooms.join(ROOM, ACCOUNT, 0.0) is Result.DUPLICATE_CLIENT
    assert rooms.members == 1
    assert enter(rooms, "another-room") == "00000007"


# ----------------------------------------------------------------------------------------------------------- messages


def test_with_two_in_the_room_a_message_is_for_collider(rooms: Rooms) -> None:
    first, second = enter(rooms), enter(rooms)
    assert rooms.store(ROOM, first, "x", ACCOUNT, 0.0) is None
    assert rooms.store(ROOM, second, "x", ACCOUNT, 0.0) is None
    assert rooms.counts.messages == 0


@pytest.mark.parametrize(
    ("room", "client", "result"),
    [
        ("other", "00000007", Result.UNKNOWN_ROOM),
        (ROOM, "00000008", Result.UNKNOWN_CLIENT),
        (ROOM, LOOPBACK_CLIENT_ID, Result.UNKNOWN_CLIENT),
        (ROOM, "00000007", Result.SUCCESS),
    ],
)
def test_who_may_store_and_who_may_leave(room: str, client: str, result: Result) -> None:
    rooms = Rooms(Limits(), Digits(7))
    enter(rooms)
    assert rooms.store(room, client, "x", ACCOUNT, 0.0) is result
    assert rooms.leave(room, client, 0.0) is result
    assert rooms.members == (0 if result is Result.SUCCESS else 1)


def test_so_many_messages_are_stored(rooms: Rooms) -> None:
    first = enter(rooms)
    results = [rooms.store(ROOM, first, str(number), ACCOUNT, 0.0) for number in range(MAX_STORED_MESSAGES + 1)]
    assert results == [Result.SUCCESS] * MAX_STORED_MESSAGES + [Result.ERROR]
    assert join(rooms).messages == tuple(map(str, range(MAX_STORED_MESSAGES)))
    assert rooms.counts.messages == MAX_STORED_MESSAGES
    assert rooms.counts.errors == {"store_full": 1}


def test_so_much_is_stored_in_bytes_with_what_each_message_costs_beside() -> None:
    rooms = Rooms(Limits(max_room_bytes=2 * MESSAGE_OVERHEAD_BYTES + 10), random.Random(1))
    first = enter(rooms)
    assert rooms.store(ROOM, first, "\U0001f600x", ACCOUNT, 0.0) is Result.SUCCESS
    assert rooms.store(ROOM, first, "\U0001f600xx", ACCOUNT, 0.0) is Result.ERROR, "5 characters, 6 + 5 bytes"
    assert rooms.store(ROOM, first, "\U0001f600x", ACCOUNT, 0.0) is Result.SUCCESS
    assert rooms.store(ROOM, first, "", ACCOUNT, 0.0) is Result.ERROR, "nothing is not free either"
    second = join(rooms)
    assert second.messages == ("\U0001f600x", "\U0001f600x")
    rooms.leave(ROOM, first, 0.0)
    assert rooms.store(ROOM, second.client, "x" * (MESSAGE_OVERHEAD_BYTES + 10), ACCOUNT, 0.0) is Result.SUCCESS, (
        "what was fetched takes no space"
    )


# -------------------------------------------------------------------------------------------------------------- leave


def test_who_stays_keeps_what_he_stores(rooms: Rooms) -> None:
    first, second = enter(rooms), enter(rooms)
    assert rooms.leave(ROOM, first, 0.0) is Result.SUCCESS
    assert rooms.store(ROOM, second, "stay1", ACCOUNT, 0.0) is Result.SUCCESS
    third = join(rooms)
    assert (third.is_initiator, third.messages) == (False, ("stay1",))


def test_a_room_goes_with_its_last_client(rooms: Rooms) -> None:
    first, second = enter(rooms), enter(rooms)
    rooms.leave(ROOM, second, 0.0)
    assert rooms.rooms == 1
    rooms.leave(ROOM, first, 0.0)
    assert (rooms.rooms, rooms.members) == (0, 0)
    assert rooms.leave(ROOM, first, 0.0) is Result.UNKNOWN_ROOM
    assert join(rooms).is_initiator


def test_the_loopback_goes_with_who_called_himself(rooms: Rooms) -> None:
    client = join(rooms, loopback=True).client
    rooms.leave(ROOM, client, 0.0)
    assert (rooms.rooms, rooms.members) == (0, 0)
    assert not rooms.holds(ROOM, LOOPBACK_CLIENT_ID)


def test_the_loopback_alone_may_go(rooms: Rooms) -> None:
    client = join(rooms, loopback=True).client
    rooms.leave(ROOM, LOOPBACK_CLIENT_ID, 0.0)
    assert rooms.store(ROOM, client, "x", ACCOUNT, 0.0) is Result.SUCCESS
    assert join(rooms).messages == ("x",)


def test_what_is_known(rooms: Rooms) -> None:
    client = join(rooms, loopback=True).client
    assert rooms.knows(ROOM, client)
    assert rooms.holds(ROOM, client)
    assert not rooms.knows("other", client)
    assert rooms.holds(ROOM, LOOPBACK_CLIENT_ID)
    assert not rooms.knows(ROOM, LOOPBACK_CLIENT_ID), "its id is no secret"
    rooms.leave(ROOM, client, 0.0)
    assert not rooms.knows(ROOM, client)
    assert not rooms.holds(ROOM, client)


# --------------------------------------------------------------------------------------------------------------- time


def test_a_room_is_forgotten_a_day_after_its_last_change(rooms: Rooms) -> None:
    first = enter(rooms, now=100.0)
    assert rooms.next_deadline() == 100.0 + ROOM_LIFETIME_S
    rooms.tick(99.0 + ROOM_LIFETIME_S)
    assert rooms.knows(ROOM, first)
    rooms.tick(100.0 + ROOM_LIFETIME_S)
    assert (rooms.rooms, rooms.members, rooms.knows(ROOM, first)) == (0, 0, False)
    assert rooms.next_deadline() is None


@pytest.mark.parametrize("change", ["join", "store", "leave"])
def test_each_change_begins_a_new_day(rooms: Rooms, change: str) -> None:
    first = enter(rooms)
    second = enter(rooms) if change == "leave" else ""
    match change:
        case "join":
            enter(rooms, now=1_000.0)
        case "store":
            rooms.store(ROOM, first, "x", ACCOUNT, 1_000.0)
        case "leave":
            rooms.leave(ROOM, second, 1_000.0)
    rooms.tick(999.0 + ROOM_LIFETIME_S)
    assert rooms.knows(ROOM, first)
    assert rooms.next_deadline() == 1_000.0 + ROOM_LIFETIME_S
    rooms.tick(1_000.0 + ROOM_LIFETIME_S)
    assert rooms.rooms == 0


def test_what_changes_nothing_begins_no_day(rooms: Rooms) -> None:
    first = enter(rooms)
    enter(rooms)
    assert rooms.join(ROOM, ACCOUNT, 1_000.0) is Result.FULL
    assert rooms.store(ROOM, first, "x", ACCOUNT, 1_000.0) is None
    assert rooms.leave(ROOM, "nobody", 1_000.0) is Result.UNKNOWN_CLIENT
    rooms.tick(ROOM_LIFETIME_S)
    assert rooms.rooms == 0


def test_a_late_tick_lets_no_old_room_in(rooms: Rooms) -> None:
    first = enter(rooms)
    rooms.store(ROOM, first, "old", ACCOUNT, 0.0)
    assert rooms.occupancy(ROOM, ROOM_LIFETIME_S) == 0
    again = join(rooms, now=ROOM_LIFETIME_S)
    assert (again.is_initiator, again.messages) == (True, ())
    assert rooms.store(ROOM, first, "x", ACCOUNT, ROOM_LIFETIME_S) is Result.UNKNOWN_CLIENT


def test_one_entry_in_the_heap_for_a_room_however_much_it_changes(rooms: Rooms) -> None:
    first = enter(rooms)
    for number in range(1_000):
        rooms.store(ROOM, first, "x", ACCOUNT, float(number))
    assert len(rooms._expiries) == 1


# ------------------------------------------------------------------------------------------------------------- limits


def test_no_more_rooms_than_that() -> None:
    rooms = Rooms(Limits(max_rooms=2), random.Random(1))
    enter(rooms, "a")
    enter(rooms, "b")
    assert rooms.join("c", ACCOUNT, 0.0) is Result.ERROR
    assert enter(rooms, "b"), "into a room that there is"
    assert rooms.rooms == 2
    assert rooms.counts.errors == {"server_full": 1}


def test_no_more_members_than_that() -> None:
    rooms = Rooms(Limits(max_members=3), random.Random(1))
    first = enter(rooms, "a")
    enter(rooms, "b")
    assert rooms.join("c", ACCOUNT, 0.0, loopback=True) is Result.ERROR, "that would be two"
    enter(rooms, "c")
    assert rooms.join("a", ACCOUNT, 0.0) is Result.ERROR
    rooms.leave("a", first, 0.0)
    enter(rooms, "a")
    assert (rooms.rooms, rooms.members) == (3, 3)


def test_no_more_places_of_an_address_than_that(rooms: Rooms) -> None:
    mine, others = Account(0, max_places=2), Account(0, max_places=2)
    first = rooms.join("a", mine, 0.0)
    assert isinstance(first, Joined)
    assert rooms.join("b", mine, 0.0, loopback=True) is Result.ERROR, "that would be three"
    assert isinstance(rooms.join("b", mine, 0.0), Joined)
    assert rooms.join("b", mine, 0.0) is Result.ERROR
    assert isinstance(rooms.join("b", others, 0.0), Joined)
    assert rooms.join("b", mine, 0.0) is Result.FULL, "as for everyone"
    assert rooms.counts.errors == {"address_full": 2, "room_full": 1}
    rooms.leave("a", first.client, 0.0)
    assert isinstance(rooms.join("c", mine, 0.0), Joined)


@pytest.mark.parametrize("end", ["leave", "expiry", "clear"])
def test_places_are_given_back_however_they_end(rooms: Rooms, end: str) -> None:
    account = Account(0, max_places=3)
    joined = rooms.join("a", account, 0.0, loopback=True)
    assert isinstance(joined, Joined)
    assert account.places.taken == 2
    if end == "leave":
        rooms.leave("a", joined.client, 0.0)
    elif end == "expiry":
        rooms.tick(ROOM_LIFETIME_S)
    else:
        rooms.clear()
    assert account.is_empty


def test_clearing_forgets_everything(rooms: Rooms) -> None:
    client = join(rooms, loopback=True).client
    enter(rooms, "other")
    rooms.clear()
    assert (rooms.rooms, rooms.members, rooms.holds(ROOM, client)) == (0, 0, False)
    rooms.tick(2 * ROOM_LIFETIME_S)
    assert rooms.next_deadline() is None
