"""Whole comm servers over real links: clients, other servers, pages, start and stop."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

from commserver.app import CommServer
from protocol import packets, signalling
from protocol.codes import Code
from protocol.errors import ConfigError
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.integration.commserver.conftest import NewClient, Start, alias_of, settings, token
from tests.support.exchange import PATIENCE_S, Exchange
from tests.support.poll import until


async def test_clients_of_two_servers_hear_each_other_on_both_channels(start: Start, client: NewClient) -> None:
    one, other = await start(), await start()
    await until(lambda: one.broker.peers.servers() and other.broker.peers.servers(), PATIENCE_S, "the servers are linked")
    alice, bob = client(), client()
    await alice.join(alias_of(one), token("alice"))
    await bob.join(alias_of(other), token("bob"))
    await bob.subscribe("t")
    await until(lambda: one.broker.topic_count, PATIENCE_S, "interest")
    alice.send(packets.topic_identity("t", b"reliable"))
    await until(lambda: bob.bodies == [b"reliable"], PATIENCE_S, "the reliable packet")
    (sender,) = pb.TopicGroup.FromString(bob.of_type(pb.TOPIC_BATCH)[0].groups[0]).senders
    assert (sender.alias, sender.identity) == (alice.alias, b"alice")
    alice.send(packets.topic("t", b"unreliable"), reliable=False)
    await until(lambda: bob.bodies == [b"reliable", b"unreliable"], PATIENCE_S, "the unreliable packet")
    assert [reliable for data, reliable in bob.raw if data[1] == pb.TOPIC_BATCH] == [True, False]


async def test_packets_flow_while_the_coordinator_is_away(start: Start, client: NewClient, exchange: Exchange) -> None:
    one, other = await start(), await start()
    await until(lambda: one.broker.peers.servers() and other.broker.peers.servers(), PATIENCE_S, "the servers are linked")
    alice, bob = client(), client()
    await alice.join(alias_of(one), token("alice"))
    await bob.join(alias_of(other), token("bob"))
    await bob.subscribe("t")
    await until(lambda: one.broker.topic_count, PATIENCE_S, "interest")
    aliases = alias_of(one), alias_of(other)
    await exchange.stop()
    await until(lambda: not (one.coordinator.welcomed or other.coordinator.welcomed), PATIENCE_S, "the loss is seen")
    for n in range(50):
        alice.send(packets.topic("t", b"%d" % n))
    await until(lambda: len(bob.bodies) == 50, PATIENCE_S, "packets without a coordinator")
    await exchange.start()
    await until(lambda: one.coordinator.welcomed and other.coordinator.welcomed, PATIENCE_S, "they are back")
    alice.send(packets.topic("t", b"50"))
    await until(lambda: len(bob.bodies) == 51, PATIENCE_S, "and after it")
    assert bob.bodies == [b"%d" % n for n in range(51)]
    assert (alias_of(one), alias_of(other)) == aliases
    assert not one.broker.counters.closes


async def test_who_is_closed_hears_why_before_the_link_ends(start: Start, client: NewClient) -> None:
    server = await start()
    alice = client()
    await alice.connect(alias_of(server))
    await until(lambda: alice.is_open, PATIENCE_S, "the channels open")
    alice.send(packets.auth(pb.CLIENT, token(lifetime_s=1.0).replace(".", "x", 1), [pb.ERRORS]))
    await until(lambda: alice.end, PATIENCE_S, "the end")
    assert [message.code for message in alice.of_type(pb.CLOSE)] == [Code.AUTH_FAILED]


@pytest.mark.parametrize(("sdp", "code"), [("v=0\r\nnonsense", Code.BAD_SDP), ("", Code.BAD_SDP)])
async def test_a_bad_answer_is_refused(start: Start, client: NewClient, sdp: str, code: Code) -> None:
    server = await start()
    alice = client()
    alice.answer = sdp
    await alice.connect(alias_of(server))
    await until(lambda: alice.refusals, PATIENCE_S, "CONNECTION_REFUSED")
    assert alice.refusals == [code]
    await until(lambda: server.listener.stats.links == 0, PATIENCE_S, "nothing is left")


async def test_garbage_is_nobody_elses_business(start: Start, client: NewClient) -> None:
    server = await start(max_message=2_000)
    alice, mallory = client(), client()
    await alice.join(alias_of(server), token("alice"))
    await alice.subscribe("t")
    await mallory.join(alias_of(server), token("mallory"))
    for _ in range(150):
        mallory.send(b"\xff garbage")
    await until(lambda: mallory.end, PATIENCE_S, "the end of mallory")
    assert mallory.of_type(pb.CLOSE)[-1].code == Code.TOO_MANY_ERRORS
    bob = client()
    await bob.join(alias_of(server), token("bob"))
    bob.send(packets.topic("t", b"still here"))
    await until(lambda: alice.bodies == [b"still here"], PATIENCE_S, "the others go on")
    assert alice.of_type(pb.ERROR) == []


async def test_grants_are_those_of_the_token(start: Start, client: NewClient) -> None:
    server = await start()
    alice = client()
    await alice.join(alias_of(server), token("alice", publish=["a"], subscribe=["a/*"]))
    alice.send(packets.subscription(["a/1", "b"], version=1))
    await until(lambda: alice.of_type(pb.SUBSCRIBED), PATIENCE_S, "SUBSCRIBED")
    assert [(entry.topic, entry.code) for entry in alice.of_type(pb.SUBSCRIBED)[0].refused] == [("b", Code.NOT_ALLOWED)]
    alice.send(packets.topic("a/1", b"x"))
    await until(lambda: len(alice.of_type(pb.ERROR)) == 2, PATIENCE_S, "ERROR for both")
    assert [(message.code, message.topic) for message in alice.of_type(pb.ERROR)] == [(4300, "b"), (4300, "a/1")]


async def test_an_old_client_without_authentication(start: Start, client: NewClient, exchange: Exchange) -> None:
    server = await start(auth="none", auth_secret=None)
    assert exchange.authorizations == [None]
    old, new = client(), client()
    await old.join(alias_of(server), "", ())
    await new.join(alias_of(server))
    old.send(packets.subscription(["t"], gzip_over=0))
    await until(lambda: server.broker.topic_count, PATIENCE_S, "the subscription")
    new.send(packets.topic("t", b"hello"))
    await until(lambda: old.of_type(pb.TOPIC_FW), PATIENCE_S, "TOPIC_FW")
    assert [(message.from_alias, message.body) for message in old.of_type(pb.TOPIC_FW)] == [(new.alias, b"hello")]
    assert {packet.type for packet in old.packets} == {pb.TOPIC_FW}


async def test_a_peer_that_is_gone_is_noticed_by_the_hint(start: Start, client: NewClient, exchange: Exchange) -> None:
    server = await start()
    alice = client()
    await alice.join(alias_of(server), token())
    await exchange.send(alias_of(server), signalling.peer_gone(alice.alias))  # it does not echo
    await until(lambda: server.broker.counters.closes, PATIENCE_S, "the link is given up")
    assert server.broker.counters.closes == {"LINK_LOST": 1}


async def test_the_pages(start: Start, exchange: Exchange) -> None:
    await exchange.stop()
    server = await start(wait=False)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http:

        async def page(path: str) -> tuple[int, str]:
            async with http.get(path) as response:
                return response.status, await response.text()

        assert await page("/healthz") == (200, "ok\n")
        assert await page("/readyz") == (503, "the coordinator does not know us\n")
        await exchange.start()
        await until(lambda: server.coordinator.welcomed, PATIENCE_S, "WELCOME")
        assert await page("/readyz") == (200, "ready\n")
        status, text = await page("/metrics")
        assert status == 200
        assert "rtcbroker_coordinator_connected 1.0" in text
        assert 'rtcbroker_peers{role="client",state="active"} 0.0' in text


async def test_draining_waits_for_clients_to_move_but_not_for_ever(start: Start, client: NewClient, exchange: Exchange) -> None:
    server = await start(drain_seconds=1.0)
    prompt, lazy = client(), client()
    for one in (prompt, lazy):
        await one.join(alias_of(server), token())
    draining = asyncio.create_task(server.drain())
    for one in (prompt, lazy):
        await until(lambda one=one: one.of_type(pb.CLOSE), PATIENCE_S, "CLOSE")  # type: ignore[misc]  # a default binds it now
        assert [message.code for message in one.of_type(pb.CLOSE)] == [Code.SERVER_STOPPING]
    await until(lambda: any(m.draining for m in exchange.of(pb.ServerStatusMessage)), PATIENCE_S, "the coordinator is told")
    late = client()
    await late.connect(alias_of(server))
    await until(lambda: late.refusals, PATIENCE_S, "CONNECTION_REFUSED")
    assert late.refusals == [Code.SERVER_DRAINING]
    await prompt.close()
    assert not draining.done()
    await lazy.close()
    await asyncio.wait_for(draining, PATIENCE_S)


async def test_draining_is_bounded(start: Start, client: NewClient) -> None:
    server = await start(drain_seconds=0.0)
    alice = client()
    await alice.join(alias_of(server), token())
    await asyncio.wait_for(server.drain(), PATIENCE_S)
    await until(lambda: alice.end, PATIENCE_S, "it was sent away")
    assert len(server.broker.peers) == 0


async def test_stopping_ends_every_link(start: Start, client: NewClient) -> None:
    one, other = await start(), await start()
    await until(lambda: one.broker.peers.servers() and other.broker.peers.servers(), PATIENCE_S, "the servers are linked")
    alice = client()
    await alice.join(alias_of(other), token())
    await other.stop()
    await until(lambda: alice.end, PATIENCE_S, "the client's link ends")
    await until(lambda: not one.broker.peers.servers(), PATIENCE_S, "the other server's link ends")


async def test_a_server_needs_a_token_of_its_own_where_there_is_no_secret(exchange: Exchange) -> None:
    with pytest.raises(ConfigError, match="--token-file"):
        await CommServer.start(settings(exchange, auth_secret=None, auth_jwks_url="http://127.0.0.1:1/keys"))


async def test_a_given_token_is_shown_to_the_coordinator(start: Start, exchange: Exchange) -> None:
    mine = token("server 1", TokenRole.COMMUNICATION_SERVER)
    await start(token=mine)
    assert exchange.authorizations == [f"Bearer {mine}"]


async def test_authorities_that_cannot_be_read_are_named(exchange: Exchange) -> None:
    with pytest.raises(ConfigError, match="--ca-file /nowhere: cannot be read"):
        await CommServer.start(settings(exchange, ca_file="/nowhere"))


@pytest.mark.parametrize("option", ["udp_port", "port"])
async def test_a_port_that_is_taken_is_named(exchange: Exchange, option: str) -> None:
    kind = socket.SOCK_DGRAM if option == "udp_port" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        with pytest.raises(ConfigError) as caught:
            await CommServer.start(settings(exchange, **{option: taken.getsockname()[1]}))
    assert f"--{option.replace('_', '-')}" in str(caught.value)


@pytest.mark.parametrize("bind", ["nowhere.invalid", "192.0.2.77"])
async def test_an_address_that_cannot_be_bound_is_named(exchange: Exchange, bind: str) -> None:
    with pytest.raises(ConfigError, match=bind):
        await CommServer.start(settings(exchange, bind=[bind]))


async def test_a_fresh_token_of_ours_is_shown_to_linked_servers(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.credentials.FILE_POLL_S", 0.0)
    file = tmp_path / "token"
    file.write_text(token("commserver", TokenRole.COMMUNICATION_SERVER, lifetime_s=5.0))
    one, other = await start(), await start(token_file=file)
    await until(lambda: one.broker.peers.servers(), PATIENCE_S, "the servers are linked")
    (session,) = one.broker.peers.servers()
    expiry = session.claims.expires_at
    file.write_text(token("commserver", TokenRole.COMMUNICATION_SERVER, lifetime_s=500.0))
    await until(lambda: session.claims.expires_at > expiry + 100, PATIENCE_S, "the renewal")
    assert not one.broker.counters.closes
    assert other.broker.peers.servers()


async def test_the_coordinator_hears_how_busy_it_is(start: Start, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commserver.app.LOAD_INTERVAL_S", 0.1)
    await start()
    await until(lambda: any(message.cpu > 0 for message in exchange.of(pb.ServerStatusMessage)), PATIENCE_S, "SERVER_STATUS")


async def test_a_part_that_fails_stops_the_server(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(self: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("commserver.io.coordinator_link.CoordinatorLink.run", broken)
    server = await start(wait=False)
    await asyncio.wait_for(server.failed.wait(), PATIENCE_S)
    assert "coordinator link failed" in caplog.text
