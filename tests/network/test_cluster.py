"""A cluster whose processes and clients stand on hosts of their own: what a bad network does to them, and what they do about it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from statistics import median

import pytest

from simulation.core.impairment import parse_impairment
from tests.support.net_cluster import HostedServer, NetCluster, Person, hear_each_other, net_cluster, people
from tests.support.netns import Host, Router
from tests.support.poll import until

pytestmark = [pytest.mark.needs("ip"), pytest.mark.needs("nft"), pytest.mark.timeout(120)]

PACKETS = 300


async def test_two_percent_loss_and_eighty_milliseconds(tmp_path: Path) -> None:
    """Reliable packets all arrive, in order; unreliable ones are lost as the network loses them; a packet takes both ways' delay."""
    bad = parse_impairment("loss=2%,delay=80ms")
    async with net_cluster(tmp_path) as made:
        for _ in range(2):
            await made.serve()
        await made.meshed()
        speaker, far, near = (
            Person(made, Host(made.network, name, made.segment, bad if name != "near" else None), name)
            for name in ("speaker", "far", "near")
        )
        async with people(speaker, far, near):
            await hear_each_other(speaker, far, near)
            for person in (far, near):
                person.heard.clear()
            said = await speaker.publish_many("t", PACKETS, reliable=False, pause=0.01, prefix="u")
            sure = await speaker.publish_many("t", PACKETS, reliable=True, pause=0.01, prefix="r")
            bodies = [b"r%d" % number for number in range(PACKETS)]
            for person in (far, near):
                await until(lambda: len(person.bodies(reliable=True)) >= PACKETS, 20, "every reliable packet")  # noqa: B023
                assert person.bodies(reliable=True) == bodies
            # One way of 2 % to the near one, two to the far one: 6 and 12 of 300; six standard deviations more are 21 and 33.
            for person, least, most_lost in ((near, 0.08, 21), (far, 0.16, 33)):
                unsure = [body for body in person.bodies(reliable=False) if body.startswith(b"u")]
                assert len(unsure) == len(set(unsure))
                assert 0 < PACKETS - len(unsure) <= most_lost
                times = {packet.body: at for at, packet in person.heard}
                took = [times[body] - at for n, at in enumerate(said) if (body := b"u%d" % n) in times]
                assert least <= min(took)
                assert median(took) < least + 0.05
                assert median(times[body] - at for body, at in zip(bodies, sure, strict=True)) < least + 0.3


async def test_a_comm_server_is_cut_off_and_comes_back(tmp_path: Path) -> None:
    """Its clients go elsewhere; when the cable is whole again it is a server like before, linked with the others."""
    async with net_cluster(tmp_path) as made:
        cut, whole = [await made.serve(peer_timeout="6") for _ in range(2)]
        await made.meshed()
        crowd = [Person(made, Host(made.network, f"client {n}", made.segment), f"client {n}") for n in range(4)]
        async with people(*crowd):
            aliases = {made.process_of(person.client.server) for person in crowd}
            if cut not in aliases:  # one in sixteen
                crowd.append(Person(made, Host(made.network, "one more", made.segment), "one more"))
            await hear_each_other(*crowd)
            made.hosts[0].plug.cut()
            began = time.monotonic()

            def all_moved() -> bool:
                return all(person.client.server and made.process_of(person.client.server) is whole for person in crowd)

            await until(all_moved, 40, "everyone is at the other server")
            await hear_each_other(*crowd)
            took = time.monotonic() - began
            made.hosts[0].plug.restore()
            await made.connected(cut)
            await made.meshed()
            assert took < 30


