"""What operators did stands in every dashboard's log, with who, and leaves room for the rest."""

from __future__ import annotations

from coordinator.core.cluster import Deed
from coordinator.core.deeds import MAX_DEED_BYTES, Deeds
from tests.support.coordination import World

DRAIN = Deed("alice", "asked server 7 to drain", 7)


def lines(world: World, node: int = 0) -> list[str]:
    return [line["text"] for line in world.nodes[node].core.overview.journal.since(0) if line["kind"] == "operator"]


def do(world: World, deed: Deed, *, often: bool = False) -> None:
    node = world.nodes[0]
    node.event(lambda: node.core.done(deed, world.now, often=often))


def test_every_dashboard_shows_it() -> None:
    world = World()
    world.add_node()
    do(world, DRAIN)
    do(world, Deed("", "lifted something"))
    for node in (0, 1):
        assert lines(world, node) == ["'alice' asked server 7 to drain", "someone lifted something"]
    (line, _) = world.core.overview.journal.since(0)
    assert (line["server"], line["kind"]) == ("7", "operator")


def test_a_busy_backend_gets_a_line_now_and_then() -> None:
    world = World()
    world.add_node()
    for _ in range(1_000):
        do(world, Deed("shop", "published to 'a'", 7), often=True)
    world.advance(10)
    do(world, Deed("shop", "published to 'b'", 7), often=True)
    do(world, DRAIN)
    told = ["'shop' published to 'a'"] * 3 + ["'shop' published to 'b' (and 997 more before)", "'alice' asked server 7 to drain"]
    assert lines(world, 0) == lines(world, 1) == told


def test_a_runaway_script_leaves_room_too() -> None:
    deeds = Deeds()
    told = [deeds.asked(DRAIN, 100.0) for _ in range(500)]
    assert sum(deed is not None for deed in told) == 20
    after = deeds.asked(DRAIN, 101.0)
    assert after is not None
    assert after.what == "asked server 7 to drain (and 480 more before)"
    again = deeds.asked(DRAIN, 101.0)
    assert again == DRAIN


def test_texts_are_cut_to_size_also_those_of_others() -> None:
    world = World()
    world.add_node()
    do(world, Deed("ä" * 1_000, "x" * 1_000))
    world.core.done_elsewhere(Deed("b", "y" * 1_000), world.now)
    first, second = lines(world, 0)
    assert len(first.encode()) == 2 * MAX_DEED_BYTES + len("'' ")
    assert len(second) == MAX_DEED_BYTES + len("'b' ")
