"""What operators ask for: at any coordinator, and it holds at all of them and at all their servers."""

from __future__ import annotations

import pytest

from coordinator.core.admission import Admission
from coordinator.core.cluster import Disconnect, Forward, Revocation
from coordinator.core.operations import Operations
from coordinator.core.outputs import Dismiss
from protocol import signalling
from protocol.codes import Code
from protocol.errors import DecodeError, TopicError
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.support.coordination import NOW, FakePeer, Node, World


@pytest.fixture
def world() -> World:
    """Two coordinators."""
    world = World()
    world.add_node()
    return world


def operate(node: Node, operation: object) -> object:
    """Ask at that coordinator."""
    results: list[object] = []
    node.event(lambda: results.append(node.core.operate(operation, node.world.now)))  # type: ignore[arg-type]  # any of them
    return results[0]


def publish(node: Node, topic: str = "t", body: bytes = b"hi") -> object:
    return operate(node, lambda operations: operations.publish(topic, body, node.world.now))


def revoke(node: Node, name: str, value: str, seconds: float = 60) -> object:
    now = node.world.now
    return operate(node, lambda operations: operations.revoke(name, value, now + seconds, now))


def lift(node: Node, name: str, value: str) -> object:
    return operate(node, lambda operations: operations.lift(name, value, node.world.now))


def disconnect(node: Node, subject: str = "", alias: int = 0) -> object:
    return operate(node, lambda operations: operations.disconnect(Disconnect(subject, alias)))


def drain(node: Node, alias: int, seconds: float = 5) -> object:
    return operate(node, lambda operations: operations.drain(alias, seconds))


def with_token(node: Node, token_id: str, subject: str = "alice") -> FakePeer:
    return node.join(Admission(TokenRole.CLIENT, subject, True, token_id=token_id))


def told(server: FakePeer) -> list[tuple[str, str, float, bool]]:
    """The REVOKEs a server got."""
    return [(frame.subject, frame.jti, frame.until, frame.lifted) for frame in server.got(pb.RevokeMessage)]


# ------------------------------------------------------------------------------------------------------------- publishing


def test_one_server_gets_what_is_published(world: World) -> None:
    servers = [world.server(), world.server()]
    assert publish(world.nodes[0]) in [server.alias for server in servers]
    (frame,) = [frame for server in servers for frame in server.got(pb.PublishMessage)]
    assert (frame.topic, frame.body, frame.reliable, frame.identity) == ("t", b"hi", True, b"")


def test_it_may_be_unreliable_and_say_who_published(world: World) -> None:
    server = world.server()
    operate(world.nodes[0], lambda operations: operations.publish("t", b"", world.now, reliable=False, identity=b"shop"))
    frame = server.next(pb.PublishMessage)
    assert (frame.reliable, frame.identity, frame.role) == (False, b"shop", pb.UNKNOWN_ROLE)


def test_a_server_of_another_coordinator_will_do_but_one_here_is_nearer(world: World) -> None:
    there = world.server(node=1)
    assert publish(world.nodes[0]) == there.alias
    assert there.next(pb.PublishMessage).body == b"hi"
    here = world.server(node=0)
    for number in range(20):
        assert publish(world.nodes[0], f"topic/{number}") == here.alias


def test_alone_only_a_server_here_will_do(world: World) -> None:
    there = world.server(node=1)

    def alone(operations: Operations) -> int | None:
        return operations.publish("t", b"hi", world.now, alone=True)

    assert operate(world.nodes[0], alone) is None
    assert there.got(pb.PublishMessage) == []
    here = world.server(node=0)
    assert operate(world.nodes[0], alone) == here.alias


def test_a_topic_keeps_its_server_and_topics_are_spread(world: World) -> None:
    servers = [world.server() for _ in range(4)]
    chosen = {topic: publish(world.nodes[0], topic) for topic in (f"topic/{number}" for number in range(100))}
    assert set(chosen.values()) == {server.alias for server in servers}
    world.advance(5)
    servers.pop().leave()
    for topic, alias in chosen.items():
        moved = publish(world.nodes[0], topic)
        assert moved == alias or alias not in [server.alias for server in servers]


def test_a_full_server_will_do_but_none_that_is_draining_stale_or_old(world: World) -> None:
    full, draining, old = world.server(), world.server(), world.server(part2=False)
    full.report(clients=5, max_clients=5)
    draining.report(draining=True)
    assert publish(world.nodes[0]) == full.alias
    full.leave()
    assert publish(world.nodes[0]) is None
    assert old.frames[1:] == []
    stale = world.server()
    assert publish(world.nodes[0]) == stale.alias
    world.advance(21)
    assert publish(world.nodes[0]) is None


def test_what_no_server_would_take_is_not_sent(world: World) -> None:
    server = world.server()
    with pytest.raises(TopicError):
        publish(world.nodes[0], "a b")
    with pytest.raises(DecodeError):
        publish(world.nodes[0], "t", bytes(65_000))
    assert server.got(pb.PublishMessage) == []


