"""Who is told what when somebody comes, goes or speaks, in each type of conversation."""

from __future__ import annotations

import pytest

from coordinator.p2p.core.nextrtc import NextRtcConfig
from coordinator.p2p.core.nextrtc_conversations import ConversationType
from tests.support.nextrtc import FakeMember, NextRtcWorld, message

TYPES = ["MESH", "BROADCAST", "MESH_WITH_MASTER"]
MESHES = ["MESH", "MESH_WITH_MASTER"]


def conversation(world: NextRtcWorld, kind: str, count: int) -> list[FakeMember]:
    """So many members, the first of whom created it."""
    return world.members(count, content="room", custom={"type": kind})


def heard(members: list[FakeMember]) -> list[list[str]]:
    """What each was told."""
    return [member.heard() for member in members]


def left(leaver: FakeMember, to: FakeMember) -> str:
    return message("left", to.id, sender=leaver.id)


@pytest.mark.parametrize("signal", ["create", "join"])
@pytest.mark.parametrize(
    ("kind", "announced"),
    [("MESH", "MESH"), ("BROADCAST", "BROADCAST"), ("MESH_WITH_MASTER", "MESH"), ("mesh_with_master", "MESH"), ("", "MESH")],
)
def test_the_creator_is_told_the_type(signal: str, kind: str, announced: str) -> None:
    world = NextRtcWorld()
    creator = world.connect()
    creator.says(signal, content="it's <room>", custom={"type": kind})
    assert creator.heard() == [message("created", creator.id, "it's <room>", {"type": announced})]
    assert (world.core.rooms, world.core.counts.joined) == (1, 1)


@pytest.mark.parametrize(("kind", "announced"), [("MESH", "MESH"), ("BROADCAST", "BROADCAST"), ("MESH_WITH_MASTER", "MESH")])
@pytest.mark.parametrize("wish", ["", "broadcast"], ids=["no-type", "wrong-case"])
def test_the_default_type_is_a_setting(kind: str, announced: str, wish: str) -> None:
    world = NextRtcWorld(NextRtcConfig(default_type=ConversationType(kind)))
    first = world.connect()
    first.says("create", content="room", custom={"type": wish})
    assert first.heard() == [message("created", first.id, "room", {"type": announced})]
    second, third = world.members(2, content="room")
    first.heard()
    first.leaves()
    assert third.heard()[0] == left(first, third)
    assert world.core.rooms == (1 if kind == "MESH" else 0)
    assert second.heard()


@pytest.mark.parametrize("kind", MESHES)
def test_a_newcomer_meets_everybody_in_a_mesh(kind: str) -> None:
    """The type that it asks for itself does not matter."""
    world = NextRtcWorld()
    one, two = conversation(world, kind, 2)
    new = world.connect()
    new.says("join", content="room", custom={"type": "BROADCAST"})
    for member in (one, two):
        assert member.heard() == [
            message("newJoined", member.id, new.id, {}, new.id),
            message("offerRequest", member.id, "", {}, new.id),
        ]
    assert new.heard() == [
        message("joined", new.id, "room"),
        message("newJoined", new.id, one.id, {}, one.id),
        message("newJoined", new.id, two.id, {}, two.id),
    ]
    assert world.core.counts.joined == 3


def test_the_order_of_a_join_in_a_mesh() -> None:
    """For each member in turn: newJoined both ways, then the request. Seen from outside all sockets."""
    world = NextRtcWorld()
    one, two = conversation(world, "MESH", 2)
    new = world.connect()
    world.core.received(new.key, '{"signal":"join","content":"room"}', world.now)
    assert [output.key for output in world.core.outputs()] == [
        new.key, one.key, new.key, one.key, two.key, new.key, two.key,
    ]  # fmt: skip


def test_a_listener_meets_the_broadcaster_only() -> None:
    world = NextRtcWorld()
    broadcaster, listener = conversation(world, "BROADCAST", 2)
    new = world.connect()
    new.says("join", content="room")
    assert broadcaster.heard() == [
        message("newJoined", broadcaster.id, new.id, {}, new.id),
        message("offerRequest", broadcaster.id, "", {}, new.id),
    ]
    assert listener.heard() == []
    assert new.heard() == [
        message("joined", new.id, "room"),
        message("newJoined", new.id, broadcaster.id, {}, broadcaster.id),
    ]
    for signal in ("offerResponse", "candidate"):
        new.says(signal, to=listener.id, content="x")
        listener.says(signal, to=new.id, content="x")
    assert heard([broadcaster, listener, new]) == [[], [], []], "listeners never negotiate"


