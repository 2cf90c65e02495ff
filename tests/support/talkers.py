"""Clients that talk all the time and keep the books, for tests in which servers end meanwhile: nobody loses anything or notices anything."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator

from rtcbroker import Client, ClientState, Packet
from tests.support.poll import until

PACE_S = 0.01
"""Between two packets of a client: some hundreds a second in all, which two busy cores can do."""
END_S = 20.0


class Talker:
    """One client that publishes to its own and its neighbour's topic, hears everything, and keeps the books."""

    def __init__(self, client: Client, number: int) -> None:
        self.client = client
        self.topics = (f"room/{number % 3}", "square")
        self.sent: list[tuple[str, int]] = []
        self.loose = 0
        self.got: dict[int, list[int]] = defaultdict(list)
        self.got_loose: list[bytes] = []
        self.states: list[ClientState] = []
        client.on_state(lambda state, _: self.states.append(state))

    def take(self, packet: Packet) -> None:
        """A packet of somebody."""
        if packet.reliable:
            self.got[packet.sender].append(int(packet.body))
        else:
            self.got_loose.append(b"%d %b" % (packet.sender, packet.body))

    async def talk(self, stop: asyncio.Event) -> None:
        """Reliable ones, and every fifth time an unreliable one."""
        for serial in itertools.count():
            if stop.is_set():
                return
            topic = self.topics[serial % 2]
            await self.client.publish(topic, b"%d" % serial)
            self.sent.append((topic, serial))
            if serial % 5 == 0:
                await self.client.publish(topic, b"%d" % serial, reliable=False)
            await asyncio.sleep(PACE_S)

    def missing(self, talkers: list[Talker]) -> int:
        """How many it has not got yet."""
        return sum(len(self.expected(other)) - len(self.got[other.client.alias]) for other in talkers if other is not self)

    def expected(self, other: Talker) -> list[int]:
        """What it is to get of `other`, in order."""
        return [serial for topic, serial in other.sent if topic in self.topics]


def lost(talkers: list[Talker]) -> str:
    """Who lacks how many."""
    return f"nothing is missing: {[talker.missing(talkers) for talker in talkers]}"


@contextlib.asynccontextmanager
async def talking(joined: list[Client]) -> AsyncIterator[list[Talker]]:
    """They talk inside; then everyone has got what it is to get, once and in order, and was always connected."""
    talkers = [Talker(client, number) for number, client in enumerate(joined)]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as work:
        held = [talker.client.subscribe(*talker.topics, callback=talker.take) for talker in talkers]
        for subscription in held:
            await subscription.__aenter__()
        await asyncio.sleep(0.5)  # until every server knows
        tasks = [work.create_task(talker.talk(stop)) for talker in talkers]
        try:
            yield talkers
        finally:
            stop.set()
            await asyncio.wait(tasks)
    await until(lambda: not any(talker.missing(talkers) > 0 for talker in talkers), END_S, lambda: lost(talkers))
    await asyncio.sleep(0.5)  # for what comes twice
    for talker in talkers:
        for other in talkers:
            if other is not talker:
                assert talker.got[other.client.alias] == talker.expected(other)
        assert len(talker.got_loose) == len(set(talker.got_loose)), "twice, on the unreliable channel"
        assert talker.states == [], "nobody noticed anything"
    assert all(not talker.client.stats.dropped for talker in talkers)
