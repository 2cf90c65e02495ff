"""One bot: a client of the cluster that follows its plan and keeps its books."""

from __future__ import annotations

import asyncio
import logging
import time

from protocol.errors import RtcBrokerError
from rtcbroker import Client, ClientState, Packet, Subscription
from simulation.core.audit import Audit
from simulation.core.messages import Job, Start
from simulation.core.scenarios import Plan, Stance
from simulation.core.service import ServiceLog

log = logging.getLogger(__name__)

MOVE_TIMEOUT_S = 5.0
"""For the end of a move that is under way when the bot leaves."""


class Bot:
    """Follows `plan`. Connect it, start it, let it leave; in between its timer publishes."""

    def __init__(self, plan: Plan, job: Job, audit: Audit, client: Client) -> None:
        self.plan = plan
        self.audit = audit
        self.service = ServiceLog()
        self._job = job
        self._client = client
        self._subscription: Subscription | None = None
        self._stance = plan.route.at(max(0.0, plan.joins_at or 0.0))
        self._start: Start | None = None
        self._next = 0
        """Number of the next tick since `publish_at`."""
        self._timer: asyncio.TimerHandle | None = None
        self._moves: set[asyncio.Task[None]] = set()
        self.joined_at: float | None = None
        """Since when it is in the cluster, subscribed; None when it is not."""

    async def join(self) -> None:
        """Connect, and subscribe to where the plan begins. Raises :class:`RtcBrokerError`."""
        began = time.monotonic()
        self._client.on_coordinator(self._on_coordinator)
        await self._client.connect()
        connected = time.monotonic()
        self.service.joined(self._client.server, connected)
        self._client.on_state(self._on_state)
        stays = self.audit.subscriptions.request(self._stance.listens)
        subscription = self._client.subscribe(*self._stance.listens, callback=self._on_packet)
        try:
            await subscription.__aenter__()
        except BaseException:
            await self._client.close()
            raise
        self._subscription = subscription
        self.audit.subscriptions.acknowledge(stays, time.monotonic())
        self._look_at_service()
        self.joined_at = connected
        meter = self.audit.meter
        meter.connect.add(connected - began)
        meter.counts.joins += 1

    def publish(self, start: Start) -> None:
        """Begin to publish as planned, from `start` or, if that is over, from now on."""
        self._start = start
        passed = time.monotonic() - start.publish_at
        self._next = max(0, int(passed * self._job.hz - self.plan.phase) + 1)
        self._arm()

    def hush(self) -> None:
        """Publish no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._look_at_service()

    async def leave(self) -> None:
        """Publish no more, unsubscribe, disconnect. Idempotent."""
        self.hush()
        if self._moves:
            await asyncio.wait(self._moves, timeout=MOVE_TIMEOUT_S)
        for move in self._moves:
            move.cancel()
        books = self.audit.subscriptions
        stays = books.withdraw(books.topics, time.monotonic())
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            await subscription.__aexit__(None, None, None)
        self.service.leave(time.monotonic())
        await self._client.close()
        books.release(stays, time.monotonic())
        if self.joined_at is not None:
            self.audit.meter.presence.append((self.joined_at, time.monotonic()))
            self.joined_at = None

    def _due(self, start: Start) -> float:
        return start.publish_at + (self._next + self.plan.phase) / self._job.hz

    def _arm(self) -> None:
        start = self._start
        assert start is not None
        due = self._due(start)
        if due >= min(start.end_at, start.measure_at + self.plan.leaves_at):
            self._timer = None
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(due - time.monotonic(), self._tick, start, due)

    def _tick(self, start: Start, due: float) -> None:
        now = time.monotonic()
        meter = self.audit.meter
        meter.lag_s = max(meter.lag_s, now - due)
        stance = self.plan.route.at(now - start.measure_at)
        if stance.topic != self._stance.topic:
            self._move(stance, now)
        body = self.audit.outgoing(stance.topic, self._job.size, now, stance.position)
        if not self._client.publish_nowait(stance.topic, body, reliable=self._job.reliable):
            meter.counts.rejected += 1
        self._chat(now - start.measure_at)
        self._look_at_service()
        self._next += 1
        self._arm()

    def _chat(self, time: float) -> None:
        chatter = self.plan.chatter
        if chatter is not None and (line := chatter.line(time)) is not None:
            # Canned: one that finds no room, or no connection, is no loss.
            self._client.publish_nowait(chatter.topic, line, reliable=True)

    def _move(self, stance: Stance, now: float) -> None:
        """Into another cell: one change of topics, confirmed in the books when the server has confirmed it."""
        entered, left = stance.listens - self._stance.listens, self._stance.listens - stance.listens
        self._stance = stance
        self.audit.meter.counts.cell_changes += 1
        move = asyncio.create_task(self._moved(entered, left, now))
        self._moves.add(move)
        move.add_done_callback(self._moves.discard)

    async def _moved(self, entered: frozenset[str], left: frozenset[str], now: float) -> None:
        books, subscription = self.audit.subscriptions, self._subscription
        if subscription is None:
            return
        begun, ended = books.request(entered), books.withdraw(left, now)
        try:
            await subscription.update(add=entered, remove=left)
        except RtcBrokerError as error:
            # Never acknowledged, so nothing is expected of it; the count of reconnects and refusals says the rest.
            log.info("bot %d: its move was not acknowledged: %s", self.plan.bot, error)
            return
        now = time.monotonic()
        books.acknowledge(begun, now)
        books.release(ended, now)

    def _on_packet(self, packet: Packet) -> None:
        now = time.monotonic()
        self.service.heard(now)
        self.audit.incoming(packet.topic, packet.body, now, self._client)

    def _on_state(self, state: ClientState, cause: RtcBrokerError | None) -> None:
        if state is ClientState.RECONNECTING:
            self.service.lost(time.monotonic())
            self.audit.meter.counts.reconnects += 1
            log.info("bot %d: lost its connection: %s", self.plan.bot, cause)
        elif state is ClientState.CONNECTED:
            self.service.joined(self._client.server, time.monotonic())

    def _on_coordinator(self, host: str) -> None:
        self.service.coordinator(host, time.monotonic())

    def _look_at_service(self) -> None:
        """What the client does not tell by itself: that it is subscribed again, and that it has moved."""
        subscription, service, server = self._subscription, self.service, self._client.server
        if server not in (0, service.server):
            service.moved(server, time.monotonic())
        elif service.awaits_subscription and subscription is not None:
            # All of them in one message, so the earliest says when; one that was asked for later is another matter.
            found = [at for topic in subscription.topics if (at := subscription.acknowledged(topic)) is not None]
            if found:
                service.subscribed(min(found))
