"""Pairs that negotiate: every state and every signal in it, candidates that wait, and what gets stuck."""

from __future__ import annotations

import pytest

from coordinator.core.store import MESSAGE_OVERHEAD_BYTES
from coordinator.p2p.core.nextrtc import NextRtcConfig
from coordinator.p2p.core.nextrtc_contexts import MAX_WAITING
from tests.support.nextrtc import CANDIDATE, SDP, FakeMember, NextRtcWorld, message

CUSTOM = {"note": "<b>"}

STATES = ["OFFER_REQUESTED", "ANSWER_REQUESTED", "EXCHANGE_CANDIDATES"]


def pair(world: NextRtcWorld, state: str = "OFFER_REQUESTED") -> tuple[FakeMember, FakeMember]:
    """Master and slave, who have come so far."""
    master, slave = world.members(2, content="room")
    if state != "OFFER_REQUESTED":
        master.says("offerResponse", to=slave.id, content="offer")
    if state == "EXCHANGE_CANDIDATES":
        slave.says("answerResponse", to=master.id, content="answer")
    master.heard()
    slave.heard()
    return master, slave


def test_from_the_request_to_candidates() -> None:
    """The whole exchange; descriptions, candidates and what the sender adds pass untouched."""
    world = NextRtcWorld()
    master, slave = world.connect(), world.connect()
    master.says("create", content="room")
    slave.says("join", content="room")
    assert master.heard()[-1] == message("offerRequest", master.id, sender=slave.id)
    slave.heard()
    master.says("offerResponse", to=slave.id, content=SDP, custom=CUSTOM)
    assert slave.heard() == [message("answerRequest", slave.id, SDP, CUSTOM, master.id)]
    slave.says("answerResponse", to=master.id, content=SDP, custom=CUSTOM)
    assert master.heard() == [message("finalize", master.id, SDP, CUSTOM, slave.id)]
    master.says("candidate", to=slave.id, content=CANDIDATE, custom=CUSTOM)
    slave.says("candidate", to=master.id, content=CANDIDATE)
    assert slave.heard() == [message("candidate", slave.id, CANDIDATE, CUSTOM, master.id)]
    assert master.heard() == [message("candidate", master.id, CANDIDATE, {}, slave.id)]
    assert world.core.counts.messages == 4
    assert not world.core.counts.errors


@pytest.mark.parametrize("by_master", [True, False], ids=["from-master", "from-slave"])
@pytest.mark.parametrize("signal", ["offerResponse", "answerResponse", "candidate"])
@pytest.mark.parametrize("state", STATES)
def test_every_signal_in_every_state(state: str, signal: str, by_master: bool) -> None:
    """What is not expected is ignored. What is goes by roles, whoever of the two sends it."""
    world = NextRtcWorld()
    master, slave = pair(world, state)
    sender, other = (master, slave) if by_master else (slave, master)
    sender.says(signal, to=other.id, content="x")
    heard = {"master": master.heard(), "slave": slave.heard()}
    silence: dict[str, list[str]] = {"master": [], "slave": []}
    if (state, signal) == ("OFFER_REQUESTED", "offerResponse"):
        assert heard == {**silence, "slave": [message("answerRequest", slave.id, "x", {}, master.id)]}
    elif (state, signal) == ("ANSWER_REQUESTED", "answerResponse"):
        assert heard == {**silence, "master": [message("finalize", master.id, "x", {}, slave.id)]}
    elif (state, signal) == ("EXCHANGE_CANDIDATES", "candidate"):
        to = "slave" if by_master else "master"
        assert heard == {**silence, to: [message("candidate", other.id, "x", {}, sender.id)]}
    else:
        assert heard == silence
        assert world.core.counts.errors == ({} if signal == "candidate" else {"out_of_state": 1})


@pytest.mark.parametrize("signal", ["offerResponse", "answerResponse", "candidate"])
def test_a_pair_that_is_none_is_ignored(signal: str) -> None:
    """Nobody, oneself, a stranger, and one who left."""
    world = NextRtcWorld()
    master, slave = pair(world)
    (stranger,) = world.members(1, content="other")
    gone = world.members(1, content="other")[0]
    gone.leaves()
    stranger.heard()
    for to in ("", "nobody", master.id, stranger.id, gone.id):
        master.says(signal, to=to, content="x")
    master.says(signal, content="x")
    assert [member.heard() for member in (master, slave, stranger)] == [[], [], []]
    assert world.core.counts.errors == {"out_of_state": 6}


