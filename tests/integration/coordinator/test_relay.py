"""Signalling over real sockets."""

from __future__ import annotations

from collections import Counter

import pytest

from protocol import signalling
from protocol.codes import Code
from protocol.limits import MAX_ERRORS, MAX_SIGNAL_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.signalling import CandidateInit
from tests.integration.coordinator.conftest import PATIENCE_S, Peer, Running, Start
from tests.support.poll import until

CRITICAL_3 = 30.665
"""Chi-square for p = 0.000001 with 3 degrees of freedom: nobody seeds a whole coordinator. The selector's own test is stricter, with a seed."""


async def test_a_negotiation(coordinator: Running) -> None:
    server = await coordinator.server()
    client = await coordinator.client()
    assert list(client.welcome.available_servers) == [server.alias]
    await client.send(signalling.connect(server.alias, from_alias=1))
    connect = await server.expect(pb.ConnectMessage)
    assert (connect.from_alias, connect.from_role) == (client.alias, pb.CLIENT)
    await server.send(signalling.offer(connect.from_alias, "v=0 offer"))
    offer = await client.expect(pb.WebRtcMessage)
    assert signalling.read_description(offer.data, "offer") == "v=0 offer"
    await client.send(signalling.answer(offer.from_alias, "v=0 answer"))
    await client.send(signalling.candidate(offer.from_alias, CandidateInit("candidate:1", "0", 0)))
    assert signalling.read_description((await server.expect(pb.WebRtcMessage)).data, "answer") == "v=0 answer"
    assert signalling.read_candidate((await server.expect(pb.WebRtcMessage)).data).candidate == "candidate:1"
    await client.close()
    assert (await server.expect(pb.PeerGoneMessage)).alias == client.alias
    await server.close()


async def test_two_servers(coordinator: Running) -> None:
    one = await coordinator.server("one")
    two = await coordinator.server("two")
    assert list(two.welcome.available_servers) == [one.alias]
    await two.send(signalling.connect(one.alias))
    assert (await one.expect(pb.ConnectMessage)).from_role == pb.COMMUNICATION_SERVER
    await one.close()
    await two.close()


async def test_refusals(coordinator: Running) -> None:
    client, other = await coordinator.client(), await coordinator.client("bob")
    for alias, code in ((other.alias, Code.UNEXPECTED_MESSAGE), (12345, Code.PEER_NOT_FOUND)):
        await client.send(signalling.connect(alias))
        refused = await client.expect(pb.ConnectionRefusedMessage)
        assert (refused.from_alias, refused.to_alias, refused.code) == (alias, client.alias, code)
    await client.close()
    await other.close()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"garbage", Code.BAD_MESSAGE),
        (b"\x08\x02" + b"x" * MAX_SIGNAL_BYTES, Code.MESSAGE_TOO_LARGE),
        (b"x" * 3 * MAX_SIGNAL_BYTES, 1009),
    ],
)
async def test_a_bad_frame_ends_its_sender_with_a_code_and_nobody_else(coordinator: Running, frame: bytes, code: int) -> None:
    server, bad, good = await coordinator.server(), await coordinator.client(), await coordinator.client("bob")
    await bad.send(frame)
    assert (await bad.end())[0] == code
    await good.send(signalling.connect(server.alias))
    assert (await server.expect(pb.ConnectMessage)).from_alias == good.alias
    await good.close()
    await server.close()


async def test_a_text_frame_ends_its_sender(coordinator: Running) -> None:
    client = await coordinator.client()
    await client.socket.send_str("hello")
    assert await client.end() == (Code.BAD_MESSAGE, "text frames are not part of this protocol")
    assert (await coordinator.client()).welcome.alias != client.alias


async def test_too_many_offences(coordinator: Running) -> None:
    client = await coordinator.client()
    for _ in range(MAX_ERRORS + 20):
        await client.send(signalling.peer_gone(1))
    assert (await client.end())[0] == Code.TOO_MANY_ERRORS


async def test_a_ping_of_the_peer_is_answered(coordinator: Running) -> None:
    client = await coordinator.client(autoping=False)
    await client.socket.ping(b"anyone?")
    message = await client.socket.receive(timeout=10)
    assert (message.type.name, message.data) == ("PONG", b"anyone?")
    await client.close()


async def test_two_thousand_joins_are_spread_evenly(start: Start) -> None:
    coordinator = await start(auth="none", status_timeout=600.0)
    servers: list[Peer] = [await coordinator.join("/discover?role=COMMUNICATION_SERVER", "", {}) for _ in range(4)]
    for server in servers:
        await server.send(signalling.server_status(clients=0, max_clients=0, draining=False, cpu=0.0))
    await until(
        lambda: coordinator.driver.core.server_conditions(0.0)["ready"] == 4, PATIENCE_S, "all have said that they are linked"
    )
    first: Counter[int] = Counter()
    for _ in range(2_000):
        client = await coordinator.join("/connect", "", {})
        assert sorted(client.welcome.available_servers) == sorted(server.alias for server in servers)
        first[client.welcome.available_servers[0]] += 1
        await client.close()
    assert sum((n - 500) ** 2 / 500 for n in (first[server.alias] for server in servers)) < CRITICAL_3
    for server in servers:
        await server.close()
