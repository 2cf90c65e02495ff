"""What waits too long on the unreliable channel is dropped, never sent late, and whoever sent it is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.poll import until
from tests.support.rtc import Recorder, ended, memory_pair
from transport.link import Expiry, Link
from transport.options import LinkOptions

LIFETIME_S = 0.1
SLACK_S = 0.06
"""For a turn of the loop on a machine that is busy."""


class Pair:
    """Two open links; how old each message is when it comes, and which were dropped."""

    def __init__(self, fast: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.here, self.there = Recorder(), Recorder(react=self._came)
        self.first, self.second = memory_pair(self.here, self.there, LinkOptions(fast=fast))
        self.sent_at: dict[bytes, float] = {}
        self.ages: dict[bytes, float] = {}
        self.dropped: list[bytes] = []

    def _came(self, link: Link, data: bytes, reliable: bool) -> None:
        self.ages[data[:4]] = self.loop.time() - self.sent_at[data[:4]]

    @property
    def sctp(self) -> Any:
        return self.first.sctp

    def send(self, size: int = 450, *, reliable: bool = False, lifetime: float = LIFETIME_S) -> bytes:
        """Send a message; returns its name."""
        name = b"%04d" % len(self.sent_at)
        self.sent_at[name] = self.loop.time()
        self.first.send(name.ljust(size, b"."), reliable=reliable, expiry=Expiry(lifetime, lambda: self.dropped.append(name)))
        return name

    def acknowledge(self, on: bool) -> None:
        """Whether the sender hears of what arrives."""
        self.second.drop = None if on else lambda data: True

    async def settled(self) -> None:
        """Nothing waits, everything is acknowledged or given up."""
        await until(
            lambda: not (self.sctp._sent_queue or self.sctp._outbound_queue or len(self.sctp._data_channel_queue)),
            10,
            "the sender does not come to rest",
        )

    async def works(self) -> None:
        """What is sent now, arrives."""
        await self.settled()
        last = [self.send(reliable=reliable) for reliable in (False, True)]
        await until(lambda: self.ages.keys() >= set(last), 5, "nothing arrives any more")
        await self.settled()
        assert self.sctp._flight_size == 0


@pytest_asyncio.fixture(params=[True, False], ids=["fast", "plain"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    pair = Pair(request.param)
    await pair.here.is_open()
    await pair.there.is_open()
    await pair.settled()
    yield pair
    await ended(pair.first, pair.second)


@pytest.mark.parametrize("sizes", [(450,), (450, 3_000, 9_000)], ids=["one packet", "several"])
async def test_nothing_arrives_that_waited_longer_than_its_lifetime(pair: Pair, sizes: tuple[int, ...]) -> None:
    rng = random.Random(1)
    pair.acknowledge(False)
    for _ in range(80):
        pair.send(rng.choice(sizes))
        await asyncio.sleep(0.005)
    assert len(pair.sctp._data_channel_queue) > 0, "else nothing was held up"
    assert len(sizes) > 1 or not pair.sctp._outbound_queue, "what fits one packet gets its TSN when it leaves"
    pair.acknowledge(True)
    for _ in range(20):
        pair.send(rng.choice(sizes))
        await asyncio.sleep(0.005)
    await pair.works()
    assert max(pair.ages.values()) < LIFETIME_S + SLACK_S
    assert pair.ages.keys().isdisjoint(pair.dropped), "dropped after all of it was sent"
    assert len(pair.dropped) == len(set(pair.dropped)), "told twice"
    # What had left in part when the association took it for lost is neither: that is a loss of the network's.
    assert 0 <= len(pair.sent_at) - len(pair.ages) - len(pair.dropped) <= (len(sizes) > 1)


async def test_most_are_dropped_before_they_have_a_tsn(pair: Pair) -> None:
    """So that the peer need not be told of each."""
    tsn = pair.sctp._local_tsn
    pair.acknowledge(False)
    for _ in range(40):
        pair.send()
    await asyncio.sleep(LIFETIME_S + 0.02)
    pair.acknowledge(True)
    await pair.works()
    assert len(pair.dropped) > 20
    assert (pair.sctp._local_tsn - tsn) % 2**32 <= len(pair.ages) + 2


async def test_who_is_in_time_is_not_dropped(pair: Pair) -> None:
    pair.acknowledge(False)
    for _ in range(20):
        pair.send(lifetime=30.0)
    pair.acknowledge(True)
    await pair.works()
    assert (len(pair.ages), pair.dropped) == (22, [])


async def test_reliable_messages_do_not_expire(pair: Pair) -> None:
    pair.acknowledge(False)
    names = [pair.send(2_000, reliable=True, lifetime=0.0) for _ in range(20)]
    await asyncio.sleep(0.05)
    pair.acknowledge(True)
    await pair.works()
    assert list(pair.ages)[:20] == names
    assert not pair.dropped


async def test_the_rest_of_a_message_is_not_sent_late_and_holds_nothing_up(pair: Pair) -> None:
    """A FORWARD TSN takes the peer over it, also where reliable messages lie before and behind."""
    pair.acknowledge(False)
    before = pair.send(500, reliable=True)
    half = pair.send(30_000)
    behind = pair.send(2_000, reliable=True)
    await asyncio.sleep(0.01)
    assert pair.sctp._outbound_queue, "not all of it left at once"
    await asyncio.sleep(LIFETIME_S + 0.02)
    pair.acknowledge(True)
    pair.send()
    await pair.works()
    assert pair.ages.keys() >= {before, behind}
    assert pair.dropped[0] == half
    assert half not in pair.ages
    assert not any(stream.reassembly for stream in pair.second.sctp._inbound_streams.values())


async def test_the_peer_hears_at_once_of_what_was_dropped_though_it_acknowledges_in_two_steps() -> None:
    """The second acknowledgement is a common one: counting it would leave the peer waiting until the timer comes."""
    pair = Pair(fast=True)
    await pair.here.is_open()
    await pair.there.is_open()
    await pair.settled()
    held: list[bytes] = []
    pair.second.drop = lambda data: not held.append(data)  # type: ignore[func-returns-value]  # always None, so always True
    pair.send(5 * 1_100)
    await asyncio.sleep(LIFETIME_S + 0.02)
    assert (len(held), len(pair.ages), len(pair.sctp._outbound_queue)) == (1, 0, 2)
    pair.second.drop = None
    for data in held:
        pair.first.datagram(data)
    await until(
        lambda: pair.second.sctp._last_received_tsn == pair.sctp._local_tsn - 1, 0.5, "the peer waits for what was dropped"
    )
    assert len(pair.dropped) == 1
    await pair.works()
    await until(lambda: pair.sctp._smooth, 5, "the short way stays closed")
    await ended(pair.first, pair.second)


@pytest.mark.parametrize("seed", range(3))
async def test_also_under_losses_both_ways(pair: Pair, seed: int) -> None:
    rng = random.Random(seed)
    pair.first.drop = pair.second.drop = lambda data: rng.random() < 0.1
    for _ in range(150):
        pair.send(rng.choice((30, 1_100, 3_000)), reliable=rng.random() < 0.3)
        await asyncio.sleep(0.001)
    pair.first.drop = pair.second.drop = None
    await pair.works()
    came = pair.there.bodies(reliable=False)
    assert len(came) == len(set(came))
    assert pair.ages.keys().isdisjoint(pair.dropped)
    wanted = [name for name in pair.sent_at if name in {data[:4] for data in pair.there.bodies(reliable=True)}]
    assert [data[:4] for data in pair.there.bodies(reliable=True)] == wanted, "in order"
