"""Each server once a round, in the coordinator's order."""

from __future__ import annotations

from rtcbroker.core.servers import ServerList


def rest(servers: ServerList) -> list[int]:
    found = []
    while (server := servers.next()) is not None:
        found.append(server)
    return found


def test_a_round_goes_through_the_list_in_its_order() -> None:
    servers = ServerList()
    assert servers.next() is None
    servers.refresh([3, 1, 2])
    assert rest(servers) == [3, 1, 2]
    assert servers.next() is None


def test_no_server_is_tried_twice_and_none_is_zero() -> None:
    servers = ServerList()
    servers.refresh([3, 3, 0, 1, 3])
    assert rest(servers) == [3, 1]


def test_a_new_round_leaves_the_lost_server_out() -> None:
    servers = ServerList()
    servers.refresh([3, 1, 2])
    servers.next()
    servers.restart(without=3)
    assert rest(servers) == [1, 2]


def test_there_is_more_to_try_in_this_round_or_in_a_newer_list() -> None:
    servers = ServerList()
    servers.refresh([3, 1])
    more = {servers.next(): servers.has_more, servers.next(): servers.has_more}
    assert more == {3: True, 1: False}
    servers.restart(without=3)
    assert {servers.next(): servers.has_more} == {1: True}


def test_a_new_round_begins_with_the_server_that_asked_for_it_if_it_is_known() -> None:
    servers = ServerList()
    servers.refresh([3, 1, 2])
    servers.restart(first=2)
    assert rest(servers) == [2, 3, 1]
    servers.restart(first=9)
    assert rest(servers) == [3, 1, 2]
