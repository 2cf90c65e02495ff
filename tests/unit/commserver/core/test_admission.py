"""AUTH: who gets in, for how long, and with which code the others go."""

from __future__ import annotations

import logging

import pytest

from commserver.core import events as ev
from protocol import signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.support.world import START, World, token
from tests.support.world_client import OLD, Client, joined


def test_a_client_is_told_its_alias_and_the_limits() -> None:
    world = World()
    client = joined(world, world.server(max_peers=5))
    (ready,) = client.of_type(pb.READY)
    assert ready.alias == client.alias
    assert ready.limits.max_topics == 10_000
    assert set(ready.capabilities) == {pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS, pb.SUBSCRIPTION_UPDATES, pb.MOVES, pb.UPLINKS}


def test_an_old_client_hears_nothing() -> None:
    world = World()
    client = joined(world, world.server(), capabilities=OLD)
    assert client.messages == []
    assert client.is_open


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        (b"", Code.AUTH_FAILED),
        (b"nonsense", Code.AUTH_FAILED),
        (b"\xff\xfe", Code.AUTH_FAILED),
        (token("alice", expires_at=START).encode(), Code.TOKEN_EXPIRED),
        (token("root", TokenRole.ADMIN).encode(), Code.WRONG_ROLE),
    ],
)
def test_a_bad_token_closes_the_link_with_its_code(auth: bytes, code: Code) -> None:
    world = World()
    server = world.server()
    client = Client(world, auth=auth).connect(server)
    world.run()
    assert client.close_codes == [code]
    assert client.closed == ["remote"]
    assert server.broker.counters.errors[code.name] == 1
    assert len(server.broker.peers) == 0


def test_a_token_is_never_logged() -> None:
    world = World()
    server = world.server()
    client = Client(world, auth=b"secret-secret").connect(server)
    world.run()
    assert client.close_codes
    assert not any("secret" in line for line in server.logged())
    assert any("refused" in line for line in server.logged(logging.WARNING))


def test_the_role_is_what_the_token_says() -> None:
    world = World()
    server, other = world.server(), world.server()
    world.run()
    client = joined(world, server, "t", wire_role=pb.COMMUNICATION_SERVER)
    assert [peer.kind.value for peer in server.broker.peers if peer.alias == client.alias] == ["client"]
    far = joined(world, other, "t")
    client.send(pb.TopicMessage(type=pb.TOPIC, topic="t", from_alias=far.alias, body=b"forged").SerializeToString())
    world.run()
    assert [(got.sender, got.body) for got in far.got] == [(client.alias, b"forged")]


def test_nobody_who_is_no_server_answers_a_dial() -> None:
    world = World()
    impostor = Client(world, alias=900, role=TokenRole.COMMUNICATION_SERVER)
    server = world.server(setup_timeout=1.0)
    world.run(0.1)
    (session,) = server.broker.peers
    assert (session.alias, session.dialed) == (impostor.alias, True)
    end, sdp = world.end(impostor, 0)
    impostor.end, impostor.speaks_first = end, True
    impostor.signal(signalling.offer(server.alias, sdp))
    world.run(0.01)
    world.join(end, server.ends[session.link])
    world.run(0.1)
    assert server.broker.counters.errors["WRONG_ROLE"] == 1
    assert impostor.close_codes == [Code.WRONG_ROLE]
    world.run(60)
    assert len(server.broker.peers) == 0, "it is not dialed again"


def test_auth_must_come_in_time() -> None:
    world = World()
    server = world.server(auth_timeout=2.0)
    client = Client(world).connect(server)
    client.speaks_first = False
    world.run(1.9)
    assert client.closed == []
    world.run(0.2)
    assert client.closed == ["remote"]
    assert server.broker.counters.closes["AUTH_TIMEOUT"] == 1


@pytest.mark.parametrize("name", ["subscribe", "publish", "ping"])
def test_nothing_else_is_accepted_before_it(name: str) -> None:
    world = World()
    server = world.server()
    client = Client(world).connect(server)
    client.speaks_first = False
    world.run(0.1)
    getattr(client, name)(*(() if name == "ping" else ("t",)))
    world.run(0.1)
    assert not client.is_open
    assert server.broker.counters.closes["UNEXPECTED_MESSAGE"] == 1


def test_the_unreliable_channel_may_overtake_it() -> None:
    world = World()
    server = world.server()
    listener = joined(world, server, "t")
    client = Client(world).connect(server)
    client.speaks_first = False
    world.run(0.1)
    client.publish("t", b"early", reliable=False)
    client.prove()
    client.publish("t", b"late", reliable=False)
    world.run(0.1)
    assert client.is_open
    assert listener.bodies == [b"late"]
    assert server.broker.counters.dropped["before AUTH"] == 1


