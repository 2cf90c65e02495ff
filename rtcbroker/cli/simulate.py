"""`rtcbroker simulate SCENARIO`: one command a scenario, with options of its own beside those that all have."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rtcbroker.cli.errors import told
from rtcbroker.cli.options import GroupedCommand, Options
from rtcbroker.cli.run_options import run_options, shared_options
from rtcbroker.cli.types import DURATION, POSITIVE
from service import logs
from service.run import run

_option = Options("simulate")
_LOAD = "Load"

_clients = _option(_LOAD, "--clients", type=click.IntRange(2, 10_000), default=45, help="How many clients.")
_seconds = _option(_LOAD, "--seconds", type=POSITIVE, default=10.0, metavar="NUMBER", help="Measured time in seconds.")
_warmup = _option(_LOAD, "--warmup", type=DURATION, default="1s", help="Time for which clients publish before it is measured.")


@click.group()
def simulate() -> None:
    """Load a cluster with real clients over real WebRTC, and count every delivery at its receiver.

    Exit code 0: all well; 1: loss over --max-loss, an outage over --max-outage, a duplicate, a misroute, or clients that could not
    connect; 2: a wrong option.

    \b
    Examples:
      rtcbroker simulate dense --spawn 1 --clients 45 --hz 10 --seconds 10
      rtcbroker simulate groups --spawn 2 --clients 100 --groups 10 --json result.json --plot result.png
      rtcbroker simulate churn --url ws://localhost:9090 --token "$TOKEN" --arrivals 5 --stay 20s
      rtcbroker simulate replay people.csv --spawn 2 --hz 10 --cell 4
      rtcbroker simulate groups --spawn 2 --clients 20 --groups 5 --reliable --impair loss=2%,delay=80ms
      rtcbroker simulate groups --spawn 3 --coordinators 2 --clients 50 --reliable --kill server/2@4 --max-outage 3s
    """


@simulate.command(cls=GroupedCommand)
@_clients
@_seconds
@_warmup
@shared_options
def dense(clients: int, seconds: float, warmup: float, **shared: Any) -> None:
    """Everyone in one topic: each packet goes to all others.

    \b
    Example:
      rtcbroker simulate dense --spawn 1 --clients 45 --hz 10 --seconds 10
    """
    from simulation.core import scenarios

    _simulate("dense", lambda prefix: scenarios.dense(clients, seconds, warmup, prefix), shared)


@simulate.command(cls=GroupedCommand)
@_clients
@_option(_LOAD, "--groups", type=click.IntRange(1, 10_000), default=5, help="How many topics.")
@_seconds
@_warmup
@shared_options
def groups(clients: int, groups: int, seconds: float, warmup: float, **shared: Any) -> None:
    """Clients spread evenly over topics: each packet goes to the others of its topic.

    \b
    Example:
      rtcbroker simulate groups --spawn 2 --clients 100 --groups 10
    """
    from simulation.core import scenarios

    _simulate("groups", lambda prefix: scenarios.groups(clients, groups, seconds, warmup, prefix), shared)


@simulate.command(cls=GroupedCommand)
@_option(_LOAD, "--arrivals", type=POSITIVE, default=2.0, metavar="NUMBER", help="Clients that come per second, on average.")
@_option(_LOAD, "--stay", type=DURATION, default="10s", help="How long a client stays, on average.")
@_option(_LOAD, "--groups", type=click.IntRange(1, 10_000), default=1, help="How many topics they are spread over.")
@_seconds
@_option(
    _LOAD,
    "--seed",
    type=int,
    default=1,
    metavar="INTEGER",
    help="Of the random times: the same seed, the same comings and goings.",
)
@shared_options
def churn(arrivals: float, stay: float, groups: int, seconds: float, seed: int, **shared: Any) -> None:
    """Clients come and go at random. As many as are there on average are there at the start.

    \b
    Example:
      rtcbroker simulate churn --spawn 2 --arrivals 5 --stay 10s --seconds 30
    """
    from simulation.core import scenarios

    rng = random.Random(seed)
    _simulate("churn", lambda prefix: scenarios.churn(arrivals, stay, groups, seconds, prefix, rng), shared)


@simulate.command(cls=GroupedCommand)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@_option(_LOAD, "--cell", type=POSITIVE, default=4.0, metavar="NUMBER", help="Side of a grid cell in metres.")
@_option(_LOAD, "--speed", type=POSITIVE, default=1.0, metavar="NUMBER", help="Seconds of the recording played in one second.")
@shared_options
def replay(file: Path | None, cell: float, speed: float, **shared: Any) -> None:
    """Recorded movements: each person is a client that joins when it first appears, publishes its position to the topic of its grid
    cell, is subscribed to the nine cells around it, and leaves when it disappears.

    FILE is a CSV with the columns t_s,person,x_m,y_m: seconds, any name, metres. Without it a small recording of 36 people who
    never were, which comes with the project, is played.

    \b
    Example:
      rtcbroker simulate replay people.csv --spawn 2 --hz 10 --speed 2 --cell 4
    """
    from simulation.core import scenarios
    from simulation.io.files import PLAZA, read_trace

    with told("simulate"):
        trace = read_trace(file or PLAZA)
    _simulate("replay", lambda prefix: scenarios.replay(trace, cell, speed, prefix), shared)


def _simulate(name: str, scenario: Callable[[str], Any], shared: dict[str, Any]) -> None:
    from rich.console import Console

    from simulation.app import simulate as perform

    with told(f"simulate {name}"):
        options = run_options(scenario, **shared)
    logs.configure("info" if shared["verbose"] else "error")
    sys.exit(run(lambda: perform(options, Console(), Console(stderr=True)), f"rtcbroker simulate {name}"))
