"""Who hears again whom to be linked with."""

from __future__ import annotations

import dataclasses

from coordinator.core.cluster import ServerState
from coordinator.core.neighbours import SETTLE_S, Neighbours
from coordinator.core.servers import Servers
from protocol.tokens import TokenRole

PLAIN, HUB = TokenRole.COMMUNICATION_SERVER, TokenRole.COMMUNICATION_SERVER_HUB


class Town:
    """A directory, and what follows from its changes."""

    def __init__(self) -> None:
        self.servers = Servers(20.0)
        self.neighbours = Neighbours(self.servers)

    def here(self, alias: int, role: TokenRole = PLAIN) -> None:
        self.servers.update(ServerState(alias, role, part2=True), 0.0)

    def elsewhere(self, alias: int, now: float, role: TokenRole = PLAIN) -> None:
        self.servers.update(ServerState(alias, role, part2=True), now, "there")
        self.neighbours.came_elsewhere(alias, now)

    def drains(self, alias: int, now: float, node: str | None = None) -> None:
        before = self.servers.get(alias)
        assert before is not None
        state = dataclasses.replace(before, draining=True)
        self.servers.update(state, now, node)
        self.neighbours.reported(before, state, now)

    def goes(self, alias: int, now: float, node: str | None = None) -> None:
        state = self.servers.get(alias)
        assert state is not None
        self.servers.remove(alias, node)
        self.neighbours.went(state.role, now)


def test_those_who_were_there_need_not_hear_of_a_newcomer_here() -> None:
    town = Town()
    town.here(1)
    town.here(2, HUB)
    assert town.neighbours.next_deadline() is None


def test_when_the_last_hub_goes_everyone_here_hears_at_once() -> None:
    town = Town()
    for alias, role in ((1, PLAIN), (2, PLAIN), (3, HUB), (4, HUB)):
        town.here(alias, role)
    town.goes(3, 5.0)
    assert town.neighbours.due(5.0) == []
    town.goes(4, 6.0)
    assert town.neighbours.next_deadline() == 6.0
    assert town.neighbours.due(6.0) == [1, 2]
    assert town.neighbours.due(6.0) == []


def test_when_the_last_hub_drains_everyone_here_hears_it_and_again_when_it_is_gone() -> None:
    town = Town()
    for alias, role in ((1, PLAIN), (2, PLAIN), (3, HUB), (4, HUB)):
        town.here(alias, role)
    town.drains(1, 5.0)
    town.drains(3, 5.0)
    assert town.neighbours.due(5.0) == [], "hub 4 is there"
    assert town.servers.neighbours(2, PLAIN) == [4]
    assert town.servers.ending_hubs() == []
    town.drains(4, 6.0)
    assert town.neighbours.due(6.0) == [1, 2, 3, 4]
    assert town.servers.neighbours(2, PLAIN) == [1, 3, 4]
    assert town.servers.ending_hubs() == [3, 4]
    town.drains(4, 7.0)
    assert town.neighbours.due(7.0) == [], "once"
    town.goes(4, 8.0)
    assert town.neighbours.due(8.0) == [1, 2, 3]


def test_a_hub_may_drain_at_another_coordinator() -> None:
    town = Town()
    town.here(1)
    town.elsewhere(2, 1.0, HUB)
    assert town.neighbours.due(1.0 + SETTLE_S) == [1]
    town.drains(2, 10.0, "there")
    assert town.neighbours.due(10.0) == [1]
    assert sorted(town.servers.neighbours(1, PLAIN)) == [2]


def test_a_plain_server_that_goes_changes_nothing() -> None:
    town = Town()
    town.here(1)
    town.here(2)
    town.goes(2, 5.0)
    assert town.neighbours.due(100.0) == []


def test_the_last_hub_may_have_been_elsewhere() -> None:
    town = Town()
    town.here(1)
    town.elsewhere(9, 0.0, HUB)
    town.neighbours.told(1)
    town.goes(9, 5.0, "there")
    assert town.neighbours.due(5.0) == [1]


def test_of_a_newcomer_elsewhere_those_hear_whom_it_concerns_after_a_moment() -> None:
    town = Town()
    town.here(1)
    town.here(2)
    town.elsewhere(9, 10.0)
    town.elsewhere(8, 11.0)
    assert town.neighbours.due(11.9) == []
    assert town.neighbours.next_deadline() == 10.0 + SETTLE_S
    assert town.neighbours.due(12.0) == [1, 2]
    assert town.neighbours.next_deadline() is None, "one telling for both"


def test_in_a_star_a_plain_newcomer_elsewhere_concerns_hubs_alone() -> None:
    town = Town()
    town.here(1)
    town.here(2, HUB)
    town.elsewhere(9, 10.0)
    assert town.neighbours.due(20.0) == [2]
    town.elsewhere(8, 30.0, HUB)
    assert town.neighbours.due(40.0) == [1, 2]


def test_whoever_has_just_heard_does_not_hear_again() -> None:
    town = Town()
    town.here(1)
    town.elsewhere(9, 10.0)
    town.neighbours.told(1)
    assert town.neighbours.due(20.0) == []