def test_a_token_that_expires_ends_the_link() -> None:
    world = World()
    server = world.server()
    client = joined(world, server, auth=token("alice", expires_at=START + 10).encode())
    world.run(9.8)
    assert client.is_open
    world.run(0.2)
    assert client.close_codes == [Code.TOKEN_EXPIRED]
    assert not client.is_open


def test_a_fresh_token_prolongs_it() -> None:
    world = World()
    client = joined(world, world.server(), "t", auth=token("alice", expires_at=START + 10).encode())
    client.prove(token("alice", expires_at=START + 100).encode())
    world.run(50)
    assert client.is_open
    assert len(client.of_type(pb.READY)) == 2
    world.run(50)
    assert client.close_codes == [Code.TOKEN_EXPIRED]


@pytest.mark.parametrize("fresh", [token("bob"), token("alice", TokenRole.COMMUNICATION_SERVER), "garbage"])
def test_a_fresh_token_is_for_the_same_subject_and_role(fresh: str) -> None:
    world = World()
    client = joined(world, world.server(), auth=token("alice").encode())
    client.prove(fresh.encode())
    world.run()
    assert client.close_codes == [Code.AUTH_FAILED]
    assert not client.is_open


def test_a_fresh_token_may_grant_less() -> None:
    world = World()
    server = world.server()
    client = joined(world, server, *(f"a/{n}" for n in range(150)), "b", auth=token("alice").encode())
    speaker = joined(world, server)
    client.prove(token("alice", publish="", subscribe="b").encode())
    world.run()
    assert client.is_open, "having less is no fault of the client"
    assert (Code.NOT_ALLOWED, "a/0") in client.errors
    for topic in ("a/0", "b"):
        speaker.publish(topic, topic.encode())
    client.publish("b")
    world.run()
    assert client.bodies == [b"b"]
    assert client.errors[-1] == (Code.NOT_ALLOWED, "b")
    assert server.broker.subscription_count == 1


def test_a_flood_of_fresh_tokens_is_ended() -> None:
    world = World()
    server = world.server()
    client = joined(world, server, auth=token("alice").encode())
    for _ in range(2_000):
        client.prove()
    world.run(0.5)
    assert client.close_codes == [Code.TOO_MANY_ERRORS]
    assert server.broker.counters.errors["RATE_LIMITED"] > 50


def test_an_alias_belongs_to_one_subject() -> None:
    world = World()
    server = world.server()
    alice = joined(world, server, subject="alice")
    thief = Client(world, subject="mallory", alias=alice.alias).connect(server)
    world.run()
    assert thief.close_codes == [Code.ALIAS_TAKEN]
    assert alice.is_open


def test_the_same_subject_replaces_its_older_link() -> None:
    world = World()
    server = world.server()
    first = joined(world, server, "t", subject="alice")
    second = Client(world, subject="alice", alias=first.alias).connect(server)
    world.run()
    assert first.close_codes == [Code.REPLACED]
    assert not first.is_open
    assert second.is_open
    assert server.broker.subscription_count == 0
    assert len(server.broker.peers) == 1


def test_without_authentication_everyone_is_what_it_says() -> None:
    world = World()
    server = world.server(auth_required=False)
    client = joined(world, server, "t", auth=b"", wire_role=pb.CLIENT)
    assert client.of_type(pb.READY)
    peer = joined(world, server, auth=b"", wire_role=pb.COMMUNICATION_SERVER)
    assert [s.alias for s in server.broker.peers.servers()] == [peer.alias]


def test_servers_renew_their_tokens_on_both_sides_of_a_link() -> None:
    world = World()
    servers = [world.server(), world.server()]
    for server in servers:
        server.token = token("commserver", expires_at=START + 20, role=TokenRole.COMMUNICATION_SERVER)
    world.run(10)
    for _ in range(10):
        for server in servers:
            server.token = token("commserver", expires_at=world.now + 20, role=TokenRole.COMMUNICATION_SERVER)
            server.feed(ev.TokenRenewed())
        world.run(10)
    assert servers[0].links_to(servers[1]) == servers[1].links_to(servers[0]) == 1
    assert [len(server.broker.counters.closes) for server in servers] == [0, 0], "the first link still lives"
    world.run(30)
    assert servers[0].broker.counters.closes


def test_a_server_that_did_not_renew_in_time_is_linked_again_when_it_does() -> None:
    world = World()
    one, other = world.server(), world.server()
    other.token = token("commserver", expires_at=START + 5, role=TokenRole.COMMUNICATION_SERVER)
    world.run(30)
    assert one.links_to(other) == 0
    other.token = token("commserver", role=TokenRole.COMMUNICATION_SERVER)
    world.run(15)
    assert one.links_to(other) == other.links_to(one) == 1
