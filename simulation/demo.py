"""The demo: a cluster on this machine, bots that wander in a small world, and a table of what goes on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from random import Random, SystemRandom

import aiohttp
from rich.console import Console
from rich.live import Live
from rich.table import Table

from protocol.errors import RtcBrokerError
from protocol.keys import secret_key
from protocol.tokens import TokenRole, sign
from simulation.core import scenarios
from simulation.core.chatter import Chatter
from simulation.core.coordinator_page import CoordinatorSample
from simulation.core.latency import Histogram
from simulation.core.messages import Credentials, Job, Start
from simulation.core.pace import Pace
from simulation.core.payload import MIN_POSITION_BODY_BYTES
from simulation.core.scenarios import Plan
from simulation.core.server_page import ServerRates, ServerSample
from simulation.core.walk import Wanderer
from simulation.io.crew import Crew, share_out, workers_for
from simulation.io.interrupt import Interrupted, interruptible
from simulation.io.spawn import HOST, Cluster
from simulation.io.watch import Watch, look_at_coordinators

WORLD_M = 24.0
CELL_M = 4.0
PREFIX = "demo"
HZ = 20.0
CONNECT_TIMEOUT_S = 15.0

CELLS_HEARD = 9
WORLD_CELLS = (WORLD_M / CELL_M) ** 2

HEARD_PER_S = 6_000
"""Packets per second that all bots together listen to, about: what a small machine has room for beside the servers and a browser. In a
crowd that takes some of them only, since what all would hear grows with the square of their number."""

MIN_LISTENERS = 8

CHATTERS = 6
LINE_EVERY_S = 7.0
"""Between two lines that any bot says, on average."""

TIMER_SLACK_S = 0.05
LOOK_S = 1.0
PLAIN_TABLE_S = 5.0
"""Between two tables where the output is no terminal."""

USUAL_PORT = 9090
TOKEN_LIFETIME_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How big, and for how long."""

    duration_s: float | None
    """From when the cluster is up; None: until Ctrl-C."""
    bots: int
    servers: int
    port: int | None
    """Of the first coordinator; None: the usual one, or a free one where that is taken."""
    coordinators: int = 1
    """Several meet on a Redis that is started for them."""


async def demo(options: DemoOptions, console: Console) -> int:
    """Run it. Returns the exit code: 0 also when interrupted, 1 when the cluster could not be started."""
    try:
        await interruptible(_run(options, console))
    except Interrupted:
        console.print("stopped")
    except RtcBrokerError as error:
        console.print(f"demo: {error}", markup=False, soft_wrap=True)
        return 1
    return 0


async def _run(options: DemoOptions, console: Console) -> None:
    port = _usual_or_free() if options.port is None else options.port
    with tempfile.TemporaryDirectory(prefix="rtcbroker-demo-") as name:
        directory = Path(name)
        console.print(f"starting {_parts(options)}", soft_wrap=True)
        async with Cluster(options.servers, directory, port=port, coordinators=options.coordinators) as cluster:
            console.print("\n".join(invitation(cluster, time.time())), markup=False, highlight=False, soft_wrap=True)
            job = _job(options, cluster)
            heard = listeners(options.bots) * heard_per_s(options.bots)
            async with (
                Crew(share_out(job, workers_for(options.bots, heard)), directory) as crew,
                aiohttp.ClientSession() as session,
            ):
                crew.start(Start(time.monotonic(), time.monotonic(), inf))
                until = inf if options.duration_s is None else time.monotonic() + options.duration_s
                watch = Watch(session, cluster.pages)
                # One alone has nothing to tell that the dashboard does not.
                coordinators = [page_of(url) for url in cluster.urls] if options.coordinators > 1 else []
                await _watch(crew, watch, lambda: look_at_coordinators(session, coordinators), console, until)


def _parts(options: DemoOptions) -> str:
    coordinators = "a coordinator" if options.coordinators == 1 else f"{options.coordinators} coordinators on Redis"
    return f"{coordinators}, {options.servers} comm servers and {options.bots} bots"


def page_of(url: str) -> str:
    """Where a coordinator's pages are."""
    return url.replace("ws://", "http://", 1)


def _usual_or_free() -> int:
    with socket.socket() as probe, contextlib.suppress(OSError):
        # As the server will bind: a connection of an earlier run that still lingers does not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, USUAL_PORT))
        return USUAL_PORT
    return 0


def _job(options: DemoOptions, cluster: Cluster) -> Job:
    seeds = SystemRandom()
    return Job(
        url=cluster.url,
        credentials=Credentials(secret=cluster.secret),
        run=seeds.randrange(1, 1 << 32),
        prefix=PREFIX,
        plans=plans(options.bots, seeds),
        hz=HZ,
        size=MIN_POSITION_BODY_BYTES,
        reliable=False,
        counted=False,
        connect_timeout_s=CONNECT_TIMEOUT_S,
    )


def heard_per_s(bots: int) -> float:
    """Packets per second in the nine cells around somebody, on average, when `bots` wander."""
    return HZ * bots * CELLS_HEARD / WORLD_CELLS


def listeners(bots: int) -> int:
    """How many of them listen to what is around them."""
    return min(bots, max(MIN_LISTENERS, int(HEARD_PER_S / heard_per_s(bots))))


