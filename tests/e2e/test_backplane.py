"""Several coordinators on Redis, with real processes: any of them may go, and so may Redis."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import time
from collections.abc import AsyncIterator

import pytest

from rtcbroker import Client, ClientState
from tests.support.poll import until
from tests.support.several import LEASE_S, SeveralCoordinators, flowing, several
from tests.support.talk import heard_by_all, spread

pytestmark = [pytest.mark.needs("redis-server"), pytest.mark.timeout(150)]

BACK_S = 10.0


@contextlib.asynccontextmanager
async def _one_everywhere(made: SeveralCoordinators) -> AsyncIterator[dict[tuple[int, int], Client]]:
    """A client at each coordinator on each server."""
    async with contextlib.AsyncExitStack() as stack:
        found: dict[tuple[int, int], Client] = {}
        for number, coordinator in enumerate(made.coordinators):
            while sum(at == number for at, _ in found) < len(made.servers):
                client = Client(made.url_of(coordinator), token=made.token(f"client-{len(found)}"))
                await stack.enter_async_context(client)
                found.setdefault((number, client.server), client)
        yield found


async def test_a_client_reaches_servers_of_every_coordinator_and_aliases_are_unique() -> None:
    async with several(0) as made:
        for coordinator in made.coordinators:
            await made.add_server_at(coordinator)
        await made.meshed()
        await made.all_know(2)
        for coordinator in made.coordinators:
            assert await coordinator.metric("rtcbroker_coordinator_peers", role="server") == 1
            assert await coordinator.metric("rtcbroker_coordinator_coordinators") == 2
            assert await coordinator.metric("rtcbroker_coordinator_backplane_up") == 1
        async with _one_everywhere(made) as people:
            assert len(people) == 4
            assert len({client.alias for client in people.values()} | {server for _, server in people}) == 6
            for teller, hearer in itertools.permutations(people.values(), 2):
                topic = f"to/{hearer.alias}/{teller.alias}"
                async with hearer.subscribe(topic) as packets:
                    await heard_by_all(teller, topic, [packets])


async def test_a_coordinator_is_killed_and_nobody_loses_a_packet_or_an_alias() -> None:
    async with several(3) as made, spread(made, 4) as people:
        ann, bob = people[:2]
        async with bob.subscribe("square") as packets:
            await heard_by_all(ann, "square", [packets])
            names = [(client.alias, client.server) for client in people]
            async with flowing(ann, packets, "square"):
                victim = await made.busiest()
                victim.kill()
                killed = time.monotonic()

                async def all_back() -> bool:
                    return (await made.peers("server"), await made.peers("client")) == (3, len(people))

                await until(all_back, BACK_S, "all are at the other one")
                assert time.monotonic() - killed < 3.0
                await made.all_know(3)
            assert [(client.alias, client.server) for client in people] == names
            assert {client.state for client in people} == {ClientState.CONNECTED}
            (other,) = made.living()
            assert await other.metric("rtcbroker_coordinator_rejoins_total", role="server") >= 1
            assert await other.metric("rtcbroker_coordinator_servers") == 3

            async def alone() -> bool:
                return await other.metric("rtcbroker_coordinator_coordinators") == 1

            await until(alone, 3 * LEASE_S, "the dead one is forgotten")
            victim.spawn()
            await victim.ready()
            await made.all_know(3)
            async with Client(made.url_of(victim), token=made.token("newcomer")) as newcomer:
                await heard_by_all(newcomer, "square", [packets])
            await made.meshed()


async def _redis_away(made: SeveralCoordinators) -> None:
    """What has to hold while Redis is away."""
    await made.all_know(len(made.servers), ready=False)
    for coordinator in made.coordinators:
        status, text = await coordinator.page("/readyz")
        assert (status, made.redis.url in text) == (503, True)
        assert (await coordinator.page("/healthz"))[0] == 200
        assert await coordinator.metric("rtcbroker_coordinator_backplane_up") == 0
        began = time.monotonic()
        async with Client(made.url_of(coordinator), token=made.token("newcomer")) as newcomer:
            assert newcomer.state is ClientState.CONNECTED
        assert time.monotonic() - began < 8.0


async def _redis_back(made: SeveralCoordinators) -> None:
    """What has to hold when it is back."""
    await made.all_know(len(made.servers))
    for coordinator in made.coordinators:
        assert await coordinator.metric("rtcbroker_coordinator_backplane_waiting") == 0
        assert await coordinator.metric("rtcbroker_coordinator_backplane_outages_total") >= 1
    async with _one_everywhere(made):
        pass
    await made.meshed()


async def _at_both(made: SeveralCoordinators) -> None:
    """Two comm servers, each with one coordinator that it knows."""
    for coordinator in made.coordinators:
        await made.add_server_at(coordinator)
    await made.meshed()
    await made.all_know(2)


async def test_redis_is_killed_and_comes_back_with_nothing() -> None:
    async with several(0) as made:
        await _at_both(made)
        async with _one_everywhere(made) as people:
            clients = list(people.values())
            names = [(client.alias, client.server) for client in clients]
            ann = clients[0]
            bob = next(client for client in clients if client.server != ann.server)
            async with bob.subscribe("square") as packets:
                await heard_by_all(ann, "square", [packets])
                async with flowing(ann, packets, "square"):
                    made.redis.kill()
                    await _redis_away(made)
                    # Two servers that come while nobody can tell them of each other.
                    for coordinator in made.coordinators:
                        await made.add_server_at(coordinator)
                    await made.redis.start()
                    await _redis_back(made)
                assert [(client.alias, client.server) for client in clients] == names


async def test_redis_stands_still_for_longer_than_a_lease() -> None:
    async with several(0) as made:
        await _at_both(made)
        async with _one_everywhere(made) as people:
            clients = list(people.values())
            names = [(client.alias, client.server) for client in clients]
            ann = clients[0]
            bob = next(client for client in clients if client.server != ann.server)
            async with bob.subscribe("square") as packets:
                await heard_by_all(ann, "square", [packets])
                async with flowing(ann, packets, "square"):
                    made.redis.pause()
                    try:
                        await _redis_away(made)
                        await asyncio.sleep(LEASE_S)  # no wait for something: that nothing comes of it is what is tested
                    finally:
                        made.redis.resume()
                    await _redis_back(made)
                assert [(client.alias, client.server) for client in clients] == names
                assert {client.state for client in clients} == {ClientState.CONNECTED}


async def test_a_coordinator_stands_still_for_longer_than_a_lease() -> None:
    """Its peers go elsewhere; when it goes on it has nothing to say about them any more."""
    async with several(2) as made, spread(made, 2) as (ann, bob), bob.subscribe("square") as packets:
        await heard_by_all(ann, "square", [packets])
        names = [(client.alias, client.server) for client in (ann, bob)]
        sleeper = await made.busiest()
        (other,) = [each for each in made.coordinators if each is not sleeper]
        async with flowing(ann, packets, "square"):
            assert sleeper.process is not None
            sleeper.process.send_signal(signal.SIGSTOP)
            try:

                async def servers_moved() -> bool:
                    at_other = await other.metric("rtcbroker_coordinator_peers", role="server")
                    return at_other == 2 and await other.metric("rtcbroker_coordinator_coordinators") == 1

                await until(servers_moved, 20.0, "the servers notice, and go to the other one")
                assert await other.metric("rtcbroker_coordinator_servers", state="ready") == 2
            finally:
                sleeper.process.send_signal(signal.SIGCONT)
            await made.all_know(2)

            async def all_settled() -> bool:
                return (await made.peers("server"), await made.peers("client")) == (2, 2)

            await until(all_settled, 30.0, "everybody is at one coordinator")
        assert [(client.alias, client.server) for client in (ann, bob)] == names
