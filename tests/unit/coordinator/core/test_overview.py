"""What the dashboard is shown: every server as it reports, and what has happened, from one coordinator or several."""

from __future__ import annotations

import pytest

from coordinator.core.admission import NO_TOKEN
from coordinator.core.feed import LogEntry, LogKind, ServerNow, State
from coordinator.core.overview import MAX_HISTORIES, REFUSAL_LINES_BURST, Vitals
from protocol import signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.support.coordination import NOW, FakePeer, World
from tests.support.reports import a_report, as_frame, peer_event

VITALS = Vitals("0.9", NOW - 60, 0.25, 1_000_000)


@pytest.fixture
def world() -> World:
    return World()


def state(world: World, node: int = 0, since: int = 0) -> State:
    return world.nodes[node].core.overview.state(VITALS, since, world.now)


def shown(world: World, server: FakePeer, node: int = 0) -> ServerNow:
    (found,) = [each for each in state(world, node)["servers"] if each["alias"] == str(server.alias)]
    return found


def log(world: World, *kinds: LogKind, node: int = 0) -> list[LogEntry]:
    return [line for line in state(world, node)["log"] if line["kind"] in kinds or not kinds]


def tell(server: FakePeer, uptime: float = 10.0, **fields: object) -> None:
    server.send(as_frame(a_report(uptime, **fields)))  # type: ignore[arg-type]  # names are checked by protobuf


def test_an_empty_cluster(world: World) -> None:
    assert state(world) == {
        "type": "state",
        "time": NOW,
        "coordinator": {
            "version": "0.9",
            "uptime_s": 60,
            "clients": 0,
            "servers": 0,
            "joins": 0,
            "refusals": 0,
            "cpu": 0.25,
            "memory_bytes": 1_000_000,
            "p2p": [],
        },
        "servers": [],
        "topics": [],
        "log": [],
    }
    assert world.core.overview.hello(VITALS, world.now) == {
        "type": "hello",
        "version": "0.9",
        "cluster_started": NOW - 60,
        "auth": True,
        "history": {},
        "log": [],
        "interval_s": 1,
    }


def test_the_coordinators_own_numbers_are_those_of_its_metrics(world: World) -> None:
    world.server()
    world.client()
    world.client().leave()
    world.core.refused("/connect", NO_TOKEN, world.now)
    now = state(world)["coordinator"]
    assert (now["clients"], now["servers"], now["joins"], now["refusals"]) == (1, 1, 3, 1)
    assert now["clients"] == world.core.peer_counts[TokenRole.CLIENT]
    assert now["joins"] == world.core.stats.joined.total()
    assert now["refusals"] == world.core.stats.refused.total()


def test_a_server_as_it_reports(world: World) -> None:
    server, other = world.server(hub=True), world.server()
    server.report(clients=1, max_clients=50)
    tell(server, 10.0, packets_in=100, links={other.alias: 10})
    world.advance(1)
    tell(
        server,
        11.0,
        clients=3,
        topics=4,
        subscriptions=5,
        packets_in=150,
        links={other.alias: 40},
        drops=[pb.ReasonCount(reason="stale", count=2)],
        latency_p50=0.001,
        latency_p99=0.002,
        cpu=0.5,
        memory=2_000_000,
        busiest=[pb.TopicTraffic(topic="room", subscribers=2, records_per_second=10)],
    )
    world.advance(0.5)
    nothing = {"packets_out": 0, "bytes_in": 0, "bytes_out": 0, "records": 0, "deliveries": 0}
    assert shown(world, server) == {
        "alias": str(server.alias),
        "role": "hub",
        "state": "ready",
        "version": "1.2.3",
        "uptime_s": 11,
        "clients": 3,
        "max_clients": 50,
        "topics": 4,
        "subscriptions": 5,
        "totals": {"packets_in": 150, **nothing},
        "rates": {"packets_in": 50, **nothing},
        "drops": [{"reason": "stale", "count": 2, "rate": 2}],
        "latency_ms": {"p50": 1, "p99": 2},
        "cpu": 0.5,
        "memory_bytes": 2_000_000,
        "links": [{"alias": str(other.alias), "bytes_in": 30, "bytes_out": 60}],
        "age_s": 0.5,
    }
    assert [topic["topic"] for topic in state(world)["topics"]] == ["room"]
    hello = world.core.overview.hello(VITALS, world.now)
    assert [point["packets_in"] for point in hello["history"][str(server.alias)]] == [0, 50]
    assert hello["history"][str(other.alias)] == []


def test_the_cluster_is_as_old_as_its_oldest_server(world: World) -> None:
    tell(world.server(), 1_000.0)
    assert world.core.overview.hello(VITALS, world.now)["cluster_started"] == NOW - 1_000


def test_a_server_that_never_reports_is_silent(world: World) -> None:
    old, new = world.server(part2=False), world.server()
    assert (shown(world, old)["state"], shown(world, new)["state"]) == ("silent", "ready")
    new.report(clients=7, max_clients=9, cpu=0.5)
    world.advance(6)
    now = shown(world, new)
    assert (now["state"], now["clients"], now["max_clients"], now["cpu"], now["age_s"]) == ("silent", 7, 9, 0.5, 6)
    assert (now["version"], now["latency_ms"], now["links"], now["drops"]) == ("", None, [], [])
    assert [line["text"] for line in log(world, "state")] == [f"server {new.alias}: ready, now silent"]