async def test_all_servers_are_cut_from_each_other_while_the_coordinator_sees_them(tmp_path: Path) -> None:
    """Nobody's links to clients suffer; servers try each other at a bounded rate, and find each other when they can."""
    async with net_cluster(tmp_path) as made:
        servers = [await made.serve(peer_timeout="5", setup_timeout="5") for _ in range(3)]
        await made.meshed()
        crowd = [Person(made, Host(made.network, f"client {n}", made.segment), f"client {n}") for n in range(6)]
        async with people(*crowd):
            await hear_each_other(*crowd)
            at = {person.name: person.client.server for person in crowd}
            for host in made.hosts:
                host.deafen(*(other for other in made.hosts if other is not host))
            await until(lambda: links(servers, 0), 30, "the links between the servers end")
            before = await signals(made)
            await asyncio.sleep(10)
            # A dial takes its five seconds before it fails and is some ten messages, and each of the six directions has one at a time.
            assert 0 < await signals(made) - before < 6 * 10 / 5 * 15
            assert {person.name: person.client.server for person in crowd} == at
            neighbours = [person for person in crowd if person.client.server == crowd[0].client.server]
            if len(neighbours) > 1:
                await hear_each_other(*neighbours)
            for host in made.hosts:
                host.hear()
            await until(lambda: links(servers, 6), 30, "the servers are linked again")
            await hear_each_other(*crowd)
            assert {person.name: person.client.server for person in crowd} == at


async def links(servers: list[HostedServer], count: int) -> bool:
    return sum([await server.metric("rtcbroker_peers", role="server", state="active") for server in servers]) == count


async def signals(made: NetCluster) -> float:
    """Messages the coordinator has relayed."""
    return await made.coordinator.metric("rtcbroker_coordinator_frames_relayed_total")


async def test_servers_and_a_client_behind_address_translation(tmp_path: Path) -> None:
    """Two servers, each behind a router of its own that maps an outer address to it one to one, and a client behind a third that hides it.

    The servers announce those addresses: the client reaches both, and they reach each other.
    """
    async with net_cluster(tmp_path) as made:
        for number in (1, 2):
            inner = made.network.segment()
            router = Router(made.network, f"router {number}", made.segment, inner)
            host = Host(made.network, f"server {number}", inner)
            router.serve(host)
            await made.serve(host, announce=router.one_to_one(host))
        await made.meshed()
        home = made.network.segment()
        router = Router(made.network, "home router", made.segment, home)
        laptop, desktop = Host(made.network, "laptop", home), Host(made.network, "desktop", made.segment)
        router.serve(laptop)
        hidden = [Person(made, laptop, f"hidden {number}") for number in range(3)]
        plain = [Person(made, desktop, f"plain {number}") for number in range(3)]
        async with people(*hidden, *plain):
            await hear_each_other(*hidden, *plain)
            for person in hidden:
                await person.publish_many("t", 20, reliable=True, pause=0.005, prefix=f"{person.name} ")
            wanted = [f"{person.name} {number}".encode() for person in hidden for number in range(20)]
            for listener in plain:
                await until(lambda: len(listener.bodies(reliable=True)) >= len(wanted), 10, "all is heard")  # noqa: B023
                said = listener.bodies(reliable=True)
                assert sorted(said) == sorted(wanted)
                for person in hidden:
                    name = person.name.encode()
                    assert [body for body in said if name in body] == [body for body in wanted if name in body]


async def test_a_server_that_announces_nothing_reachable_is_passed_over(tmp_path: Path) -> None:
    """Behind a router without a word to peers: clients try it, then take the other."""
    async with net_cluster(tmp_path) as made:
        inner = made.network.segment()
        router = Router(made.network, "router", made.segment, inner)
        lost = Host(made.network, "lost", inner)
        router.serve(lost)
        await made.serve(lost)
        good = await made.serve()
        crowd = [Person(made, Host(made.network, f"client {n}", made.segment), f"client {n}") for n in range(4)]
        async with people(*crowd):
            await until(
                lambda: all(made.process_of(person.client.server) is good for person in crowd if person.client.server),
                20,
                "all are at the server that can be reached",
            )
            await hear_each_other(*crowd)
