"""Signals of one's own: to whom a reply goes, what is made of it, and what a broken one does."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import pytest

from coordinator.p2p.core.nextrtc_signals import Audience, Call, CustomSignal, Reply, checked, upper_case
from tests.support.nextrtc import NextRtcWorld, error, message


def to_all(call: Call) -> Iterable[Reply]:
    """A reply to each kind of audience."""
    yield Reply(f"<{call.content}>", {"conversation": call.conversation}, Audience.OTHERS)
    yield Reply("for you", {"to": call.to}, Audience.RECIPIENT)
    yield Reply("done", call.custom)


def broken(call: Call) -> Iterable[Reply]:
    """Fails in the middle."""
    yield Reply("never seen")
    raise RuntimeError(call.content)


def wrong(call: Call) -> Any:
    """Not what it should be."""
    return [Reply(content=7)]  # type: ignore[arg-type]  # that is what is tested


SIGNALS: dict[str, CustomSignal] = {"toAll": to_all, "broken": broken, "wrong": wrong, "silent": lambda call: ()}


def test_upper_case_answers_the_caller() -> None:
    world = NextRtcWorld()
    alone, other = world.connect(), world.connect()
    alone.says("upperCase", content="shout <it's>", to=other.id, custom={"a": "b"})
    assert alone.heard() == [message("upperCase", alone.id, "SHOUT &lt;IT'S&gt;")]
    assert other.heard() == []


def test_a_custom_signal_has_one_spelling() -> None:
    world = NextRtcWorld()
    member = world.connect()
    member.says("uppercase", content="a")
    assert member.heard() == []
    assert world.core.counts.errors == {"unknown_signal": 1}


def test_replies_stay_in_the_conversation() -> None:
    world = NextRtcWorld(signals=SIGNALS)
    ann, bob, cid = world.members(3, content="room")
    (dan,) = world.members(1, content="other")
    ann.says("toAll", to=bob.id, content="x", custom={"k": "&"})
    public = ("&lt;x&gt;", {"conversation": "room"}, ann.id)
    assert ann.heard() == [message("toAll", ann.id, "done", {"k": "&amp;"})]
    assert bob.heard() == [
        message("toAll", bob.id, *public),
        message("toAll", bob.id, "for you", {"to": bob.id}, ann.id),
    ]
    assert cid.heard() == [message("toAll", cid.id, *public)]
    assert dan.heard() == []


@pytest.mark.parametrize("inside", [True, False])
def test_a_stranger_is_no_recipient(inside: bool) -> None:
    world = NextRtcWorld(signals=SIGNALS)
    ann = world.members(1, content="room")[0] if inside else world.connect()
    (dan,) = world.members(1, content="other")
    ann.says("toAll", to=dan.id, content="x")
    assert ann.heard() == [message("toAll", ann.id, "done")]
    assert dan.heard() == []


@pytest.mark.parametrize("signal", ["broken", "wrong"])
def test_a_broken_one_is_felt_by_its_caller_only(signal: str, caplog: pytest.LogCaptureFixture) -> None:
    world = NextRtcWorld(signals=SIGNALS)
    ann, bob = world.members(2, content="room")
    with caplog.at_level(logging.ERROR):
        ann.says(signal, content="boom")
    assert ann.heard() == [error(ann.id, "UNKNOWN_ERROR", "the signal failed")]
    assert bob.heard() == []
    assert len(caplog.records) == 1
    assert world.core.counts.errors == {"signal_failed": 1}
    ann.says("text", content="still here")
    assert bob.heard() == [message("text", bob.id, "still here", {}, ann.id)]


def test_silence_is_an_answer() -> None:
    world = NextRtcWorld(signals=SIGNALS)
    member = world.connect()
    member.says("silent")
    assert member.heard() == []
    assert world.core.counts.messages == 1


@pytest.mark.parametrize("name", ["text", "OfferResponse", "ping", "finalize", "", "a b", 'a"b', "x" * 65])
def test_names_it_cannot_have(name: str) -> None:
    with pytest.raises(ValueError, match="custom signal"):
        checked({"fine": upper_case, name: upper_case})
