"""NextRTC from outside: ids, pings, errors, limits, and that nothing outlives its members."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from coordinator.p2p.core.limits import MAX_ID_CHARS
from coordinator.p2p.core.nextrtc import NextRtcConfig
from coordinator.p2p.core.nextrtc_signals import upper_case
from tests.support.nextrtc import NextRtcWorld, error, message


def test_a_socket_is_told_nothing_until_its_first_ping() -> None:
    world = NextRtcWorld()
    member = world.connect()
    world.advance(0.875)
    assert world.sent == 0
    world.advance(0.125)
    assert world.sent == 1
    assert uuid.UUID(member.id).version == 4
    world.advance(9.0)
    assert [at - 1_000 for at in member.pings] == [1, 4, 7, 10]
    assert member.heard() == []


def test_pings_are_settings() -> None:
    world = NextRtcWorld(NextRtcConfig(ping_period_s=0.5, first_ping_s=2.0))
    member = world.connect()
    world.advance(3.0)
    assert [at - 1_000 for at in member.pings] == [2.0, 2.5, 3.0]


class NotScanned(dict[Any, Any]):
    """May be asked for one of its entries, not for all."""

    def _refuse(self, *_: Any) -> Any:
        raise AssertionError("all entries are looked at")

    __iter__ = keys = values = items = copy = _refuse


def forbid_scans(world: NextRtcWorld) -> None:
    """From now on nothing may look at all members or all conversations."""
    core = world.core
    core._members, core._by_id = NotScanned(core._members), NotScanned(core._by_id)
    core._conversations = NotScanned(core._conversations)


def test_pings_of_thousands() -> None:
    """Each at its own time."""
    world = NextRtcWorld()
    members = []
    for _ in range(1_500):
        members.append(world.connect())
        world.now += 1 / 512
    forbid_scans(world)
    world.advance(6.0)
    assert all(len(member.pings) in (2, 3) for member in members)
    assert len({at for member in members for at in member.pings}) > 2_000, "they stay spread"


def test_no_message_and_no_tick_looks_at_everybody() -> None:
    world = NextRtcWorld()
    for number in range(20):
        world.members(2, content=f"room {number}")
    one, two = world.members(2, content="room")
    three = world.connect()
    forbid_scans(world)
    one.says("offerResponse", to=two.id, content="offer")
    two.says("answerResponse", to=one.id, content="answer")
    one.says("candidate", to=two.id, content="x")
    one.says("text", content="x")
    one.says("upperCase", content="x")
    three.says("join", content="room")
    three.says("left")
    three.says("create")
    three.leaves()
    world.advance(100.0)
    assert len(two.heard()) == 6


def test_ids_come_from_the_given_chance() -> None:
    ids = [[world.connect().id for _ in range(3)] for world in (NextRtcWorld(), NextRtcWorld())]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3


@pytest.mark.parametrize("signal", ["create", "join"])
@pytest.mark.parametrize("content", [{}, {"content": ""}, {"content": None}, {"content": " \t"}])
def test_a_conversation_without_a_name_gets_one(signal: str, content: dict[str, Any]) -> None:
    world = NextRtcWorld()
    first, second = world.connect(), world.connect()
    names = []
    for member in (first, second):
        member.says(signal, **content)
        (created,) = member.heard()
        name = created.split('"content":"')[1].split('"')[0]
        assert created == message("created", member.id, name, {"type": "MESH"})
        assert uuid.UUID(name).version == 4
        names.append(name)
    assert names[0] != names[1]
    third = world.connect()
    third.says("join", content=names[0])
    assert third.heard()[0] == message("joined", third.id, names[0])


@pytest.mark.parametrize("signal", ["CREATE", "Create", "cReAtE"])
def test_signals_of_the_protocol_are_known_in_any_case(signal: str) -> None:
    world = NextRtcWorld()
    member = world.connect()
    member.says(signal, content="room")
    assert member.heard() == [message("created", member.id, "room", {"type": "MESH"})]


@pytest.mark.parametrize("signal", ["finalize", "ping", "joined", "nonsense", "", None])
def test_what_is_no_signal_of_clients_is_ignored(signal: str | None) -> None:
    world = NextRtcWorld()
    one, two = world.members(2, content="room")
    world.receive(one, json.dumps({"signal": signal, "to": two.id}))
    assert (one.heard(), two.heard()) == ([], [])
    assert world.core.counts.errors == {"unknown_signal": 1}


def test_from_is_not_believed() -> None:
    world = NextRtcWorld()
    one, two, three = world.members(3, content="room")
    one.says("text", **{"from": two.id, "content": "x"})
    assert three.heard() == [message("text", three.id, "x", {}, one.id)]


@pytest.mark.parametrize("signal", ["create", "join"])
@pytest.mark.parametrize("content", ["room", "other", ""])
def test_one_conversation_at_a_time(signal: str, content: str) -> None:
    world = NextRtcWorld()
    one, two = world.members(2, content="room")
    two.says(signal, content=content)
    assert two.heard() == [error(two.id, "MEMBER_IN_OTHER_CONVERSATION")]
    assert one.heard() == []
    assert world.core.rooms == 1


def test_a_name_is_given_once() -> None:
    world = NextRtcWorld()
    world.members(1, content="room")
    member = world.connect()
    member.says("create", content="room")
    assert member.heard() == [error(member.id, "CONVERSATION_NAME_OCCUPIED")]
    member.says("create", content="Room")
    assert member.heard() == [message("created", member.id, "Room", {"type": "MESH"})]


def test_nobody_leaves_nothing() -> None:
    world = NextRtcWorld()
    member = world.connect()
    member.says("left")
    assert member.heard() == [error(member.id, "CONVERSATION_NOT_FOUND")]
    member.says("join", content="room")
    member.says("left")
    member.says("left")
    assert member.heard()[1:] == [error(member.id, "CONVERSATION_NOT_FOUND")]


def test_joining_what_is_not_there_is_a_setting() -> None:
    world = NextRtcWorld(NextRtcConfig(join_only_to_existing=True))
    member = world.connect()
    for content in ("room", ""):
        member.says("join", content=content)
        assert member.heard() == [error(member.id, "CONVERSATION_NOT_FOUND")]
    member.says("create", content="room")
    assert member.heard() == [message("created", member.id, "room", {"type": "MESH"})]
    other = world.connect()
    other.says("join", content="room")
    assert other.heard()[0] == message("joined", other.id, "room")


@pytest.mark.parametrize("signal", ["offerResponse", "answerResponse", "candidate"])
def test_there_is_no_recipient_outside_a_conversation(signal: str) -> None:
    world = NextRtcWorld()
    (inside,) = world.members(1, content="room")
    member = world.connect()
    member.says(signal, to=inside.id, content="x")
    assert member.heard() == [error(member.id, "INVALID_RECIPIENT")]
    assert inside.heard() == []


def test_a_frame_of_nobody() -> None:
    world = NextRtcWorld()
    member = world.connect()
    member.leaves()
    member.says("create", content="room")
    assert member.heard() == [error("", "MEMBER_NOT_FOUND")]
    assert world.core.rooms == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("nonsense", "a message is JSON"),
        ("{'signal':'text','content':'it's'}", "a message is JSON"),
        ("[]", "a message is a JSON object"),
        ('{"signal":"text","custom":{"a":{"b":"c"}}}', "what is in 'custom' is a text"),
        ('{"signal":"text","content":{}}', "'content' is a text"),
        (b"{}", "binary frames are not part of this protocol"),
    ],
)
def test_a_frame_that_cannot_be_read_harms_nobody(data: str | bytes, reason: str) -> None:
    """Only its sender hears of it, and goes on as before."""
    world = NextRtcWorld()
    one, two = world.members(2, content="room")
    world.receive(one, data)
    assert one.heard() == [error(one.id, "UNKNOWN_ERROR", reason)]
    assert two.heard() == []
    assert world.core.counts.errors == {"bad_message": 1}
    one.says("text", content="it's fine")
    assert two.heard() == [message("text", two.id, "it's fine", {}, one.id)]
    assert one.closed is None


def test_errors_are_counted_by_their_code() -> None:
    world = NextRtcWorld()
    member = world.connect()
    member.says("left")
    member.says("candidate")
    member.says("candidate")
    assert world.core.counts.errors == {"conversation_not_found": 1, "invalid_recipient": 2}


def test_too_many_members_are_told_and_closed() -> None:
    world = NextRtcWorld(max_members=2)
    one, _two = world.connect(), world.connect()
    three = world.connect()
    reason = "there are too many members"
    assert three.closed == (1013, reason)
    assert three.heard() == [error(three.id, "UNKNOWN_ERROR", reason)]
    assert world.core.counts.errors == {"too_many_members": 1}
    assert len(world.core._members) == 2
    three.leaves()
    one.leaves()
    assert world.connect().closed is None
    assert world.connect().closed is not None


def test_too_many_conversations() -> None:
    world = NextRtcWorld(max_rooms=1)
    (one,) = world.members(1, content="room")
    two = world.connect()
    for signal in ("create", "join"):
        two.says(signal, content="other")
        assert two.heard() == [error(two.id, "UNKNOWN_ERROR", "there are too many conversations")]
    assert world.core.counts.errors == {"too_many_conversations": 2}
    assert world.core.counts.joined == 1
    one.says("left")
    two.says("create", content="other")
    assert two.heard() == [message("created", two.id, "other", {"type": "MESH"})]


def test_a_full_conversation() -> None:
    world = NextRtcWorld(max_room_members=2)
    one, _two = world.members(2, content="room")
    three = world.connect()
    three.says("join", content="room")
    assert three.heard() == [error(three.id, "UNKNOWN_ERROR", "the conversation is full")]
    assert one.heard() == []
    assert world.core.counts.errors == {"conversation_full": 1}
    one.says("left")
    three.says("join", content="room")
    assert three.heard()[0] == message("joined", three.id, "room")


@pytest.mark.parametrize("signal", ["create", "join"])
def test_a_name_has_its_length(signal: str) -> None:
    world = NextRtcWorld()
    member = world.connect()
    member.says(signal, content="x" * (MAX_ID_CHARS + 1))
    reason = f"it has more than {MAX_ID_CHARS} characters"
    assert member.heard() == [error(member.id, "INVALID_CONVERSATION_NAME", reason)]
    member.says(signal, content="x" * MAX_ID_CHARS)
    assert member.heard() == [message("created", member.id, "x" * MAX_ID_CHARS, {"type": "MESH"})]


def test_a_text_to_everybody_has_its_length() -> None:
    """To one it may be longer: that costs no more than it came with."""
    world = NextRtcWorld(NextRtcConfig(max_shout_bytes=20))
    one, two = world.members(2, content="room")
    one.says("text", content="x" * 16)  # and two quotes, and the braces of custom
    assert two.heard() == [message("text", two.id, "x" * 16, {}, one.id)]
    one.says("text", content="x" * 17)
    assert one.heard() == [error(one.id, "UNKNOWN_ERROR", "the text is too long to be sent to everybody")]
    one.says("text", content="x" * 17, to=two.id)
    assert two.heard() == [message("text", two.id, "x" * 17, {}, one.id)]
    assert world.core.counts.errors == {"text_too_long": 1}
    assert world.core.counts.messages == 2


def test_custom_signals_are_checked_at_once() -> None:
    with pytest.raises(ValueError, match="text"):
        NextRtcWorld(signals={"text": upper_case})


def test_nothing_is_kept_when_all_have_left() -> None:
    world = NextRtcWorld()
    members = [*world.members(5, content="a"), *world.members(5, content="b", custom={"type": "BROADCAST"})]
    members[1].says("candidate", to=members[0].id, content="x")
    assert (world.core.rooms, world.core.members, world.core.counts.joined) == (2, 10, 10)
    assert world.core.next_deadline() is not None
    for member in members:
        member.leaves()
        member.leaves()
    assert (world.core.rooms, world.core.members) == (0, 0)
    assert world.core.next_deadline() is None
    assert held(world) == 0


def held(world: NextRtcWorld) -> int:
    """Everything that the core keeps for its members, counted."""
    core = world.core
    kept = (core._members, core._by_id, core._conversations, core._negotiations._unfinished, core._pings)
    return sum(len(each) for each in kept)


def test_stop_closes_everybody() -> None:
    world = NextRtcWorld()
    members = [world.connect(), *world.members(3, content="room")]
    world.stop()
    assert [member.closed for member in members] == [(1001, "going away")] * 4
    assert all(member.heard() == [] for member in members), "they are not told of one another"
    assert (world.core.rooms, world.core.members, world.core.next_deadline(), held(world)) == (0, 0, None, 0)
    for member in members:
        member.leaves()
    world.stop()


def test_a_join_of_the_sixty_fourth_costs_three_messages_each() -> None:
    world = NextRtcWorld()
    members = world.members(63, content="room")
    before = world.sent
    new = world.connect()
    new.says("join", content="room")
    assert world.sent - before == 1 + 3 * 63
    assert all(len(member.heard()) == 2 for member in members)
    assert len(new.heard()) == 1 + 63