def plans(bots: int, seeds: Random) -> list[Plan]:
    """Everyone's way, and a few who say something now and then."""
    paths = [Wanderer(WORLD_M, Random(seeds.random())) for _ in range(bots)]
    made = list(scenarios.wander(paths, CELL_M, PREFIX, listeners(bots)).plans)
    chatters = min(CHATTERS, bots)
    for number in range(chatters):
        bot = number * bots // chatters
        chat = scenarios.chat_topic(PREFIX)
        made[bot] = replace(made[bot], chatter=Chatter(chat, f"bot {bot}", LINE_EVERY_S * chatters, Random(seeds.random())))
    return made


def invitation(cluster: Cluster, now: float) -> list[str]:
    """Lines that say where to look, and how to join; `now` in seconds since the epoch. Tokens are good for a day."""
    topics = [f"{PREFIX}/**"]
    key = secret_key(cluster.secret)
    admin = sign(key, subject="operator", role=TokenRole.ADMIN, now=now, lifetime_s=TOKEN_LIFETIME_S)
    guest = sign(
        key, subject="guest", role=TokenRole.CLIENT, now=now, lifetime_s=TOKEN_LIFETIME_S, publish=topics, subscribe=topics
    )
    pages = [page_of(url) for url in cluster.urls]
    middle = int(WORLD_M / CELL_M / 2)
    return [
        "",
        "dashboard:",
        *(f"  {page}/#token={admin}" for page in pages),
        "the world, to walk in:",
        *(f"  {page}/demo#token={guest}" for page in pages),
        "",
        "A client of your own may join them:",
        f'  async with Client("{cluster.url}", token=TOKEN) as client:',
        f'      async with client.subscribe("{PREFIX}/cell/{middle}/{middle}") as packets:',
        "          async for packet in packets: print(packet.topic, packet.sender, len(packet.body))",
        f"with TOKEN = {guest}",
        "",
        "See everyone move to another server: end one.",
        *(f"  kill {server.pid}   # {server.name}" for server in cluster.servers),
        *_killable_coordinators(cluster),
        "",
    ]


def _killable_coordinators(cluster: Cluster) -> list[str]:
    if len(cluster.coordinators) < 2:
        return []
    return [
        "See nobody notice: end a coordinator; its peers come back by another one.",
        *(f"  kill {coordinator.pid}   # {coordinator.name}" for coordinator in cluster.coordinators),
    ]


Look = Callable[[], Awaitable[Sequence[CoordinatorSample | None]]]


async def _watch(crew: Crew, watch: Watch, look: Look, console: Console, until: float) -> None:
    """Show the table until it is time: again and again in place in a terminal, elsewhere now and then and at the end."""
    pace = Pace()
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    next_table = time.monotonic() + PLAIN_TABLE_S
    with live or contextlib.nullcontext():
        while True:
            now = time.monotonic()
            pace.add(now, crew.progress())
            table = demo_table(await watch.look(), pace, await look())
            if live is not None:
                live.update(table, refresh=True)
            elif is_over(now, min(next_table, until)):
                next_table = now + PLAIN_TABLE_S
                console.print(table)
            if is_over(now, until):
                return
            await asyncio.sleep(pause(until - time.monotonic()))


def is_over(now: float, until: float) -> bool:
    """Whether it is time. A timer may fire a little early, and another look after what is left would show rates over no time at all."""
    return now >= until - TIMER_SLACK_S


def pause(remaining: float) -> float:
    """Seconds until the next look. The last pause takes in what would be left of one: rates over a few milliseconds say nothing."""
    return max(0.0, remaining if remaining < 1.5 * LOOK_S else LOOK_S)


def demo_table(
    servers: Sequence[tuple[ServerSample, ServerRates] | None], pace: Pace, coordinators: Sequence[CoordinatorSample | None] = ()
) -> Table:
    """One row a server, one a coordinator, and one for the bots; it fits a terminal of 80 columns."""
    table = Table(title="packets per second, latency between bots", title_justify="left")
    table.add_column("", no_wrap=True)
    for heading in ("clients", "topics", "in/s", "out/s", "p50", "p99", "CPU"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, server in enumerate(servers, 1):
        name = f"server {number}"
        if server is None:
            table.add_row(name, "away")
            continue
        sample, rates = server
        latency = pace.latency(sample.alias) if sample.alias is not None else Histogram()
        traffic = f"{rates.packets_in:,.0f}", f"{rates.packets_out:,.0f}"
        table.add_row(name, str(sample.clients), str(sample.topics), *traffic, *_latency_cells(latency), f"{rates.cpu:.0%}")
    if coordinators:
        table.add_section()
    for number, coordinator in enumerate(coordinators, 1):
        table.add_row(f"coord {number}", *_coordinator_cells(coordinator))
    table.add_section()
    sent, received = pace.rates()
    traffic = f"{received:,.0f}", f"{sent:,.0f}"
    table.add_row("all bots", str(pace.last.connected), "", *traffic, *_latency_cells(pace.latency()), "")
    return table


def _coordinator_cells(coordinator: CoordinatorSample | None) -> list[str]:
    if coordinator is None:
        return ["away"]
    return [str(coordinator.clients), "" if coordinator.is_linked else "alone"]


def _latency_cells(latency: Histogram) -> tuple[str, str]:
    found = (latency.percentile(50), latency.percentile(99))
    first, last = ("-" if value is None else f"{value * 1000:.1f} ms" for value in found)
    return first, last