# --------------------------------------------------------------------------------------------------------------- draining


@pytest.mark.parametrize("home", [0, 1])
def test_a_server_is_asked_to_drain_wherever_it_is(world: World, home: int) -> None:
    server, other = world.server(node=home), world.server(node=home)
    assert drain(world.nodes[0], server.alias, 5) == "asked"
    assert server.next(pb.DrainMessage).seconds == 5
    assert other.got(pb.DrainMessage) == []


def test_alone_only_a_server_here_is_asked(world: World) -> None:
    there, here = world.server(node=1), world.server(node=0)

    def alone(alias: int) -> object:
        return operate(world.nodes[0], lambda operations: operations.drain(alias, 5, alone=True))

    assert [alone(alias) for alias in (there.alias, here.alias, 12345)] == ["out of reach", "asked", "no such server"]
    assert there.got(pb.DrainMessage) == []


def test_who_cannot_be_drained(world: World) -> None:
    old, client = world.server(part2=False), world.client()
    assert drain(world.nodes[0], 12345) == "no such server"
    assert drain(world.nodes[0], client.alias) == "no such server"
    assert drain(world.nodes[0], old.alias) == "old server"
    with pytest.raises(DecodeError):
        drain(world.nodes[0], world.server().alias, -1)


# ------------------------------------------------------------------------------------------------------------ disconnecting


def test_a_subject_is_disconnected_everywhere_and_may_come_back(world: World) -> None:
    here, there, other = world.client("alice", node=0), world.client("alice", node=1), world.client("bob", node=1)
    servers = [world.server(node=0), world.server(node=1)]
    assert disconnect(world.nodes[0], subject="alice") == 1
    assert (here.closed, there.closed, other.closed) == (Code.DISCONNECTED, Code.DISCONNECTED, None)
    assert [told(server) for server in servers] == [[("alice", "", 0, False)]] * 2
    assert world.client("alice").closed is None
    assert [node.dismissed for node in world.nodes] == [[Dismiss(Code.DISCONNECTED, subject="alice")]] * 2


def test_an_alias_is_disconnected_wherever_it_is(world: World) -> None:
    client, other = world.client("alice", node=1), world.client("alice", node=1)
    server = world.server(node=1)
    assert disconnect(world.nodes[0], alias=client.alias) == 0
    assert (client.closed, other.closed) == (Code.DISCONNECTED, None)
    assert server.next(pb.RevokeMessage).alias == client.alias
    assert [node.dismissed for node in world.nodes] == [[], []]


# ---------------------------------------------------------------------------------------------------------------- revoking


@pytest.mark.parametrize("asked", [0, 1])
def test_a_subject_is_revoked_everywhere(world: World, asked: int) -> None:
    clients = [world.client("alice", node=node) for node in (0, 1)]
    other = world.client("bob")
    servers = [world.server(node=0), world.server(node=1)]
    made = revoke(world.nodes[asked], "subject", "alice", 60)
    assert isinstance(made, Revocation)
    assert [client.closed for client in clients] == [Code.TOKEN_REVOKED] * 2
    assert other.closed is None
    assert [told(server) for server in servers] == [[("alice", "", NOW + 60, False)]] * 2
    for node in world.nodes:
        assert node.core.revocations.in_force(world.now) == [made]
        assert node.dismissed == [Dismiss(Code.TOKEN_REVOKED, subject="alice")]


def test_one_token_is_revoked_and_others_of_its_subject_are_not(world: World) -> None:
    one, other = with_token(world.nodes[1], "j1"), with_token(world.nodes[1], "j2")
    server = world.server()
    revoke(world.nodes[0], "jti", "j1")
    assert (one.closed, other.closed) == (Code.TOKEN_REVOKED, None)
    assert told(server) == [("", "j1", NOW + 60, False)]
    assert world.nodes[1].dismissed == [Dismiss(Code.TOKEN_REVOKED, token_id="j1")]


def test_a_coordinator_and_servers_that_come_later_know_what_is_revoked(world: World) -> None:
    revoke(world.nodes[0], "subject", "alice", 60)
    revoke(world.nodes[0], "jti", "j1", 30)
    revoke(world.nodes[1], "subject", "bob", 10)
    lift(world.nodes[1], "jti", "j1")
    world.advance(10)
    late = world.add_node()
    assert [each.value for each in late.core.revocations.in_force(world.now)] == ["alice"]
    for node in range(3):
        server, old = world.server(node=node), world.server(node=node, part2=False)
        assert told(server) == [("", "j1", 0, True), ("alice", "", NOW + 60, False)]
        assert isinstance(server.frames[0], pb.WelcomeMessage)
        assert old.frames[1:] == []


