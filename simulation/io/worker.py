"""A process full of bots: takes orders on its standard input, tells how it goes on its standard output.

Started by :mod:`simulation.io.crew` as ``python -m simulation.io.worker``. The order of things is told in
:mod:`simulation.core.messages`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isfinite
from typing import Any, assert_never

from protocol.errors import RtcBrokerError
from protocol.keys import secret_key
from protocol.tokens import TokenRole, sign
from rtcbroker import Client, ClientOptions
from service import logs
from service.run import run
from service.tls import client_context
from simulation.core.audit import Audit, Meter
from simulation.core.ledger import SendIndex, Tally, Window, judge
from simulation.core.messages import Collect, Job, Judge, Progress, Result, Sends, Start, Up
from simulation.core.presence import Span
from simulation.core.scenarios import Plan
from simulation.io import pipe
from simulation.io.bot import Bot

PROGRESS_S = 0.2

JOINS_AT_ONCE = 4
"""Clients of one worker that connect at the same time before the start: enough to keep the server busy, too few to make them wait for
one another's handshakes."""

TOKEN_LIFETIME_S = 3600.0

DISBAND_S = 5.0
"""For all bots to leave at the end."""

MAX_ERRORS = 3
"""Different reasons why clients could not connect that are told."""


class Worker:
    """The bots of one job."""

    def __init__(self, job: Job, send: Callable[[Up], None]) -> None:
        self._job = job
        self._send = send
        self._meter = Meter()
        self._bots: dict[int, Bot] = {}
        self._started: asyncio.Future[Start] = asyncio.get_running_loop().create_future()
        self._gate = asyncio.Semaphore(JOINS_AT_ONCE)
        self._errors: dict[str, None] = {}
        self._tls = client_context(job.ca_file)

    async def run(self, orders: asyncio.StreamReader) -> None:
        """Follow the orders until there are no more."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._life(plan)) for plan in self._job.plans]
            tasks.append(group.create_task(self._tell()))
            while (order := await pipe.receive(orders)) is not None:
                self._obey(order)
            for task in tasks:
                task.cancel()
        leaving = [asyncio.create_task(bot.leave()) for bot in self._bots.values()]
        if leaving:
            await asyncio.wait(leaving, timeout=DISBAND_S)

    def _obey(self, order: Start | Collect | Judge) -> None:
        match order:
            case Start():
                self._meter.window = Window(order.measure_at, order.end_at)
                self._started.set_result(order)
            case Collect():
                for bot in self._bots.values():
                    bot.hush()
                logs = {number: bot.audit.sends for number, bot in self._bots.items()}
                self._send(Sends(logs, {number: bot.service for number, bot in self._bots.items()}))
            case Judge():
                self._send(self._result(SendIndex(order.logs), order.absences))
            case _:
                assert_never(order)

    async def _life(self, plan: Plan) -> None:
        """One bot from its joining to its leaving."""
        if plan.joins_at is None:
            async with self._gate:
                bot = await self._join(plan)
        else:
            start = await asyncio.shield(self._started)
            await _sleep_until(start.measure_at + plan.joins_at)
            bot = await self._join(plan)
        if bot is None:
            return
        start = await asyncio.shield(self._started)
        bot.publish(start)
        if isfinite(plan.leaves_at):
            await _sleep_until(start.measure_at + plan.leaves_at)
            await bot.leave()
            self._meter.counts.leaves += 1

    async def _join(self, plan: Plan) -> Bot | None:
        job = self._job
        audit = Audit(plan.bot, job.run, self._meter, counted=job.counted)
        options = ClientOptions(
            connect_timeout=job.connect_timeout_s, subscribe_timeout=job.connect_timeout_s, part1_only=job.old_peers
        )
        bot = Bot(plan, job, audit, Client(job.url, token=self._token(plan.bot), options=options, ssl=self._tls))
        try:
            await bot.join()
        except RtcBrokerError as error:
            self._meter.counts.failed += 1
            if len(self._errors) < MAX_ERRORS:
                self._errors[str(error)] = None
            return None
        self._bots[plan.bot] = bot
        return bot

    def _token(self, bot: int) -> str | Callable[[], str] | None:
        credentials = self._job.credentials
        if credentials.secret is None:
            return credentials.token
        topics = [f"{self._job.prefix}/**"]
        return lambda: sign(
            secret_key(credentials.secret or ""),
            subject=f"bot-{bot}",
            role=TokenRole.CLIENT,
            now=time.time(),
            lifetime_s=TOKEN_LIFETIME_S,
            publish=topics,
            subscribe=topics,
        )

    async def _tell(self) -> None:
        while True:
            self._send(self._progress())
            await asyncio.sleep(PROGRESS_S)

    def _progress(self) -> Progress:
        counts = self._meter.counts
        return Progress(
            connected=sum(bot.joined_at is not None for bot in self._bots.values()),
            failed=counts.failed,
            sent=self._meter.sent,
            received=self._meter.received,
            latency=self._meter.take_recent(),
            errors=list(self._errors),
        )

    def _result(self, sends: SendIndex, absences: Mapping[int, Sequence[Span]]) -> Result:
        meter, now = self._meter, time.monotonic()
        tally = Tally()
        for number, bot in self._bots.items():
            audit = bot.audit
            tally.add(judge(number, audit.subscriptions, audit.receipts, sends, meter.window, absences))
        meter.counts.tally = tally
        present = [(bot.joined_at, now) for bot in self._bots.values() if bot.joined_at is not None]
        return Result(meter.counts, meter.timeline, meter.connect, meter.presence + present, meter.lag_s)


async def _sleep_until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.monotonic()))


async def work() -> int:
    """Read a job, do it."""
    # The pipe gets a descriptor of its own, and standard output becomes standard error: a stray print harms nothing.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(partial(asyncio.StreamReaderProtocol, orders), sys.stdin.buffer)
    job: Any = await pipe.receive(orders)
    if job is not None:
        with contextlib.closing(output):
            await Worker(job, partial(_write, output)).run(orders)
    return 0


def _write(output: Any, message: Up) -> None:
    """Waits where the pipe is full, which it is not: the other end does nothing but read and draw."""
    output.write(pipe.frame(message))
    output.flush()


if __name__ == "__main__":
    logs.configure("warning")
    sys.exit(run(work))
