"""Peers that come back: same alias, and the older socket gives way."""

from __future__ import annotations

from protocol import signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from tests.integration.coordinator.conftest import Peer, Running, Start


def wish(peer: Peer) -> dict[str, str]:
    return {"alias": str(peer.alias), "resume": peer.welcome.resume}


async def test_a_peer_comes_back_under_its_alias(coordinator: Running) -> None:
    client = await coordinator.client()
    await client.close()
    again = await coordinator.client(query=wish(client))
    assert again.alias == client.alias
    await again.close()


async def test_the_older_socket_is_replaced_and_frames_go_to_the_newer(coordinator: Running) -> None:
    server, client = await coordinator.server(), await coordinator.client()
    newer = await coordinator.client(query=wish(client))
    assert newer.alias == client.alias
    assert await client.end() == (Code.REPLACED, Code.REPLACED.reason)
    await server.send(signalling.offer(newer.alias, "v=0"))
    assert (await newer.expect(pb.WebRtcMessage)).from_alias == server.alias
    await newer.close()
    await server.close()


async def test_another_subject_does_not_get_it(coordinator: Running) -> None:
    client = await coordinator.client("alice")
    thief = await coordinator.client("mallory", query=wish(client))
    assert thief.alias != client.alias
    await thief.close()
    await client.send(signalling.connect(1))
    assert (await client.expect(pb.ConnectionRefusedMessage)).code == Code.PEER_NOT_FOUND
    await client.close()


async def test_aliases_outlive_the_coordinator(start: Start) -> None:
    first = await start()
    server, client = await first.server(), await first.client()
    await first.stop()
    assert (await server.end())[0] == (await client.end())[0] == Code.COORDINATOR_STOPPING
    second = await start(port=first.port)
    again = await second.server(query=wish(server))
    back = await second.client(query=wish(client))
    assert (again.alias, back.alias) == (server.alias, client.alias)
    assert list(back.welcome.available_servers) == [server.alias]
    # The new coordinator saw no negotiation between the two, but knows that there may have been one.
    await again.close()
    assert (await back.expect(pb.PeerGoneMessage)).alias == server.alias
    await back.close()
