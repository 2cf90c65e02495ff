"""One run of a scenario: a cluster if one is wanted, workers, the measured time, the verdict."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from rich.console import Console

from protocol.errors import ConfigError, RtcBrokerError
from simulation.core.impairment import Impairment
from simulation.core.latency import Histogram, Timeline
from simulation.core.messages import Credentials, Job, Progress, Result, Start
from simulation.core.pace import Pace
from simulation.core.payload import MIN_POSITION_BODY_BYTES
from simulation.core.report import Counts, Report, ServerCost
from simulation.core.scenarios import Scenario
from simulation.io.children import ChildError
from simulation.io.crew import Crew, share_out, workers_for
from simulation.io.files import check_writable, write_json
from simulation.io.impaired import Place, check_possible, place
from simulation.io.interrupt import Interrupted, interruptible
from simulation.io.live import Display, display, report_table
from simulation.io.measure import ServerMeter
from simulation.io.netns import NetnsError
from simulation.io.plot import check_available, write_plot
from simulation.io.spawn import Cluster

log = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

POLL_S = 0.2
"""As often as the workers tell how it goes."""

SLACK_S = 10.0
"""For clients to begin, and to say how it went, on a machine that is busy; who does not get in says so itself, and why, before that."""
START_DELAY_S = 0.5
"""Between "everyone is there" and the first packet: more than SETTLE_S, so that the subscriptions are everywhere."""

DRAIN_STILL_S = 0.6
"""When nothing more has come for so long, nothing more will: three progresses of the workers."""

IMPAIRED_STILL_S = 4.0
"""The same where packets are lost on purpose: one that is lost twice is sent again after one second, and after two more."""

DRAIN_MAX_S = 15.0


class SimulationError(RtcBrokerError):
    """A run that could not be made; says why."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to run, against what, and what to make of it."""

    scenario: Callable[[str], Scenario]
    """Makes the scenario, given what its topics are to begin with."""
    url: str | None
    """An existing cluster's coordinator; None starts a cluster."""
    spawn: int
    """Comm servers to start where there is no `url`."""
    credentials: Credentials
    """For an existing cluster."""
    ca_file: Path | None
    """Whom to trust at an existing cluster's ``wss://``; None: the system's authorities."""
    server_options: Sequence[str]
    """More arguments of each comm server that is started."""
    prefix: str
    """What all topics begin with."""
    hz: float
    size: int
    reliable: bool
    old_peers: bool
    """Bots speak Part 1 of the wire only."""
    workers: int | None
    """Load processes; None: as many as it takes."""
    connect_timeout_s: float
    max_loss: float
    """0..1; beside what `impairment` takes on the unreliable channel."""
    json: Path | None
    plot: Path | None
    impairment: Impairment | None = None
    """What becomes of the clients' packets on their way to the cluster and back."""
    hubs: int = 0
    """How many of the comm servers to start are hubs."""

    @property
    def still_s(self) -> float:
        """When nothing more has come for so long, nothing more will."""
        return IMPAIRED_STILL_S if self.reliable and self.impairment is not None else DRAIN_STILL_S

    @property
    def allowed_loss(self) -> float:
        """0..1; a batch is lost as a whole, so chance may take half as much again as the network does on average."""
        expected = 0.0 if self.reliable or self.impairment is None else 1.5 * self.impairment.round_loss
        return min(1.0, self.max_loss + expected)


async def simulate(options: RunOptions, out: Console, progress: Console) -> int:
    """Run it; the table goes to `out`, what happens meanwhile to `progress`. Returns the exit code: 0 success, 1 not, 130 interrupted.

    Raises :class:`protocol.errors.ConfigError` for an option that cannot work.
    """
    check_writable(options.json, "--json")
    check_writable(options.plot, "--plot")
    if options.plot is not None:
        check_available()
    check_possible(options.impairment, options.url)
    try:
        report = await interruptible(_run(options, progress))
    except Interrupted:
        progress.print("interrupted")
        return EXIT_INTERRUPTED
    except (SimulationError, ChildError, NetnsError) as error:
        progress.print(f"simulate: {error}", markup=False, soft_wrap=True)
        return EXIT_FAILED
    return _publish(report, options, out, progress)


def _publish(report: Report, options: RunOptions, out: Console, progress: Console) -> int:
    out.print(report_table(report))
    if options.json is not None:
        write_json(options.json, report.document())
    if options.plot is not None:
        write_plot(report, options.plot)
    for problem in report.problems:
        progress.print(f"failed: {problem}", markup=False, soft_wrap=True)
    return EXIT_FAILED if report.problems else 0