def test_a_server_that_reports_no_more_is_stale_and_its_rates_are_gone(world: World) -> None:
    server = world.server()
    for second in range(3):
        tell(server, 10.0 + second, packets_in=100 * second, links={9: second}, cpu=1.0, latency_p50=0.1, latency_p99=0.1)
        world.advance(1)
    assert shown(world, server)["rates"]["packets_in"] == 100
    world.advance(5)
    now = shown(world, server)
    assert (now["state"], now["rates"]["packets_in"], now["totals"]["packets_in"]) == ("stale", 0, 200)
    assert (now["links"][0]["bytes_in"], now["latency_ms"], now["cpu"]) == (0, None, 0)
    tell(server, 18.0, packets_in=200)
    assert shown(world, server)["state"] == "ready"
    assert [line["text"].split(": ")[1] for line in log(world, "state")] == ["ready, now stale", "stale, now ready"]


def test_the_log_notices_without_anybody_looking(world: World) -> None:
    server = world.server()
    tell(server)
    world.advance(16)
    (line,) = log(world, "state")
    assert line["text"] == f"server {server.alias}: ready, now stale"
    assert line["time"] <= NOW + 15


def test_full_and_draining_are_told(world: World) -> None:
    server = world.server()
    tell(server)
    server.report(clients=5, max_clients=5)
    assert shown(world, server)["state"] == "full"
    server.report(clients=5, max_clients=5, draining=True)
    assert shown(world, server)["state"] == "draining"
    texts = [line["text"] for line in log(world, "state")]
    assert texts == [f"server {server.alias}: ready, now full", f"server {server.alias}: full, now draining"]


def test_a_newcomer_is_linking_until_it_says_that_it_is_not(world: World) -> None:
    first, second = world.server(), world.server(linked=False)
    assert [shown(world, server)["state"] for server in (first, second)] == ["ready", "linking"]
    second.report(linking=True)
    tell(second)
    assert shown(world, second)["state"] == "linking"
    second.report()
    assert shown(world, second)["state"] == "ready"
    assert log(world, "state") == []


def test_servers_come_and_go(world: World) -> None:
    server, hub = world.server(), world.server(hub=True)
    server.leave()
    hub.send(b"nonsense")
    lines = log(world)
    assert [(line["kind"], line["server"]) for line in lines] == [
        ("server-joined", str(server.alias)),
        ("server-joined", str(hub.alias)),
        ("server-left", str(server.alias)),
        ("server-left", str(hub.alias)),
    ]
    assert lines[1]["text"] == f"hub {hub.alias} joined the cluster"
    assert [line["id"] for line in lines] == [1, 2, 3, 4]
    assert state(world)["servers"] == []


@pytest.mark.parametrize(("clients", "told"), [(0, ""), (1, ", with 1 client on it"), (12, ", with 12 clients on it")])
def test_a_server_that_leaves_takes_its_clients_along(world: World, clients: int, told: str) -> None:
    """One that was killed has nobody to report that they left."""
    server = world.server()
    tell(server, clients=clients)
    server.leave()
    assert [line["text"] for line in log(world, "server-left")] == [f"server {server.alias} left the cluster{told}"]


def test_a_server_that_comes_back_in_time_was_never_away(world: World) -> None:
    server = world.server("server")
    tell(server)
    again = world.server("server", wish=server.wish)
    assert again.alias == server.alias
    assert server.closed is Code.REPLACED
    assert [line["kind"] for line in log(world)] == ["server-joined"]
    assert shown(world, again)["version"] == "1.2.3"


def test_links_are_told_once_for_both_ends(world: World) -> None:
    one, other = sorted((world.server(), world.server()), key=lambda server: server.alias)
    tell(other, links={one.alias: 0})
    tell(one, links={other.alias: 0})
    tell(one, 11.0)
    assert [line["kind"] for line in log(world, "link-up", "link-down")] == ["link-up"]
    other.leave()
    lines = log(world, "link-up", "link-down")
    assert [(line["kind"], line["server"], line["alias"]) for line in lines] == [
        ("link-up", str(one.alias), str(other.alias)),
        ("link-down", str(one.alias), str(other.alias)),
    ]