@pytest.mark.parametrize("how", ["left", "socket"])
class TestLeaving:
    """By saying so or by being gone, which is the same for the others."""

    @staticmethod
    def go(member: FakeMember, how: str) -> None:
        if how == "left":
            member.says("left")
        else:
            member.leaves()

    @pytest.mark.parametrize("kind", MESHES)
    def test_a_mesh(self, kind: str, how: str) -> None:
        world = NextRtcWorld()
        one, two, three = conversation(world, kind, 3)
        self.go(two, how)
        assert heard([one, two, three]) == [[left(two, one)], [], [left(two, three)]]
        one.says("candidate", to=two.id)
        assert two.heard() == []
        assert world.core.rooms == 1

    def test_the_creator_of_a_mesh_is_nobody_special(self, how: str) -> None:
        world = NextRtcWorld()
        one, two, three = conversation(world, "MESH", 3)
        self.go(one, how)
        assert heard([two, three]) == [[left(one, two)], [left(one, three)]]
        two.says("text", content="still here")
        assert three.heard() == [message("text", three.id, "still here", {}, two.id)]

    def test_the_master_takes_the_mesh_along(self, how: str) -> None:
        world = NextRtcWorld()
        one, two, three, four = conversation(world, "MESH_WITH_MASTER", 4)
        self.go(one, how)
        assert heard([one, two, three, four]) == [
            [],
            [left(one, two)],
            [left(one, three), left(two, three)],
            [left(one, four), left(two, four), left(three, four)],
        ]
        assert world.core.rooms == 0
        two.says("join", content="room")
        three.says("create", content="other")
        assert two.heard() == [message("created", two.id, "room", {"type": "MESH"})]
        assert three.heard() == [message("created", three.id, "other", {"type": "MESH"})]

    def test_a_listener(self, how: str) -> None:
        world = NextRtcWorld()
        broadcaster, one, two = conversation(world, "BROADCAST", 3)
        self.go(one, how)
        assert heard([broadcaster, one, two]) == [[left(one, broadcaster)], [], []]
        assert world.core.rooms == 1

    def test_the_broadcaster(self, how: str) -> None:
        world = NextRtcWorld()
        broadcaster, one, two = conversation(world, "BROADCAST", 3)
        self.go(broadcaster, how)
        assert broadcaster.heard() == []
        for listener in (one, two):
            assert listener.heard() == [
                left(broadcaster, listener),
                message("end", listener.id, "room", {}, broadcaster.id),
            ]
        assert world.core.rooms == 0
        one.says("create", content="room", custom={"type": "BROADCAST"})
        two.says("join", content="room")
        assert one.heard()[0] == message("created", one.id, "room", {"type": "BROADCAST"})
        assert two.heard()[0] == message("joined", two.id, "room")

    @pytest.mark.parametrize("kind", TYPES)
    def test_the_last_one_ends_it(self, kind: str, how: str) -> None:
        world = NextRtcWorld()
        one, two = conversation(world, kind, 2)
        self.go(two, how)
        one.heard()
        self.go(one, how)
        assert world.core.rooms == 0
        assert heard([one, two]) == [[], []]


@pytest.mark.parametrize("kind", TYPES)
class TestTexts:
    """Texts, to one and to all."""

    def test_to_one(self, kind: str) -> None:
        world = NextRtcWorld()
        one, two, three = conversation(world, kind, 3)
        three.says("text", to=two.id, content='<b>it\'s & "so"</b>', custom={"<k>": "<v>"})
        assert heard([one, two, three]) == [
            [],
            [message("text", two.id, '&lt;b&gt;it\'s &amp; "so"&lt;/b&gt;', {"<k>": "&lt;v&gt;"}, three.id)],
            [],
        ]

    @pytest.mark.parametrize("to", [{}, {"to": ""}, {"to": None}, {"to": "nobody"}])
    @pytest.mark.parametrize("speaker", [0, 1, 2])
    def test_to_all(self, kind: str, speaker: int, to: dict[str, str]) -> None:
        """Whoever speaks; nobody, and one who is not there, stand for all."""
        world = NextRtcWorld()
        members = conversation(world, kind, 3)
        world.members(1, content="other")
        members[speaker].says("text", content="x", **to)
        assert heard(members) == [
            [] if number == speaker else [message("text", member.id, "x", {}, members[speaker].id)]
            for number, member in enumerate(members)
        ]
        assert world.core.counts.messages == 1

    def test_to_oneself(self, kind: str) -> None:
        world = NextRtcWorld()
        one, two = conversation(world, kind, 2)
        one.says("text", to=one.id, content="note")
        assert heard([one, two]) == [[message("text", one.id, "note", {}, one.id)], []]

    def test_not_to_another_conversation_nor_from_outside(self, kind: str) -> None:
        world = NextRtcWorld()
        one, two = conversation(world, kind, 2)
        (stranger,) = world.members(1, content="other")
        outside = world.connect()
        one.says("text", to=stranger.id, content="x")
        one.says("text", to=outside.id, content="x")
        outside.says("text", to=one.id, content="x")
        outside.says("text", to=outside.id, content="x")
        outside.says("text", content="x")
        assert heard([one, two, stranger, outside]) == [[], [], [], []]
        assert world.core.counts.errors == {"text_dropped": 5}
        assert world.core.counts.messages == 0
