"""Links, traffic and processor time of clusters of 2 to 8 comm servers, in a mesh and in a star around one hub.

Two looks at each: linked and idle, and with four clients a server who all talk in one topic, so that every server's packets go to every
other. What single servers spent, sent and received is kept, for :mod:`benchmarks.scaling_model` to learn from. The machine may have fewer
processors than there are servers: processor time says what it costs, the clock would not.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from statistics import fmean
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.figures import Outcome
from protocol.errors import RtcBrokerError
from simulation.core.messages import Credentials, Job, Result, Start
from simulation.core.report import Counts
from simulation.core.scenarios import dense
from simulation.io.crew import Crew, share_out, workers_for
from simulation.io.spawn import Cluster

SIZES = (2, 4, 6, 8)
TOPOLOGIES = ("mesh", "star")
NAMES = tuple(f"{topology}{size}" for size in SIZES for topology in TOPOLOGIES)
CLIENTS_A_SERVER, HZ, BODY_BYTES = 4, 20.0, 26
PREFIX = "bench/scaling"
CONNECT_TIMEOUT_S = 30.0
MESH_S = 30.0
SETTLE_S = 2.0
WARMUP_S = 2.0
POLL_S = 0.2
MAX_LOSS = 0.001


@dataclass(frozen=True, slots=True)
class Look:
    """The counters of one server at one moment."""

    ends: int
    """Of links to other servers."""
    cpu_s: float
    messages_in: float
    messages_out: float
    bytes_in: float
    bytes_out: float


def links(name: str) -> int:
    """How many links there should be."""
    servers = size_of(name)
    return servers * (servers - 1) // 2 if name.startswith("mesh") else servers - 1


def hubs_of(name: str) -> int:
    """How many of the servers are hubs."""
    return 1 if name.startswith("star") else 0


def size_of(name: str) -> int:
    """How many servers."""
    return int(name[4:])


def run(name: str, seconds: float) -> Outcome:
    """One run of the scenario `name`: `seconds` idle, and as long under load."""
    try:
        return asyncio.run(_run(name, seconds))
    except RtcBrokerError as error:
        return Outcome({}, [str(error).splitlines()[0]])


async def _run(name: str, seconds: float) -> Outcome:
    servers = size_of(name)
    with tempfile.TemporaryDirectory(prefix="rtcbroker-bench-") as folder:
        async with (
            Cluster(servers, Path(folder), hubs=hubs_of(name)) as cluster,
            aiohttp.ClientSession() as session,
        ):
            if not await _linked(session, cluster.pages, links(name)):
                return Outcome({}, [f"not {links(name)} links within {MESH_S:g} s"])
            await asyncio.sleep(SETTLE_S)
            idle = await _watch(session, cluster.pages, seconds)
            cluster.check()
            loaded, counts = await _under_load(session, cluster, Path(folder), seconds)
            cluster.check()
    return judge(name, seconds, idle, loaded, counts)


async def _linked(session: aiohttp.ClientSession, pages: Sequence[str], wanted: int) -> bool:
    deadline = time.monotonic() + MESH_S
    while time.monotonic() < deadline:
        if sum([(await look(session, page)).ends for page in pages]) == 2 * wanted:
            return True
        await asyncio.sleep(POLL_S)
    return False


async def _watch(session: aiohttp.ClientSession, pages: Sequence[str], seconds: float) -> list[tuple[Look, Look]]:
    before = [await look(session, page) for page in pages]
    await asyncio.sleep(seconds)
    return list(zip(before, [await look(session, page) for page in pages], strict=True))


async def look(session: aiohttp.ClientSession, page: str) -> Look:
    """A server's counters now."""
    async with session.get(f"{page}/metrics") as response:
        text = await response.text()
    totals: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = sample.labels.get("direction") or (sample.labels.get("state") == "active" and sample.labels["role"]) or ""
            totals[sample.name, label] = totals.get((sample.name, label), 0.0) + sample.value
    return Look(
        ends=int(sum(totals.get(("rtcbroker_peers", role), 0) for role in ("hub", "server"))),
        cpu_s=totals["rtcbroker_process_cpu_seconds_total", ""],
        messages_in=totals["rtcbroker_packets_total", "in"],
        messages_out=totals["rtcbroker_packets_total", "out"],
        bytes_in=totals["rtcbroker_bytes_total", "in"],
        bytes_out=totals["rtcbroker_bytes_total", "out"],
    )


