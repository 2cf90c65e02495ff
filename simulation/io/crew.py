"""The worker processes of a run, seen from above."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from simulation.core.latency import Histogram
from simulation.core.ledger import SendLog
from simulation.core.messages import Collect, Down, Job, Judge, Progress, Result, Sends, Start
from simulation.core.service import ServiceLog
from simulation.io import children, pipe
from simulation.io.children import Child, ChildError

log = logging.getLogger(__name__)

CLIENTS_A_WORKER = 60
DELIVERIES_A_WORKER = 20_000
"""What one process takes with room to spare, in clients and in packets per second each coming by itself. With more it would measure
its own delay."""

ANSWER_S = 60.0
"""For a worker to count what came."""

T = TypeVar("T")


def workers_for(clients: int, deliveries_per_s: float) -> int:
    """How many processes so many clients at once should be spread over on this machine."""
    wanted = max(clients / CLIENTS_A_WORKER, deliveries_per_s / DELIVERIES_A_WORKER)
    return max(1, min(ceil(wanted), clients, os.cpu_count() or 1))


def share_out(job: Job, workers: int) -> list[Job]:
    """The job in parts, one for each worker; every part of a group is spread over all of them."""
    return [replace(job, plans=job.plans[number::workers]) for number in range(workers)]


class _Member:
    """One worker process: what it told last, and what it answered."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.progress = Progress()
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._listen())

    def tell(self, order: Down) -> None:
        """Send it a message."""
        assert self.child.process.stdin is not None
        self.child.process.stdin.write(pipe.frame(order))

    def expect(self, order: Down) -> asyncio.Future[Any]:
        """Send it a message and get the answer."""
        if self.answer.done() and not self.answer.exception():
            self.answer = asyncio.get_running_loop().create_future()
        self.tell(order)
        return self.answer

    async def _listen(self) -> None:
        assert self.child.process.stdout is not None
        while (message := await pipe.receive(self.child.process.stdout)) is not None:
            if isinstance(message, Progress):
                for alias, histogram in self.progress.latency.items():
                    message.latency.setdefault(alias, Histogram()).merge(histogram)
                self.progress = message
            else:
                self.answer.set_result(message)
        await self.child.process.wait()
        if self.answer.done():
            self.answer = asyncio.get_running_loop().create_future()
        self.answer.set_exception(self.child.failure(f"ended with code {self.child.process.returncode}"))
        self.answer.exception()  # nobody may ever ask for it


class Crew:
    """``async with Crew(jobs, directory) as crew``: the workers have their jobs inside, and are gone outside."""

    def __init__(self, jobs: Sequence[Job], directory: Path, prefix: Sequence[str] = ()) -> None:
        """`directory` takes their logs; `prefix` is put before their command."""
        self._jobs = jobs
        self._command = [*prefix, sys.executable, "-m", "simulation.io.worker"]
        self._directory = directory
        self._members: list[_Member] = []

    async def __aenter__(self) -> Self:
        try:
            for number, job in enumerate(self._jobs, 1):
                name = f"load worker {number}"
                log_file = self._directory / f"worker-{number}.log"
                program, *arguments = self._command
                child = await children.start(name, arguments, log_file, {}, piped=True, program=program)
                self._members.append(_Member(child))
                self._members[-1].tell(job)
        except BaseException:
            await self._dismiss()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._dismiss()

    def progress(self) -> Progress:
        """How it goes: all workers together; latencies since the last call. Raises :class:`ChildError` when a worker has died."""
        everyone = Progress()
        for member in self._members:
            if member.answer.done() and (error := member.answer.exception()):
                raise error
            everyone.add(member.progress)
            member.progress = replace(member.progress, latency={})
        return everyone

    def start(self, start: Start) -> None:
        """Everyone is there."""
        for member in self._members:
            member.tell(start)

    async def collect(self) -> Sends:
        """Stop publishing; everyone's books of what was sent, and of how they were served. Raises :class:`ChildError`."""
        logs: dict[int, SendLog] = {}
        services: dict[int, ServiceLog] = {}
        for sends in await self._ask(Collect(), Sends):
            logs.update(sends.logs)
            services.update(sends.services)
        return Sends(logs, services)

    async def judge(self, judge: Judge) -> list[Result]:
        """Lay everyone's books of what came beside these. Raises :class:`ChildError`."""
        return await self._ask(judge, Result)

    async def results(self) -> list[Result]:
        """Both, where nobody is excused for anything. Raises :class:`ChildError`."""
        return await self.judge(Judge((await self.collect()).logs))

    async def _ask(self, order: Down, kind: type[T]) -> list[T]:
        answers = [member.expect(order) for member in self._members]
        try:
            async with asyncio.timeout(ANSWER_S):
                found = await asyncio.gather(*answers)
        except TimeoutError:
            raise ChildError(f"a load worker did not answer within {ANSWER_S:g} s") from None
        if not all(isinstance(answer, kind) for answer in found):
            raise ChildError(f"a load worker did not answer with {kind.__name__}")
        return found

    async def _dismiss(self) -> None:
        """The end of its input tells a worker to disconnect its bots and go."""
        for member in self._members:
            if member.child.process.stdin is not None:
                member.child.process.stdin.close()
        leaving = [asyncio.ensure_future(member.child.process.wait()) for member in self._members]
        try:
            if leaving:
                await asyncio.wait(leaving, timeout=children.STOP_S)
        finally:
            await children.stop(member.child for member in self._members)
            for member in self._members:
                member.task.cancel()
            await asyncio.gather(*(member.task for member in self._members), return_exceptions=True)
