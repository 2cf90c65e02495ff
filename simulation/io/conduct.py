"""The phases of a run: everyone connects, publishes, is measured while things are killed, and is waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from protocol.errors import RtcBrokerError
from simulation.core.messages import Progress, Start
from simulation.core.options import RunOptions
from simulation.core.pace import Pace
from simulation.core.report import ServerCost
from simulation.core.scenarios import Scenario
from simulation.io.crew import Crew
from simulation.io.killer import Killer
from simulation.io.live import Display
from simulation.io.measure import ServerMeter
from simulation.io.spawn import Cluster

POLL_S = 0.2
"""As often as the workers tell how it goes."""

SLACK_S = 10.0
"""For clients to begin, and to say how it went, on a machine that is busy; who does not get in says so itself, and why, before that."""
START_DELAY_S = 0.5
"""Between "everyone is there" and the first packet: more than SETTLE_S, so that the subscriptions are everywhere."""

DRAIN_MAX_S = 15.0


class SimulationError(RtcBrokerError):
    """A run that could not be made; says why."""


class Conduct:
    """The phases of a run."""

    def __init__(self, scenario: Scenario, crew: Crew, cluster: Cluster | None, screen: Display, options: RunOptions) -> None:
        self.killer: Killer | None = None
        self.start = Start(0.0, 0.0, 0.0)
        self._scenario = scenario
        self._crew = crew
        self._cluster = cluster
        self._meter = ServerMeter([server.pid for server in cluster.servers]) if cluster else None
        if cluster is not None and self._meter is not None:
            meter = self._meter
            self.killer = Killer(
                cluster,
                options.kills,
                options.revive_s,
                before_kill=meter.sample,
                on_revived=lambda server: meter.add(server.pid),
            )
        self._screen = screen
        self._options = options
        self._pace = Pace()
        self._was_anyone_in = False

    async def perform(self) -> ServerCost | None:
        """From the first connection until nothing more arrives. Raises :class:`SimulationError`, :class:`ChildError`."""
        await self._connecting(self._options.connect_timeout_s)
        publish_at = time.monotonic() + START_DELAY_S
        measure_at = publish_at + self._scenario.warmup_s
        end_at = measure_at + self._scenario.seconds
        self.start = Start(publish_at, measure_at, end_at)
        self._crew.start(self.start)
        await self._running(measure_at, -START_DELAY_S - self._scenario.warmup_s, 0.0)
        if self._meter:
            self._meter.begin()
        async with self._killing(measure_at, end_at):
            await self._running(measure_at, 0.0, self._scenario.seconds)
        cost = self._meter.end() if self._meter else None
        await self._draining()
        return cost

    @asynccontextmanager
    async def _killing(self, measure_at: float, end_at: float) -> AsyncIterator[None]:
        """Inside, what is to be killed is. Raises :class:`ChildError`."""
        if self.killer is None:
            yield
            return
        task = asyncio.create_task(self.killer.run(measure_at, end_at))
        try:
            yield
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _connecting(self, connect_timeout_s: float) -> None:
        total = sum(plan.joins_at is None for plan in self._scenario.plans)
        deadline = time.monotonic() + SLACK_S + 2 * connect_timeout_s + 0.25 * total
        while total:
            progress = self._look()
            done = progress.connected + progress.failed
            note = f"{progress.connected:,} clients" + (f", {progress.failed:,} failed" if progress.failed else "")
            self._screen.show("connecting", done, total, note)
            if done >= total:
                return
            if time.monotonic() > deadline:
                raise SimulationError(f"only {progress.connected} of {total} clients were connected in time")
            await asyncio.sleep(POLL_S)

    async def _running(self, zero: float, start: float, end: float) -> None:
        """From `start` to `end`, both in seconds after `zero`."""
        phase, last_memory = "warming up" if end <= 0 else "running", start
        while (now := time.monotonic() - zero) < end:
            self._look()
            self._screen.show(phase, now - start, end - start, self._pace.line())
            if self._meter and now - last_memory >= 1:
                last_memory = now
                self._meter.sample()
            await asyncio.sleep(min(POLL_S, end - now))
        self._screen.show(phase, end - start, end - start, self._pace.line())

    async def _draining(self) -> None:
        """Until nothing more has come for a while."""
        began = last_change = time.monotonic()
        received = self._look().received
        while time.monotonic() - last_change < self._options.still_s and time.monotonic() - began < DRAIN_MAX_S:
            await asyncio.sleep(POLL_S)
            if (now_received := self._look().received) != received:
                received, last_change = now_received, time.monotonic()

    def _look(self) -> Progress:
        """See how it goes, and that everyone lives. Raises :class:`SimulationError` when nobody gets in."""
        if self._cluster is not None:
            self._cluster.check()
        progress = self._crew.progress()
        self._pace.add(time.monotonic(), progress)
        self._was_anyone_in = self._was_anyone_in or progress.connected > 0
        if progress.failed and not self._was_anyone_in:
            raise SimulationError("no client could connect: " + "; ".join(dict.fromkeys(progress.errors)))
        return progress