def test_candidates_wait_for_the_answer_in_their_order() -> None:
    world = NextRtcWorld()
    master, slave = pair(world)
    master.says("candidate", to=slave.id, content="m1")
    slave.says("candidate", to=master.id, content="s1", custom=CUSTOM)
    master.says("offerResponse", to=slave.id, content="offer")
    master.says("candidate", to=slave.id, content="m2")
    slave.says("candidate", to=master.id, content="s2")
    assert master.heard() == []
    assert slave.heard() == [message("answerRequest", slave.id, "offer", {}, master.id)]
    slave.says("answerResponse", to=master.id, content="answer")
    assert master.heard() == [
        message("finalize", master.id, "answer", {}, slave.id),
        message("candidate", master.id, "s1", CUSTOM, slave.id),
        message("candidate", master.id, "s2", {}, slave.id),
    ]
    assert slave.heard() == [message("candidate", slave.id, text, {}, master.id) for text in ("m1", "m2")]
    slave.says("answerResponse", to=master.id, content="again")
    assert master.heard() == [], "they are delivered once"


def test_no_more_candidates_wait_for_a_pair_than_are_ever_needed() -> None:
    world = NextRtcWorld()
    master, slave = pair(world)
    for number in range(MAX_WAITING + 3):
        master.says("candidate", to=slave.id, content=str(number))
    assert world.core.counts.errors == {"candidate_dropped": 3}
    assert world.core.counts.messages == MAX_WAITING
    master.says("offerResponse", to=slave.id, content="offer")
    slave.says("answerResponse", to=master.id, content="answer")
    expected = [message("candidate", slave.id, str(number), {}, master.id) for number in range(MAX_WAITING)]
    assert slave.heard()[1:] == expected
    master.says("candidate", to=slave.id, content="late")
    assert slave.heard() == [message("candidate", slave.id, "late", {}, master.id)]


def waiting(world: NextRtcWorld, sender: FakeMember, to: FakeMember, *, until_full: bool = False) -> int:
    """Send one candidate, or candidates until one is dropped; returns how many were kept."""
    before = world.core.counts.errors["candidate_dropped"]
    for number in range(100):
        sender.says("candidate", to=to.id, content="x" * 100)
        if world.core.counts.errors["candidate_dropped"] > before:
            return number
        if not until_full:
            return 1
    raise AssertionError("it is never full")


def test_what_waits_is_bounded_for_the_whole_conversation() -> None:
    """Room taken by one pair is missing to another, and free again when the first gets on, leaves or gives up."""
    world = NextRtcWorld(max_room_bytes=1_000)
    one, two, three = world.members(3, content="room")
    kept = waiting(world, one, two, until_full=True)
    size = len(message("candidate", two.id, "x" * 100, {}, one.id)) + MESSAGE_OVERHEAD_BYTES
    assert kept == 1_000 // size
    assert waiting(world, one, three, until_full=True) == 0
    one.says("offerResponse", to=two.id, content="offer")
    two.says("answerResponse", to=one.id, content="answer")
    assert len(two.heard()) == 1 + kept
    assert waiting(world, one, three, until_full=True) == kept, "the first pair got on"
    two.says("left")
    assert waiting(world, one, three, until_full=True) == 0, "what it took is given back once"
    two.says("join", content="room")
    three.says("left")
    three.says("join", content="room")
    assert waiting(world, two, three, until_full=True) == kept, "the second pair is gone"
    world.advance(30.0)
    three.says("left")
    three.says("join", content="room")
    assert waiting(world, two, three, until_full=True) == kept, "the third pair was given up"


def test_another_conversation_has_room_of_its_own() -> None:
    world = NextRtcWorld(max_room_bytes=1_000)
    full = world.members(2, content="room")
    assert waiting(world, *full, until_full=True)
    other = world.members(2, content="other")
    assert waiting(world, other[0], other[1]) == 1


def test_what_waits_is_bounded_for_all_conversations_together() -> None:
    world = NextRtcWorld(max_room_bytes=1_000, whole_bytes=1_000)
    first = world.members(2, content="room")
    kept = waiting(world, *first, until_full=True)
    second = world.members(2, content="other")
    assert waiting(world, *second, until_full=True) == 0
    for member in first:
        member.leaves()
    assert waiting(world, *second, until_full=True) == kept


