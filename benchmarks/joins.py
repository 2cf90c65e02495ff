"""What a join costs the comm server, and what a client that does nothing costs it afterwards.

The clients are the load generator's, real ones; they connect as fast as it can make them, subscribe to a topic each, and publish nothing.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any

import psutil

from benchmarks.figures import Outcome
from protocol.errors import RtcBrokerError
from simulation.core.messages import Credentials, Job, Progress
from simulation.core.scenarios import Plan, Standing
from simulation.io.crew import Crew, share_out, workers_for
from simulation.io.spawn import Cluster

MIN_JOINS = 200
STILL_S = 15.0
"""No further client for so long: these are as many as the load generator holds."""
DEADLINE_S = 300.0
POLL_S = 0.1
SETTLE_S = 2.0
CONNECT_TIMEOUT_S = 30.0
PREFIX = "bench"


@dataclass(frozen=True, slots=True)
class Sample:
    """A look at the comm server while clients join."""

    at: float
    """Seconds of the monotonic clock."""
    clients: int
    cpu_s: float
    """User and system, since the process began."""
    rss_bytes: int


def run(clients: int, idle_s: float) -> Outcome:
    """Let `clients` join, then watch them do nothing for `idle_s` seconds."""
    try:
        return asyncio.run(_run(clients, idle_s))
    except RtcBrokerError as error:
        return Outcome({}, [str(error).splitlines()[0]])


async def _run(clients: int, idle_s: float) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="rtcbroker-bench-") as name:
        directory = Path(name)
        async with Cluster(1, directory) as cluster:
            server = psutil.Process(cluster.servers[0].pid)
            before = _sample(server, Progress())
            async with Crew(share_out(_job(cluster, clients), workers_for(clients, 0.0)), directory) as crew:
                samples = [before, *await _joining(crew, cluster, server, clients)]
                failed = crew.progress().failed
                await asyncio.sleep(SETTLE_S)
                still = _sample(server, crew.progress())
                await asyncio.sleep(idle_s)
                cluster.check()
                idle = _sample(server, crew.progress())
    return judge(samples, still, idle, wanted=clients, failed=failed)


def _job(cluster: Cluster, clients: int) -> Job:
    return Job(
        url=cluster.url,
        credentials=Credentials(secret=cluster.secret),
        run=SystemRandom().randrange(1, 1 << 32),
        prefix=PREFIX,
        plans=[Plan(bot, Standing(f"{PREFIX}/{bot}")) for bot in range(clients)],
        hz=1.0,
        size=64,
        reliable=False,
        counted=False,
        connect_timeout_s=CONNECT_TIMEOUT_S,
    )


async def _joining(crew: Crew, cluster: Cluster, server: psutil.Process, clients: int) -> list[Sample]:
    """Look again and again until everyone is there, or nobody comes any more."""
    began = last_change = time.monotonic()
    samples: list[Sample] = []
    while True:
        cluster.check()
        progress = crew.progress()
        sample = _sample(server, progress)
        if not samples or sample.clients != samples[-1].clients:
            last_change = sample.at
            samples.append(sample)
        everyone = progress.connected + progress.failed >= clients
        if everyone or sample.at - last_change > STILL_S or sample.at - began > DEADLINE_S:
            return samples
        await asyncio.sleep(POLL_S)


def _sample(server: psutil.Process, progress: Progress) -> Sample:
    times = server.cpu_times()
    return Sample(time.monotonic(), progress.connected, times.user + times.system, server.memory_info().rss)


def judge(samples: Sequence[Sample], still: Sample, idle: Sample, *, wanted: int, failed: int) -> Outcome:
    """Figures from looks: `samples` while they joined, the first before anyone did; `still` and `idle` around the quiet time."""
    first, last = samples[0], samples[-1]
    joined = last.clients
    if not joined:
        return Outcome({}, ["nobody joined"])
    cpu_ms = (last.cpu_s - first.cpu_s) * 1000 / joined
    # From a tenth of them on: what the first ones make the process load, once, is no client's own.
    early = next(sample for sample in samples if sample.clients >= joined / 10)
    others = joined - early.clients
    idle_percent = 100 * (idle.cpu_s - still.cpu_s) / (idle.at - still.at)
    document: Mapping[str, Any] = {
        "clients": joined,
        "cpu_ms_per_join": round(cpu_ms, 3),
        "joins_per_cpu_s": round(1000 / cpu_ms, 1) if cpu_ms else None,
        "joins_per_s": round(others / (last.at - early.at), 1) if others else None,
        "memory_kb_per_client": round((idle.rss_bytes - early.rss_bytes) / others / 1000, 1) if others else None,
        "idle_cpu_percent": round(idle_percent, 2),
        "idle_cpu_percent_per_1000": round(idle_percent * 1000 / idle.clients, 2) if idle.clients else None,
        "curve": [[round(sample.at - samples[1].at, 2), sample.clients] for sample in samples[1:]],
    }
    problems = [f"{failed} clients could not connect"] if failed else []
    if joined < min(MIN_JOINS, wanted):
        problems.append(f"{joined} joins of at least {MIN_JOINS}")
    if idle.clients < joined:
        problems.append(f"{joined - idle.clients} clients were lost while idle")
    notes = [f"joins: the load generator held {joined:,} of {wanted:,} clients"] if joined < wanted else []
    return Outcome(document, problems, notes)
