"""The directory of servers."""

from __future__ import annotations

from coordinator.core.cluster import ServerState
from coordinator.core.servers import Servers
from protocol.tokens import TokenRole

SERVER = TokenRole.COMMUNICATION_SERVER


def state(
    alias: int,
    *,
    part2: bool = True,
    clients: int = 0,
    limit: int = 0,
    draining: bool = False,
    cpu: float = 0.0,
    linking: bool = False,
) -> ServerState:
    return ServerState(alias, SERVER, part2, clients, limit, draining, cpu, linking)


def ready(servers: Servers, now: float) -> list[int]:
    return sorted(candidate.alias for candidate in servers.candidates(now))


def test_full_draining_stale_and_linking_servers_are_left_out() -> None:
    servers = Servers(20)
    servers.update(state(1), 0)
    servers.update(state(2, clients=5, limit=5), 0)
    servers.update(state(3, draining=True), 0)
    servers.update(state(4), -30)
    servers.update(state(5, linking=True), 0)
    assert ready(servers, 0) == [1]
    assert sorted(servers.aliases()) == [1, 2, 3, 4, 5]
    assert servers.conditions(0) == {"ready": 1, "full": 1, "draining": 1, "stale": 1, "linking": 1}
    assert sorted(servers.neighbours(1, SERVER)) == [2, 3, 4, 5], "all of which other servers are to be linked with"


def test_a_report_brings_it_back() -> None:
    servers = Servers(20)
    servers.update(state(1, clients=5, limit=5), 0)
    servers.update(state(1, clients=4, limit=5), 10)
    assert ready(servers, 30) == [1]
    assert ready(servers, 30.1) == []
    servers.update(state(1), 40)
    assert ready(servers, 40) == [1]


def test_an_old_server_never_reports_and_is_never_stale() -> None:
    servers = Servers(20)
    servers.update(state(1, part2=False), 0)
    assert ready(servers, 1e9) == [1]


def test_clients_on_their_way_count_until_the_next_report() -> None:
    servers = Servers(20)
    servers.update(state(1, limit=10), 0)
    servers.client_sent(1)
    servers.client_sent(1)
    servers.client_sent(99)
    assert servers.candidates(0)[0].load == 0.2
    servers.update(state(1, clients=1, limit=10), 1)
    assert servers.candidates(1)[0].load == 0.1


def test_a_server_goes_only_from_where_it_is() -> None:
    servers = Servers(20)
    servers.update(state(1), 0, "b")
    assert not servers.remove(1, "a")
    assert not servers.remove(1)
    assert 1 in servers
    assert servers.get(1) == state(1)
    assert servers.remove(1, "b")
    assert 1 not in servers
    assert servers.get(1) is None
    assert len(servers) == 0