async def _under_load(
    session: aiohttp.ClientSession, cluster: Cluster, directory: Path, seconds: float
) -> tuple[list[tuple[Look, Look]], Counts]:
    clients = CLIENTS_A_SERVER * len(cluster.servers)
    scenario = dense(clients, seconds + 1.0, WARMUP_S, PREFIX)
    job = Job(
        url=cluster.url,
        credentials=Credentials(secret=cluster.secret),
        run=SystemRandom().randrange(1, 1 << 32),
        prefix=PREFIX,
        plans=scenario.plans,
        hz=HZ,
        size=BODY_BYTES,
        reliable=False,
        counted=True,
        connect_timeout_s=CONNECT_TIMEOUT_S,
    )
    async with Crew(share_out(job, workers_for(clients, scenario.deliveries_per_s(HZ))), directory) as crew:
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        while time.monotonic() < deadline:
            progress = crew.progress()
            if progress.connected + progress.failed >= clients:
                break
            await asyncio.sleep(POLL_S)
        publish_at = time.monotonic() + SETTLE_S
        crew.start(Start(publish_at, publish_at + WARMUP_S, publish_at + WARMUP_S + scenario.seconds))
        await asyncio.sleep(SETTLE_S + WARMUP_S)
        looks = await _watch(session, cluster.pages, seconds)
        await asyncio.sleep(SETTLE_S)
        return looks, _counts(await crew.results())


def _counts(results: Sequence[Result]) -> Counts:
    counts = Counts()
    for result in results:
        counts.add(result.counts)
    return counts


def judge(
    name: str, seconds: float, idle: Sequence[tuple[Look, Look]], loaded: Sequence[tuple[Look, Look]], counts: Counts
) -> Outcome:
    """Figures from looks, and whether the load was what it should have been."""
    servers = size_of(name)
    hubs = hubs_of(name)
    samples = [*_samples(idle, seconds, hubs), *_samples(loaded, seconds, hubs)]
    busy = samples[len(idle) :]
    published = HZ * CLIENTS_A_SERVER * servers
    document: dict[str, Any] = {
        "servers": servers,
        "links": sum(after.ends for _, after in loaded) / 2,
        "idle_cpu_ms_per_s": round(sum(one["cpu_ms"] for one in samples[: len(idle)]), 3),
        "cpu_ms_per_s": round(sum(one["cpu_ms"] for one in busy), 3),
        "plain_cpu_ms_per_s": _mean(one["cpu_ms"] for one in busy if not one["is_hub"]),
        "hub_cpu_ms_per_s": _mean(one["cpu_ms"] for one in busy if one["is_hub"]),
        # What clients sent came in as well: one message a packet.
        "link_messages_per_s": round(sum(one["in"] for one in busy) - published, 1),
        "samples": samples,
    }
    tally = counts.tally
    problems = [f"{counts.failed} clients could not connect"] if counts.failed else []
    if not tally.expected or tally.expected - tally.delivered > MAX_LOSS * tally.expected:
        problems.append(f"{tally.delivered:,} of {tally.expected:,} deliveries")
    problems += [
        f"{count:,} {what}" for what, count in (("duplicates", tally.duplicates), ("misroutes", tally.misroutes)) if count
    ]
    return Outcome(document, problems)


def _samples(looks: Sequence[tuple[Look, Look]], seconds: float, hubs: int) -> list[dict[str, Any]]:
    """Of each server, each second: processor time in milliseconds, messages and bytes."""
    return [
        {
            "is_hub": number < hubs,  # they were started first
            "ends": after.ends,
            "cpu_ms": round(1000 * (after.cpu_s - before.cpu_s) / seconds, 3),
            "in": round((after.messages_in - before.messages_in) / seconds, 2),
            "out": round((after.messages_out - before.messages_out) / seconds, 2),
            "bytes_in": round((after.bytes_in - before.bytes_in) / seconds),
            "bytes_out": round((after.bytes_out - before.bytes_out) / seconds),
        }
        for number, (before, after) in enumerate(looks)
    ]


def _mean(values: Any) -> float | None:
    found = list(values)
    return round(fmean(found), 3) if found else None


def samples_of(outcomes: Mapping[str, Sequence[Outcome]]) -> list[Mapping[str, Any]]:
    """All servers' samples of all runs of these scenarios."""
    return [sample for name in NAMES for one in outcomes.get(name, ()) for sample in one.document.get("samples", ())]
