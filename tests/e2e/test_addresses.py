"""Comm servers behind a NAT: announced addresses with other ports, found out ones, and clients that change their address meanwhile."""

from __future__ import annotations

import asyncio
import json

from rtcbroker import Client, ClientOptions
from tests.support.cluster import Cluster, Server, cluster
from tests.support.nat import Nat
from tests.support.stun_server import StunServer
from tests.support.talk import collect

NO_ICE = ClientOptions(ice_servers=())


def udp_port(server: Server) -> int:
    """Of a server that is ready."""
    port: int = json.loads(server.ready_file.read_text())["udp_port"]
    return port


async def behind(made: Cluster, nat: Nat, announce: str) -> Server:
    """A comm server that `nat` forwards to."""
    server = await made.add_server(announce=announce)
    nat.server_port = udp_port(server)
    return server


async def test_clients_that_change_their_address_lose_no_reliable_packet() -> None:
    nat = Nat(0)
    async with cluster(0) as made:
        server = await behind(made, nat, f"127.0.0.1:{nat.port}")
        async with (
            Client(made.url, token=made.token("a"), options=NO_ICE) as a,
            Client(made.url, token=made.token("b"), options=NO_ICE) as b,
            a.subscribe("to/a") as to_a,
            b.subscribe("to/b") as to_b,
        ):
            before, sent = nat.traffic.datagrams_in, 0
            assert before > 0, "everything goes by the NAT"
            while sent < 100 or await server.metric("rtcbroker_peer_moves_total") < 2:
                if sent == 30:
                    nat.rebind("127.0.0.9")
                await a.publish("to/b", b"%d" % sent, reliable=True)
                await b.publish("to/a", b"%d" % sent, reliable=True)
                sent += 1
                assert sent < 1_500, "they are not followed"
                await asyncio.sleep(0.02)
            for packets in (to_a, to_b):
                assert [packet.body for packet in await collect(packets, sent)] == [b"%d" % number for number in range(sent)]
            assert (a.stats.reconnects, b.stats.reconnects) == (0, 0)
            assert await server.metric("rtcbroker_announced", address=f"127.0.0.1:{nat.port}") == 1
    nat.close()


async def test_auto_asks_the_coordinators_stun_servers_before_the_first_offer() -> None:
    """The STUN server sees what the NAT shows: its own port. The server's own is announced too, but there nobody would answer here."""
    nat = Nat(0)
    seer = StunServer(("127.0.0.1", nat.port))
    async with cluster(0, coordinator={"ice_servers": seer.url}) as made:
        server = await behind(made, nat, "auto")
        async with Client(made.url, token=made.token("a"), options=NO_ICE) as client:
            assert 0 < await client.ping() < 5
            for port in (nat.port, udp_port(server)):
                assert await server.metric("rtcbroker_announced", address=f"127.0.0.1:{port}") == 1
    seer.close()
    nat.close()
