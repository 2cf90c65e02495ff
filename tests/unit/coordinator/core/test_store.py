"""What waits is bounded in bytes for each room, for each address, and for all of them; and given back, however it ends."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.accounts import Account
from coordinator.core.store import MESSAGE_OVERHEAD_BYTES, Store, keep
from coordinator.p2p.core.apprtc import ROOM_LIFETIME_S, Joined, Result, Rooms
from coordinator.p2p.core.collider import ABSENCE_S, Collider
from coordinator.p2p.core.limits import Limits

ONE = MESSAGE_OVERHEAD_BYTES + 10
"""A message of ten bytes."""


class Addresses:
    """Two of them, and what they share."""

    def __init__(self, each: int = 2 * ONE, whole: int = 3 * ONE) -> None:
        self.whole = Store(whole)
        self.one, self.two = Account(each, self.whole), Account(each, self.whole)

    @property
    def kept(self) -> tuple[int, int, int]:
        return self.one.bytes, self.two.bytes, self.whole.bytes


def test_a_part_takes_of_the_whole() -> None:
    whole = Store(10)
    one, two = Store(6, whole), Store(6, whole)
    assert one.take(6)
    assert not one.take(1), "its own bound"
    assert not one.fits(1)
    assert not two.take(5), "the bound of both"
    assert two.fits(5), "which is not its own"
    assert (one.bytes, two.bytes, whole.bytes) == (6, 0, 6)
    assert two.take(4)
    one.give_back(3)
    assert two.take(2)
    two.clear()
    assert (two.bytes, whole.bytes) == (0, 3)


@given(st.integers(1, 30), st.integers(20, 400), st.lists(st.tuples(st.integers(0, 29), st.integers(1, 20)), max_size=200))
def test_fair_parts_leave_as_much_as_each_of_them_has(parts: int, most: int, taken: list[tuple[int, int]]) -> None:
    whole = Store(1_000)
    shares = [Store(most, whole, fair=True) for _ in range(parts)]
    for who, size in taken:
        share = shares[who % parts]
        left, before = 1_000 - whole.bytes, share.bytes
        assert share.take(size) == (before + size <= min(most, left - size))
        assert whole.bytes == sum(each.bytes for each in shares)
    newcomer = Store(most, whole, fair=True)
    assert newcomer.take(min(most, (1_000 - whole.bytes) // 2) or 1), "however much the others have taken"


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 0), ("abc", 3), ("ü", 2), ("\u2028", 3), ("\U0001f600", 4), ("\U0001f600" * 1_000, 4_000), ("a\ud83d", 4), ("\0", 1)],
)
def test_bytes_count_and_what_a_message_costs_beside(text: str, size: int) -> None:
    size += MESSAGE_OVERHEAD_BYTES
    for room, address in [
        (Store(size - 1), Store(size)),
        (Store(size), Store(size - 1)),
        (Store(size), Store(size, Store(size - 1))),
    ]:
        assert keep(text, room, address) is None
        assert (room.bytes, address.bytes) == (0, 0)
    room, address = Store(size), Store(size, Store(size))
    kept = keep(text, room, address)
    assert kept is not None
    assert kept.text == text
    assert (room.bytes, address.bytes) == (size, size)
    kept.drop()
    assert (room.bytes, address.bytes) == (0, 0)


class RoomServer:
    """Rooms, in each of which one client is alone."""

    def __init__(self, limits: Limits) -> None:
        self.core = Rooms(limits, random.Random(1))
        self.clients: dict[str, str] = {}

    def store(self, room: str, text: str, address: Account) -> bool:
        if room not in self.clients:
            self.join(room)
        return self.core.store(room, self.clients[room], text, address, 0.0) is Result.SUCCESS

    def join(self, room: str) -> None:
        joined = self.core.join(room, Account(0), 0.0)
        assert isinstance(joined, Joined)
        self.clients.setdefault(room, joined.client)

    def leave(self, room: str) -> None:
        self.core.leave(room, self.clients[room], 0.0)


class AtCollider:
    """The same there: a client alone in each room, which posts."""

    def __init__(self, limits: Limits) -> None:
        self.core = Collider(limits)

    def store(self, room: str, text: str, address: Account) -> bool:
        return self.core.post(room, "1", text, address, 0.0) is None

    def join(self, room: str) -> None:
        self.core.connected(1, Account(0), 0.0)
        self.core.received(1, f'{{"cmd":"register","roomid":"{room}","clientid":"2"}}', 0.0)

    def leave(self, room: str) -> None:
        self.core.delete(room, "1", 0.0)


Keeper = RoomServer | AtCollider


@pytest.fixture(params=[RoomServer, AtCollider])
def keeper(request: pytest.FixtureRequest) -> Keeper:
    made: Keeper = request.param(Limits(max_room_bytes=ONE + 5))
    return made


def test_one_address_fills_its_share_and_others_go_on(keeper: Keeper) -> None:
    addresses = Addresses()
    assert keeper.store("a", "x" * 10, addresses.one)
    assert keeper.store("b", "x" * 10, addresses.one)
    assert not keeper.store("c", "x", addresses.one), "its share is taken, in however many rooms"
    assert keeper.store("c", "x" * 10, addresses.two)
    assert not keeper.store("d", "x", addresses.two), "all have taken all there is"
    assert addresses.kept == (2 * ONE, ONE, 3 * ONE)


def test_the_room_has_a_bound_whoever_says_it(keeper: Keeper) -> None:
    addresses = Addresses()
    assert keeper.store("a", "\U0001f600xx", addresses.one)
    assert not keeper.store("a", "x", addresses.two)
    assert keeper.store("b", "\U0001f600xx", addresses.two)


def test_what_is_fetched_is_given_back(keeper: Keeper) -> None:
    addresses = Addresses()
    keeper.store("a", "\U0001f600xx", addresses.one)
    keeper.join("a")
    assert addresses.kept == (0, 0, 0)


def test_what_goes_with_its_sender_is_given_back(keeper: Keeper) -> None:
    addresses = Addresses()
    keeper.store("a", "x" * 10, addresses.one)
    keeper.store("b", "x" * 10, addresses.two)
    keeper.leave("a")
    assert addresses.kept == (0, ONE, ONE)


def test_what_is_too_old_is_given_back(keeper: Keeper) -> None:
    addresses = Addresses()
    keeper.store("a", "x" * 10, addresses.one)
    keeper.core.tick(max(ROOM_LIFETIME_S, ABSENCE_S))
    assert keeper.core.rooms == 0
    assert addresses.kept == (0, 0, 0)


def test_what_is_kept_at_the_end_is_given_back(keeper: Keeper) -> None:
    addresses = Addresses()
    keeper.store("a", "x" * 10, addresses.one)
    if isinstance(keeper, RoomServer):
        keeper.core.clear()
    else:
        keeper.core.stop(0.0)
    assert addresses.kept == (0, 0, 0)


def test_what_a_socket_sends_is_of_its_address_and_stays_so_when_it_comes_back_from_another() -> None:
    collider, addresses = Collider(Limits()), Addresses()
    for key, address in enumerate((addresses.one, addresses.two)):
        collider.connected(key, address, 0.0)
        collider.received(key, '{"cmd":"register","roomid":"r","clientid":"1"}', 0.0)
        collider.received(key, '{"cmd":"send","msg":"0123456789"}', 0.0)
        collider.left(key, 0.0)
    assert addresses.kept == (ONE, ONE, 2 * ONE)
    collider.tick(ABSENCE_S)
    assert addresses.kept == (0, 0, 0)
