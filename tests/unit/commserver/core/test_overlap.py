"""Two hubs that bring the same, and what of it is delivered."""

from __future__ import annotations

import pytest

from commserver.core import overlap as module
from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW
from commserver.core.group import Group
from commserver.core.overlap import Overlap
from commserver.core.session import Session, SessionLimits, new_session
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole, anonymous

OWN = 7
HUB = TokenRole.COMMUNICATION_SERVER_HUB


def peer(alias: int, role: TokenRole = HUB) -> Session:
    session = new_session(alias, alias, dialed=False, limits=SessionLimits(RELIABLE_FLOW, UNRELIABLE_FLOW), now=0.0)
    session.activate(anonymous(role), ())
    return session


class Both:
    """An overlap, and what it lets pass by which hub."""

    def __init__(self) -> None:
        self.old, self.new = peer(1), peer(2)
        self.overlap = Overlap(self.old, self.new, OWN)
        self.groups: dict[Group, tuple[int, int]] = {}

    def comes(self, by: Session, origin: int, serial: int, *, reliable: bool = True) -> bool:
        raw = pb.TopicGroup(topic="t", from_alias=[3], body=[b"x"], origin=origin, serial=serial).SerializeToString()
        return self.overlap.lets_pass(by, Group("t", [3], [b"x"], raw=raw), raw, reliable)

    def turn(self) -> list[tuple[int, int]]:
        messages = [pb.TopicGroup.FromString(group.raw or b"") for group in self.overlap.turn()]
        return [(message.origin, message.serial) for message in messages]


def test_what_came_by_the_old_hub_is_not_delivered_again() -> None:
    both = Both()
    assert both.comes(both.old, 10, 4)
    assert not any(both.comes(both.new, 10, serial) for serial in (4, 6, 9))
    assert not both.comes(both.new, 11, 1)
    assert both.comes(both.old, 10, 6)
    assert both.turn() == [(10, 9), (11, 1)]
    assert both.comes(both.new, 10, 12)
    assert not both.comes(both.old, 10, 13), "it comes by the new one, too"


def test_the_new_hub_may_be_the_slower_one() -> None:
    both = Both()
    assert both.comes(both.old, 10, 4)
    assert both.turn() == []
    assert not both.comes(both.new, 10, 3)
    assert not both.comes(both.new, 10, 4)
    assert both.comes(both.new, 10, 5)


def test_what_is_our_own_comes_back_and_is_not_heard() -> None:
    both = Both()
    assert not both.comes(both.old, OWN, 1)
    assert not both.comes(both.new, OWN, 2, reliable=False)
    assert both.turn() == []


def test_other_servers_are_heard_and_other_hubs_are_not() -> None:
    both = Both()
    assert both.comes(peer(5, TokenRole.COMMUNICATION_SERVER), 5, 1)
    assert not both.comes(peer(6), 6, 1)


def test_on_the_unreliable_channel_the_first_of_two_counts() -> None:
    both = Both()
    assert both.comes(both.old, 10, 1, reliable=False)
    assert not both.comes(both.new, 10, 2, reliable=False), "it may have come by the old one before we took notes"
    both.overlap.is_open = True
    assert not both.comes(both.new, 10, 1, reliable=False)
    assert both.comes(both.new, 10, 3, reliable=False)
    assert not both.comes(both.old, 10, 3, reliable=False)
    both.turn()
    assert both.comes(both.old, 10, 4, reliable=False), "later than the other, and by another way than expected"


def test_an_older_servers_unreliable_packets_are_taken_of_one_hub_alone() -> None:
    both = Both()
    both.overlap.is_open = True
    assert both.comes(both.old, 0, 0, reliable=False)
    assert not both.comes(both.new, 0, 0, reliable=False)
    both.turn()
    assert both.comes(both.new, 0, 0, reliable=False)


def test_both_memories_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOOSE_STAMPS", 2)
    monkeypatch.setattr(module, "MAX_HELD_BYTES", 30)
    both = Both()
    assert all(both.comes(both.old, 10, serial, reliable=False) for serial in (1, 2, 3))
    assert both.comes(both.old, 10, 1, reliable=False), "forgotten"
    assert not both.overlap.is_full
    for serial in range(4):
        both.comes(both.new, 10, serial)
    assert both.overlap.is_full