async def _run(options: RunOptions, console: Console) -> Report:
    run = SystemRandom().randrange(1, 1 << 32)
    prefix = f"{options.prefix}/{run:08x}"
    scenario = options.scenario(prefix)
    _check(scenario, options)
    with tempfile.TemporaryDirectory(prefix="rtcbroker-") as name, place(options.impairment, options.url) as where:
        directory = Path(name)
        async with _cluster(options, where, directory, console) as (url, credentials, cluster):
            job = Job(
                url=url,
                credentials=credentials,
                run=run,
                prefix=prefix,
                plans=scenario.plans,
                hz=options.hz,
                size=options.size,
                reliable=options.reliable,
                counted=True,
                connect_timeout_s=options.connect_timeout_s,
                old_peers=options.old_peers,
                ca_file=options.ca_file,
            )
            workers = options.workers or workers_for(scenario.peak(), scenario.deliveries_per_s(options.hz))
            async with Crew(share_out(job, workers), directory, where.prefix) as crew:
                with display(console) as screen:
                    cost = await _Conduct(scenario, crew, cluster, screen, still_s=options.still_s).perform(
                        options.connect_timeout_s
                    )
                results = await crew.results()
    return _report(options, scenario, results, cost)


def _check(scenario: Scenario, options: RunOptions) -> None:
    """Raises :class:`ConfigError` for options that do not suit the scenario."""
    if options.old_peers and not scenario.listens_to_one_topic():
        raise ConfigError(
            f"--old-peers: not with {scenario.name}: its clients listen to several topics each, and in Part 1 of the wire a packet "
            "does not say which of them it belongs to, so nobody could tell whether it was one of those expected"
        )
    if scenario.says_positions() and options.size < MIN_POSITION_BODY_BYTES:
        raise ConfigError(f"--size {options.size}: packets of {scenario.name} take at least {MIN_POSITION_BODY_BYTES} bytes")


@asynccontextmanager
async def _cluster(
    options: RunOptions, where: Place, directory: Path, console: Console
) -> AsyncIterator[tuple[str, Credentials, Cluster | None]]:
    if options.url is not None:
        yield options.url, options.credentials, None
        return
    console.print(f"starting a coordinator and {options.spawn} comm server{'s' * (options.spawn != 1)}")
    async with Cluster(
        options.spawn, directory, host=where.host, hubs=options.hubs, server_options=options.server_options
    ) as cluster:
        yield cluster.url, Credentials(secret=cluster.secret), cluster


class _Conduct:
    """The phases of a run."""

    def __init__(self, scenario: Scenario, crew: Crew, cluster: Cluster | None, screen: Display, *, still_s: float) -> None:
        self._scenario = scenario
        self._crew = crew
        self._cluster = cluster
        self._meter = ServerMeter([server.pid for server in cluster.servers]) if cluster else None
        self._screen = screen
        self._still_s = still_s
        self._pace = Pace()
        self._was_anyone_in = False

    async def perform(self, connect_timeout_s: float) -> ServerCost | None:
        """From the first connection until nothing more arrives. Raises :class:`SimulationError`, :class:`ChildError`."""
        await self._connecting(connect_timeout_s)
        publish_at = time.monotonic() + START_DELAY_S
        measure_at = publish_at + self._scenario.warmup_s
        end_at = measure_at + self._scenario.seconds
        self._crew.start(Start(publish_at, measure_at, end_at))
        await self._running(measure_at, -START_DELAY_S - self._scenario.warmup_s, 0.0)
        if self._meter:
            self._meter.begin()
        await self._running(measure_at, 0.0, self._scenario.seconds)
        cost = self._meter.end() if self._meter else None
        await self._draining()
        return cost

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
                self._meter.sample_memory()
            await asyncio.sleep(min(POLL_S, end - now))
        self._screen.show(phase, end - start, end - start, self._pace.line())

    async def _draining(self) -> None:
        """Until nothing more has come for a while."""
        began = last_change = time.monotonic()
        received = self._look().received
        while time.monotonic() - last_change < self._still_s and time.monotonic() - began < DRAIN_MAX_S:
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


def _report(options: RunOptions, scenario: Scenario, results: list[Result], cost: ServerCost | None) -> Report:
    counts, latency, connect = Counts(), Timeline(), Histogram()
    for result in results:
        counts.add(result.counts)
        latency.merge(result.latency)
        connect.merge(result.connect)
    return Report(
        scenario=scenario.name,
        seconds=scenario.seconds,
        counts=counts,
        latency=latency,
        connect=connect,
        presence=[span for result in results for span in result.presence],
        cost=cost,
        max_loss=options.allowed_loss,
        impairment=str(options.impairment or ""),
        generator_lag_s=max(result.lag_s for result in results),
    )