def test_what_one_address_says_takes_no_room_from_another() -> None:
    """Given back when it was delivered, when the pair gives up, and when somebody leaves."""
    world = NextRtcWorld(max_room_bytes=10_000, address_bytes=1_000)
    full = world.members(2, content="room")
    kept = waiting(world, *full, until_full=True)
    assert 0 < kept < 10
    again = world.members(2, content="again")
    assert waiting(world, *again, until_full=True) == 0, "the same address, in another conversation"
    others = world.members(2, "192.0.2.2", content="others")
    assert waiting(world, *others, until_full=True) == kept
    full[0].says("offerResponse", to=full[1].id, content="offer")
    full[1].says("answerResponse", to=full[0].id, content="answer")
    assert waiting(world, *again, until_full=True) == kept
    again[1].says("left")
    others[0].leaves()
    assert world.kept.bytes == 0
    again[1].says("join", content="again")
    assert waiting(world, *again, until_full=True) == kept
    world.advance(30.0)
    assert world.kept.bytes == 0


def test_stopping_gives_everything_back() -> None:
    world = NextRtcWorld()
    assert waiting(world, *world.members(2, content="room"))
    assert world.kept.bytes
    world.stop()
    assert world.kept.bytes == 0


@pytest.mark.parametrize("state", STATES)
def test_unfinished_negotiations_expire_and_finished_ones_never(state: str) -> None:
    world = NextRtcWorld()
    master, slave = pair(world, state)
    master.says("candidate", to=slave.id, content="early")
    kept = slave.heard()
    world.advance(30.0)
    master.says("offerResponse", to=slave.id, content="late")
    slave.says("answerResponse", to=master.id, content="late")
    master.says("candidate", to=slave.id, content="late")
    slave.says("candidate", to=master.id, content="late")
    if state == "EXCHANGE_CANDIDATES":
        assert kept
        assert slave.heard() == [message("candidate", slave.id, "late", {}, master.id)]
        assert master.heard() == [message("candidate", master.id, "late", {}, slave.id)]
    else:
        assert not kept
        assert (master.heard(), slave.heard()) == ([], [])
        assert world.core.counts.errors == {"negotiation_expired": 1, "candidate_dropped": 1, "out_of_state": 4}


def test_every_step_has_the_whole_time() -> None:
    """And what is late is late although nobody looked at the clock since."""
    world = NextRtcWorld(NextRtcConfig(max_connection_setup_time_s=5.0))
    master, slave = pair(world)
    world.advance(4.9)
    master.says("offerResponse", to=slave.id, content="offer")
    world.advance(4.9)
    slave.says("answerResponse", to=master.id, content="answer")
    assert master.heard() == [message("finalize", master.id, "answer", {}, slave.id)]
    newcomer = world.members(1, content="room")[0]
    master.heard()
    world.now += 5.0
    master.says("offerResponse", to=newcomer.id, content="offer")
    assert newcomer.heard() == []


@pytest.mark.parametrize("which", [0, 1])
def test_a_pair_of_which_something_is_unheard_has_more_time(which: int) -> None:
    """It is the coordinator that is late, and not they."""
    world = NextRtcWorld()
    master, slave = pair(world)
    others = world.members(2, content="elsewhere")
    late = (master, slave)[which].key
    world.core.is_unheard = lambda key: key == late
    world.advance(30.0)
    assert world.core.counts.errors == {"negotiation_expired": 1}, "of the others"
    world.core.is_unheard = lambda key: False
    for other in others:
        other.heard()
    master.says("offerResponse", to=slave.id, content="offer")
    assert slave.heard() == [message("answerRequest", slave.id, "offer", {}, master.id)]
    world.advance(30.0)
    assert world.core.counts.errors == {"negotiation_expired": 2}, "but not for ever"


def test_the_order_of_expiry_is_that_of_the_last_steps() -> None:
    world = NextRtcWorld()
    one, two, three = world.members(3, content="room")
    world.advance(10.0)
    one.says("offerResponse", to=two.id, content="offer")
    world.advance(20.0)
    assert world.core.counts.errors == {"negotiation_expired": 2}
    two.says("answerResponse", to=one.id, content="answer")
    assert one.heard() == [message("finalize", one.id, "answer", {}, two.id)]
    assert two.heard() == [message("answerRequest", two.id, "offer", {}, one.id)]
    assert three.heard() == []


def test_who_comes_again_negotiates_again() -> None:
    """With what was agreed before, and what waited, forgotten."""
    world = NextRtcWorld()
    master, slave = pair(world, "ANSWER_REQUESTED")
    slave.says("candidate", to=master.id, content="old")
    slave.says("left")
    slave.says("join", content="room")
    assert master.heard()[-1] == message("offerRequest", master.id, sender=slave.id)
    slave.heard()
    slave.says("answerResponse", to=master.id, content="old")
    assert master.heard() == []
    master.says("offerResponse", to=slave.id, content="offer")
    slave.says("answerResponse", to=master.id, content="answer")
    assert master.heard() == [message("finalize", master.id, "answer", {}, slave.id)]
