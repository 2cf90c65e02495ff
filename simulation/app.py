"""One run of a scenario: a cluster if one is wanted, workers, the measured time, the verdict."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import SystemRandom

from rich.console import Console

from protocol.errors import ConfigError
from simulation.core.cutoffs import count_kept, find_cutoffs
from simulation.core.disruption import Disruption
from simulation.core.kills import check_times
from simulation.core.latency import Histogram, Timeline
from simulation.core.messages import Credentials, Job, Judge, Result
from simulation.core.options import RunOptions
from simulation.core.outages import absences, find_outages
from simulation.core.payload import MIN_POSITION_BODY_BYTES
from simulation.core.report import Counts, Report, ServerCost
from simulation.core.scenarios import Scenario
from simulation.core.service import ServiceLog
from simulation.io.children import ChildError
from simulation.io.conduct import Conduct, SimulationError
from simulation.io.crew import Crew, share_out, workers_for
from simulation.io.files import check_writable, write_json
from simulation.io.impaired import Place, check_possible, place
from simulation.io.interrupt import Interrupted, interruptible
from simulation.io.live import display, report_table
from simulation.io.netns import NetnsError
from simulation.io.plot import check_available, write_plot
from simulation.io.spawn import Cluster

log = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


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
                    conduct = Conduct(scenario, crew, cluster, screen, options)
                    cost = await conduct.perform()
                return await _judged(options, scenario, crew, conduct, cost)


def _check(scenario: Scenario, options: RunOptions) -> None:
    """Raises :class:`ConfigError` for options that do not suit the scenario."""
    if options.old_peers and not scenario.listens_to_one_topic():
        raise ConfigError(
            f"--old-peers: not with {scenario.name}: its clients listen to several topics each, and in Part 1 of the wire a packet "
            "does not say which of them it belongs to, so nobody could tell whether it was one of those expected"
        )
    check_times(options.kills, scenario.seconds)
    if scenario.says_positions() and options.size < MIN_POSITION_BODY_BYTES:
        raise ConfigError(f"--size {options.size}: packets of {scenario.name} take at least {MIN_POSITION_BODY_BYTES} bytes")


@asynccontextmanager
async def _cluster(
    options: RunOptions, where: Place, directory: Path, console: Console
) -> AsyncIterator[tuple[str, Credentials, Cluster | None]]:
    if options.url is not None:
        yield options.url, options.credentials, None
        return
    several = options.coordinators > 1
    coordinators = f"{options.coordinators} coordinators on Redis" if several else "a coordinator"
    console.print(f"starting {coordinators} and {options.spawn} comm server{'s' * (options.spawn != 1)}")
    async with Cluster(
        options.spawn,
        directory,
        host=where.host,
        hubs=options.hubs,
        server_options=options.server_options,
        coordinators=options.coordinators,
    ) as cluster:
        yield cluster.url, Credentials(secret=cluster.secret), cluster


async def _judged(options: RunOptions, scenario: Scenario, crew: Crew, conduct: Conduct, cost: ServerCost | None) -> Report:
    """Everyone's books, laid side by side. Raises :class:`ChildError`."""
    sends = await crew.collect()
    disruption = _disruption(options, conduct, sends.services)
    results = await crew.judge(Judge(sends.logs, absences(disruption.outages)))
    return _report(options, scenario, results, cost, disruption)


def _disruption(options: RunOptions, conduct: Conduct, services: Mapping[int, ServiceLog]) -> Disruption:
    killer, start = conduct.killer, conduct.start
    outages = find_outages(services, killer.deaths if killer else ())
    out = {outage.client for outage in outages}
    return Disruption(
        measure_at=start.measure_at,
        deaths=killer.deaths if killer else (),
        revived={revival.process: revival.at for revival in killer.revivals} if killer else {},
        names=killer.names if killer else {},
        hosts=killer.hosts if killer else {},
        outages=outages,
        cutoffs=find_cutoffs(services, killer.deaths if killer else ()),
        kept=count_kept(services, killer.deaths if killer else ()),
        silence_s=max((service.silence(start.end_at) for client, service in services.items() if client not in out), default=None),
        max_outage_s=options.max_outage_s,
    )


def _report(
    options: RunOptions, scenario: Scenario, results: list[Result], cost: ServerCost | None, disruption: Disruption
) -> Report:
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
        disruption=disruption,
        generator_lag_s=max(result.lag_s for result in results),
    )
