"""What waits is bounded for each room and for all of them."""

from __future__ import annotations

import random

from coordinator.p2p.core.apprtc import Joined, Result, Rooms
from coordinator.p2p.core.collider import Collider
from coordinator.p2p.core.limits import Limits
from coordinator.p2p.core.store import Store


def test_a_part_takes_of_the_whole() -> None:
    whole = Store(10)
    one, two = Store(6, whole), Store(6, whole)
    assert one.take(6)
    assert not one.take(1), "its own bound"
    assert not two.take(5), "the bound of both"
    assert (one.chars, two.chars, whole.chars) == (6, 0, 6)
    assert two.take(4)
    one.give_back(3)
    assert two.take(2)
    two.clear()
    assert (two.chars, whole.chars) == (0, 3)


def test_all_rooms_of_the_room_server_share_a_bound_that_is_free_again_when_they_are_gone() -> None:
    rooms = Rooms(Limits(max_room_bytes=10, max_stored_bytes=15), random.Random(1))
    clients = []
    for name in ("a", "b"):
        joined = rooms.join(name, 0.0)
        assert isinstance(joined, Joined)
        clients.append(joined.client)
    assert rooms.store("a", clients[0], "x" * 10, 0.0) is Result.SUCCESS
    assert rooms.store("b", clients[1], "x" * 6, 0.0) is Result.ERROR
    rooms.leave("a", clients[0], 0.0)
    assert rooms.store("b", clients[1], "x" * 6, 0.0) is Result.SUCCESS
    rooms.join("b", 0.0)
    again = rooms.join("c", 0.0)
    assert isinstance(again, Joined)
    assert rooms.store("c", again.client, "x" * 10, 0.0) is Result.SUCCESS, "what was fetched is no longer kept"


def test_all_rooms_of_collider_share_a_bound() -> None:
    collider = Collider(Limits(max_room_bytes=10, max_stored_bytes=15))
    assert collider.post("a", "1", "x" * 10, 0.0) is None
    assert collider.post("b", "1", "x" * 6, 0.0) is not None
    collider.delete("a", "1", 0.0)
    assert collider.post("b", "1", "x" * 6, 0.0) is None
    collider.tick(60.0)
    assert collider.rooms == 0
    assert collider.post("c", "1", "x" * 10, 60.0) is None