def test_a_lifted_revocation_disconnects_nobody(world: World) -> None:
    server = world.server(node=1)
    assert lift(world.nodes[0], "subject", "alice") is None
    revoke(world.nodes[0], "subject", "alice")
    assert lift(world.nodes[1], "subject", "alice") is not None
    assert world.client("alice", node=1).closed is None
    assert told(server) == [("alice", "", NOW + 60, False), ("alice", "", 0, True)]
    assert [node.core.revocations.in_force(world.now) for node in world.nodes] == [[], []]
    assert lift(world.nodes[0], "subject", "alice") is None


def test_what_is_told_twice_changes_nothing(world: World) -> None:
    server = world.server()
    made = revoke(world.nodes[1], "subject", "alice")
    assert isinstance(made, Revocation)
    world.nodes[0].revoked(made)
    assert len(told(server)) == len(world.nodes[0].dismissed) == 1


def test_who_was_let_in_just_before_is_closed_before_its_welcome(world: World) -> None:
    revoke(world.nodes[0], "jti", "j1")
    late = with_token(world.nodes[1], "j1")
    assert (late.closed, late.frames) == (Code.TOKEN_REVOKED, [])


@pytest.mark.parametrize(("name", "value", "seconds"), [("subject", "", 60), ("subject", "x" * 257, 60), ("jti", "j", -NOW)])
def test_what_no_server_would_take_is_not_revoked(world: World, name: str, value: str, seconds: float) -> None:
    with pytest.raises(DecodeError):
        revoke(world.nodes[0], name, value, seconds)
    assert len(world.core.revocations) == 0


def test_there_is_an_end_to_how_many_there_are(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.core.revocations, "_most", 2)
    assert revoke(world.nodes[0], "subject", "a")
    assert revoke(world.nodes[0], "subject", "b")
    assert revoke(world.nodes[0], "subject", "c") is None
    assert revoke(world.nodes[0], "subject", "b", 90)
    assert lift(world.nodes[0], "subject", "a")
    assert revoke(world.nodes[0], "subject", "c")


def test_thousands_of_revocations_do_not_make_a_new_server_too_slow() -> None:
    world = World(outbox_frames=16)
    for number in range(1_000):
        revoke(world.nodes[0], "subject", f"s{number}", 60 + number)
    server = world.server()
    assert server.closed is None
    assert len(told(server)) == 1_000


def test_a_server_that_reads_slowly_never_hears_the_older_after_the_newer(world: World) -> None:
    revoke(world.nodes[0], "subject", "alice", 60)
    revoke(world.nodes[0], "subject", "bob", 90)
    late = FakePeer(world.nodes[0], 99, reading=False)
    world.nodes[0].peers[99] = late
    world.nodes[0].event(lambda: world.core.joined(99, Admission(TokenRole.COMMUNICATION_SERVER, "late", True), world.now))
    lift(world.nodes[0], "subject", "bob")
    revoke(world.nodes[0], "subject", "alice", 120)
    late.read()
    last = {subject: (until, lifted) for subject, _, until, lifted in told(late)}
    assert last == {"alice": (NOW + 120, False), "bob": (0, True)}


# ----------------------------------------------------------------------------------------------------- frames of operators


def test_a_frame_of_an_operator_is_for_servers_alone(world: World) -> None:
    client, old = world.client(), world.server(part2=False)
    for peer in (client, old):
        assert world.core.forwarded(Forward(peer.alias, 0, TokenRole.ADMIN, pb.DRAIN, b"\x08\x74"), world.now)
        assert peer.frames[1:] == []
    assert world.core.stats.dropped["drain", "unexpected"] == 2


def test_peers_may_not_ask_for_it(world: World) -> None:
    server, client = world.server(), world.client()
    for peer in (server, client):
        peer.send(pb.DrainMessage(type=pb.DRAIN).SerializeToString())
        peer.send(pb.RevokeMessage(type=pb.REVOKE, subject="alice").SerializeToString())
    assert world.core.stats.dropped["drain", "unexpected"] == 2
    assert world.core.stats.dropped["revoke", "unexpected"] == 2
    assert server.got(pb.DrainMessage) == []


def test_a_publication_for_a_server_that_has_just_gone_is_dropped(world: World) -> None:
    world.core.undeliverable(Forward(77, 0, TokenRole.ADMIN, pb.PUBLISH, b""), world.now)
    assert world.core.stats.dropped["publish", "no such peer"] == 1


# ------------------------------------------------------------------------------------------------------------- request ids


def test_a_join_keeps_its_name_from_welcome_to_the_server(world: World) -> None:
    server = world.server(node=1)
    client = world.nodes[0].join(Admission(TokenRole.CLIENT, "alice", True, request_id="r-1"))
    assert client.welcome.request_id == "r-1"
    client.send(signalling.connect(server.alias, request_id="a lie"))
    assert server.next(pb.ConnectMessage).request_id == "r-1"


def test_an_old_peer_is_not_told_but_named(world: World) -> None:
    server = world.server()
    old = world.nodes[0].join(Admission(TokenRole.CLIENT, "alice", False, request_id="r-1"))
    assert old.welcome.request_id == ""
    old.send(signalling.connect(server.alias))
    assert server.next(pb.ConnectMessage).request_id == "r-1"