def test_what_peers_did(world: World) -> None:
    server = world.server()
    event = pb.PeerEvent
    events = [
        peer_event(event.JOINED, 5),
        peer_event(event.LEFT, 5),
        peer_event(event.LEFT, 6, int(Code.TOKEN_EXPIRED)),
        peer_event(event.REFUSED, 7, int(Code.SERVER_FULL)),
        peer_event(event.REFUSED, 8, 4_999, pb.COMMUNICATION_SERVER),
        peer_event(event.JOINED, 9, role=pb.COMMUNICATION_SERVER),  # a link, and told as one
        peer_event(event.UNKNOWN_KIND, 10),
    ]
    tell(server, events=events, events_lost=3)
    lines = log(world, "joined", "left", "refused", "lost-events")
    name = server.alias
    assert [(line["kind"], line.get("alias"), line["text"]) for line in lines] == [
        ("joined", "5", f"client 5 joined server {name}"),
        ("left", "5", f"client 5 left server {name}"),
        ("left", "6", f"client 6 left server {name}: 4212 the token has expired (do not retry)"),
        ("refused", "7", f"server {name} refused client 7: 4100 the server is full (retry elsewhere)"),
        ("refused", "8", f"server {name} refused server 8: 4999 unknown code (retry)"),
        ("lost-events", None, f"server {name} had 3 more joins, leaves and refusals than fit into its report"),
    ]
    assert {line["server"] for line in lines} == {str(name)}


def test_strangers_cannot_wash_the_log_out(world: World) -> None:
    for _ in range(10_000):
        world.core.refused("/connect", NO_TOKEN, world.now)
    lines = log(world, "refused")
    assert len(lines) == REFUSAL_LINES_BURST
    assert lines[0]["text"].startswith("refused at /connect: 4210 a token is needed")
    world.advance(1)
    world.core.refused("/connect", NO_TOKEN, world.now)
    assert log(world, "refused")[-1]["text"].endswith(f"(and {10_000 - REFUSAL_LINES_BURST} more before)")
    assert state(world)["coordinator"]["refusals"] == 10_001


def test_only_servers_report(world: World) -> None:
    server, client = world.server(), world.client()
    client.send(as_frame(a_report()))
    assert client.closed is None
    assert world.core.stats.dropped == {("server_report", "unexpected"): 1}
    assert world.core.stats.reports == 0
    tell(server)
    assert world.core.stats.reports == 1


def test_a_report_over_its_limits_is_refused_as_a_whole(world: World) -> None:
    server = world.server()
    wrong = a_report(cpu=-1.0, clients=7)
    server.send(wrong.SerializeToString())
    assert server.closed is None
    assert shown(world, server)["clients"] == 0
    assert world.core.stats.dropped == {("server_report", "malformed"): 1}
    for _ in range(200):
        server.send(wrong.SerializeToString())
        world.advance(0.5)  # no faster than reports may come
    assert server.closed is None, "a wrong report now and then is forgiven"


def test_reports_come_no_faster_than_is_of_use(world: World) -> None:
    server = world.server()
    for number in range(50):
        tell(server, 10.0 + number / 100, packets_in=number)
    assert world.core.stats.reports == 10
    assert world.core.stats.dropped == {("server_report", "rate"): 40}
    for _ in range(200):
        tell(server)
    assert server.closed is Code.TOO_MANY_ERRORS


def test_every_coordinator_shows_all_servers() -> None:
    world = World()
    world.add_node()
    here, there = world.server(node=0), world.server(node=1)
    for second in range(2):
        tell(here, 10.0 + second, packets_in=second)
        tell(there, 20.0 + second, packets_in=second, links={here.alias: 0})
        world.advance(1)
    for node in (0, 1):
        assert [shown(world, server, node)["rates"]["packets_in"] for server in (here, there)] == [1, 1]
        assert [line["kind"] for line in log(world, node=node)] == ["server-joined", "server-joined", "link-up"]
        assert state(world, node)["coordinator"]["servers"] == 2
    there.leave()
    for node in (0, 1):
        assert [server["alias"] for server in state(world, node)["servers"]] == [str(here.alias)]


def test_a_report_from_where_the_server_is_not_is_ignored() -> None:
    world = World()
    world.add_node()
    here, there = world.server(node=0), world.server(node=1)
    core = world.nodes[0].core
    frame = as_frame(a_report(clients=9))
    core.server_reported(here.alias, frame, "node-2", world.now)
    core.server_reported(there.alias, frame, "node-9", world.now)
    core.server_reported(99, frame, "node-2", world.now)
    assert [server["clients"] for server in state(world)["servers"]] == [0, 0]
    core.server_reported(there.alias, b"\xff", "node-2", world.now)
    core.server_reported(there.alias, signalling.peer_gone(7), "node-2", world.now)
    assert core.stats.dropped == {("server_report", "malformed"): 1}
    core.server_reported(there.alias, frame, "node-2", world.now)
    assert shown(world, there)["clients"] == 9


def test_a_server_that_moves_to_another_coordinator_leaves_nothing_behind() -> None:
    world = World()
    world.add_node()
    server = world.server("server", node=0)
    moved = world.server("server", node=1, wish=server.wish)
    assert moved.alias == server.alias
    moved.report()
    moved.leave()
    assert [state(world, node)["servers"] for node in (0, 1)] == [[], []]


def test_a_hello_has_an_end(world: World) -> None:
    crowded = world.server()
    tell(crowded, clients=5)
    for _ in range(MAX_HISTORIES + 5):
        world.server()
    history = world.core.overview.hello(VITALS, world.now)["history"]
    assert len(history) == MAX_HISTORIES
    assert next(iter(history)) == str(crowded.alias)
