"""A bot follows its plan with a client that only writes down what it is asked."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from math import inf
from random import Random
from typing import Any, cast

import pytest

from protocol.errors import RtcBrokerError
from rtcbroker import Client, ClientState, NotConnected, Packet
from simulation.core.audit import Audit, Meter
from simulation.core.chatter import Chatter
from simulation.core.grid import Grid
from simulation.core.messages import Credentials, Job, Start
from simulation.core.scenarios import Plan, Route, Standing, Walking
from simulation.core.trace import Track
from simulation.io.bot import Bot
from tests.support.poll import until

HZ = 100.0


class FakeSubscription:
    """Acknowledges when told to."""

    def __init__(self, topics: Iterable[str], callback: Callable[[Packet], None]) -> None:
        self.topics, self.callback = set(topics), callback
        self.in_force: float | None = 1.0
        self.answer = asyncio.Event()
        self.error: RtcBrokerError | None = None
        self.is_left = False

    async def __aenter__(self) -> FakeSubscription:
        if self.error:
            raise self.error
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_left = True

    def acknowledged(self, topic: str) -> float | None:
        return self.in_force

    async def update(self, add: Iterable[str], remove: Iterable[str]) -> None:
        await self.answer.wait()
        if self.error:
            raise self.error
        self.topics = (self.topics | set(add)) - set(remove)


class FakeClient:
    """Connected at once."""

    def __init__(self) -> None:
        self.server = 9
        self.published: list[tuple[str, bytes, bool]] = []
        self.has_room = True
        self.is_closed = False
        self.subscription: FakeSubscription | None = None
        self.subscription_error: RtcBrokerError | None = None
        self.coordinator: Callable[[str], None] | None = None
        self.state: Callable[[ClientState, RtcBrokerError | None], None] | None = None

    async def connect(self) -> None:
        if self.coordinator is not None:
            self.coordinator("a:9090")

    async def close(self) -> None:
        self.is_closed = True

    def subscribe(self, *topics: str, callback: Callable[[Packet], None]) -> FakeSubscription:
        self.subscription = FakeSubscription(topics, callback)
        self.subscription.error = self.subscription_error
        return self.subscription

    def publish_nowait(self, topic: str, body: bytes, *, reliable: bool) -> bool:
        self.published.append((topic, body, reliable))
        return self.has_room

    def on_coordinator(self, callback: Callable[[str], None]) -> None:
        self.coordinator = callback

    def on_state(self, callback: Callable[[ClientState, RtcBrokerError | None], None]) -> None:
        self.state = callback


def made(route: Route, **plan: Any) -> tuple[Bot, FakeClient, Meter]:
    job = Job("ws://x", Credentials(), 1, "run", [], HZ, 64, False, True, 5.0)
    meter, client = Meter(), FakeClient()
    bot = Bot(Plan(0, route, **plan), job, Audit(0, 1, meter, counted=True), cast(Client, client))
    return bot, client, meter


def starting(seconds: float = inf) -> Start:
    now = time.monotonic()
    return Start(now, now, now + seconds)


async def test_it_joins_where_its_plan_begins() -> None:
    bot, client, meter = made(Standing("run/all"))
    await bot.join()
    assert bot.joined_at is not None
    assert client.subscription is not None
    assert client.subscription.topics == {"run/all"}
    assert bot.audit.subscriptions.stays[0].acknowledged < inf
    assert (meter.counts.joins, meter.connect.count) == (1, 1)
    await bot.leave()


async def test_it_notes_which_coordinators_welcome_it() -> None:
    bot, client, _ = made(Standing("run/all"))
    await bot.join()
    assert client.coordinator is not None
    client.coordinator("b:9090")
    (first, a), (second, b) = bot.service.coordinators
    assert (a, b) == ("a:9090", "b:9090")
    assert first <= second <= time.monotonic()
    await bot.leave()


async def test_one_that_cannot_subscribe_does_not_stay() -> None:
    bot, client, meter = made(Standing("run/all"))
    client.subscription_error = NotConnected("subscribe")
    with pytest.raises(NotConnected):
        await bot.join()
    assert client.is_closed
    assert (bot.joined_at, meter.counts.joins) == (None, 0)


async def test_it_publishes_until_the_end() -> None:
    bot, client, meter = made(Standing("run/all"))
    await bot.join()
    start = starting(0.1)
    bot.publish(start)
    await until(lambda: len(client.published) >= 9, 5, "as many packets as there is time for")
    await until(lambda: time.monotonic() > start.end_at, 5, "the end is over")
    assert len(client.published) <= 10
    assert {(topic, len(body), reliable) for topic, body, reliable in client.published} == {("run/all", 64, False)}
    assert bot.audit.sends.next_sequence == meter.sent == len(client.published)
    await bot.leave()


async def test_one_that_comes_late_does_not_make_up_for_it() -> None:
    bot, client, _ = made(Standing("run/all"))
    await bot.join()
    now = time.monotonic()
    bot.publish(Start(now - 100, now - 100, now + 0.02))
    assert len(client.published) == 0
    await until(lambda: client.published, 5, "a packet")
    assert len(client.published) <= 2
    await bot.leave()


async def test_what_the_client_does_not_take_is_counted() -> None:
    bot, client, meter = made(Standing("run/all"))
    client.has_room = False
    await bot.join()
    bot.publish(starting())
    await until(lambda: meter.counts.rejected >= 2, 5, "two packets were not taken")
    await bot.leave()
    published = len(client.published)
    assert published == meter.counts.rejected


async def test_it_says_its_lines() -> None:
    chatter = Chatter("run/chat", "bot 0", 0.01, Random(1))
    bot, client, meter = made(Standing("run/all"), chatter=chatter)
    await bot.join()
    bot.publish(starting())
    await until(lambda: any(topic == "run/chat" for topic, _, _ in client.published), 5, "a line")
    line, is_reliable = next((body, reliable) for topic, body, reliable in client.published if topic == "run/chat")
    assert json.loads(line)["name"] == "bot 0"
    assert is_reliable
    await bot.leave()
    assert meter.sent == sum(topic == "run/all" for topic, _, _ in client.published)


async def test_what_arrives_is_audited() -> None:
    bot, client, meter = made(Standing("run/all"))
    await bot.join()
    other = Audit(1, 1, Meter(), counted=True)
    assert client.subscription is not None
    client.subscription.callback(Packet("run/all", 5, other.outgoing("run/all", 64, time.monotonic())))
    assert meter.received == 1
    assert meter.take_recent().keys() == {client.server}
    await bot.leave()


async def test_in_a_new_cell_it_changes_its_topics() -> None:
    track = Track("a", [0.0, 0.001], [0.0, 4.0], [0.0, 0.0])
    bot, client, meter = made(Walking(track, Grid(4.0, "run")))
    await bot.join()
    long_ago = time.monotonic() - 1
    bot.publish(Start(long_ago, long_ago, inf))
    await until(lambda: client.published, 5, "a packet")
    assert client.published[0][0] == "run/1/0"
    assert meter.counts.cell_changes == 1
    assert client.subscription is not None
    books = bot.audit.subscriptions
    await until(lambda: "run/2/0" in books.topics, 5, "the change is asked for")
    assert "run/-1/0" not in books.topics
    assert [stay.acknowledged for stay in books.stays if stay.topic == "run/2/0"] == [inf]
    client.subscription.answer.set()
    await until(lambda: next(stay for stay in books.stays if stay.topic == "run/2/0").acknowledged < inf, 5, "it is in force")
    assert next(stay.released for stay in books.stays if stay.topic == "run/-1/0") < inf
    await bot.leave()


async def test_a_change_that_is_not_acknowledged_is_not_relied_upon() -> None:
    track = Track("a", [0.0, 0.001], [0.0, 4.0], [0.0, 0.0])
    bot, client, _ = made(Walking(track, Grid(4.0, "run")))
    await bot.join()
    assert client.subscription is not None
    client.subscription.error = NotConnected("update")
    client.subscription.answer.set()
    now = time.monotonic()
    bot.publish(Start(now - 1, now - 1, inf))
    await until(lambda: "run/2/0" in bot.audit.subscriptions.topics, 5, "the change is asked for")
    await bot.leave()
    assert [stay.acknowledged for stay in bot.audit.subscriptions.stays if stay.topic == "run/2/0"] == [inf]


async def test_it_leaves_for_good() -> None:
    bot, client, meter = made(Standing("run/all"))
    await bot.join()
    bot.publish(starting())
    await bot.leave()
    await bot.leave()
    assert client.is_closed
    assert client.subscription is not None
    assert client.subscription.is_left
    assert bot.joined_at is None
    assert len(meter.presence) == 1
    (stay,) = bot.audit.subscriptions.stays
    assert stay.withdrawn <= stay.released < inf


async def test_a_lost_connection_is_counted() -> None:
    bot, client, meter = made(Standing("run/all"))
    await bot.join()
    assert client.state is not None
    client.state(ClientState.RECONNECTING, None)
    client.state(ClientState.CONNECTED, None)
    assert meter.counts.reconnects == 1
    await bot.leave()


async def test_it_writes_down_how_it_was_served() -> None:
    bot, client, _ = made(Standing("run/all"))
    await bot.join()
    assert client.state is not None
    assert client.subscription is not None
    client.subscription.callback(Packet("run/all", 5, b""))
    client.server, client.subscription.in_force = 0, None
    client.state(ClientState.RECONNECTING, None)
    bot.hush()
    client.server = 8
    client.state(ClientState.CONNECTED, None)
    bot.hush()
    first, second = bot.service.stints
    assert (first.server, first.subscribed, first.is_lost, second.server, second.subscribed) == (9, 1.0, True, 8, inf)
    assert first.first == first.last <= first.until <= second.since
    client.subscription.in_force = 2.0
    bot.hush()
    assert second.subscribed == 2.0
    client.server = 7
    bot.hush()
    assert [stint.server for stint in bot.service.stints] == [9, 8, 7]
    assert not second.is_lost
    await bot.leave()
    assert bot.service.left == bot.service.stints[-1].until < inf
