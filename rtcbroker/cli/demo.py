"""`rtcbroker demo`: see it work."""

from __future__ import annotations

import sys

import click

from rtcbroker.cli.options import GroupedCommand, Options, config_option
from rtcbroker.cli.types import DURATION
from service import logs
from service.run import run

_option = Options("demo")


@click.command(cls=GroupedCommand)
@_option(
    "Options", "--duration", type=DURATION, metavar="DURATION", help="End after so long: 20, 20s, 5m. Without it: at Ctrl-C."
)
@_option("Options", "--bots", type=click.IntRange(2, 500), default=30, help="How many bots wander.")
@_option("Options", "--servers", type=click.IntRange(1, 16), default=2, help="How many comm servers.")
@_option(
    "Options",
    "--coordinators",
    type=click.IntRange(1, 8),
    default=1,
    help="How many coordinators; several meet on a Redis, which is started for them and has to be installed.",
)
@_option(
    "Options",
    "--port",
    type=click.IntRange(0, 65535),
    help="TCP port of the (first) coordinator; 0 takes a free one. Without it: 9090, or a free one where that is taken.",
)
@config_option("demo")
def demo(duration: float | None, bots: int, servers: int, coordinators: int, port: int | None) -> None:
    """Start a cluster on this machine - a coordinator and comm servers, with a secret of its own - and let bots walk in a small world.

    The world is cut into cells of 4 metres, a topic each. A bot publishes its position to its cell's topic twenty times a second, is
    subscribed to the nine cells around it, and changes its subscriptions as it walks. (In a crowd only some of them listen: what all
    would hear grows with the square of their number.) A few of them talk.

    It prints a link to the dashboard and one to the world, where you walk among them; each carries a token that is good for a day. A
    table shows each server's clients, topics, packets and latency. It ends, with everything it started, by Ctrl-C or after --duration.

    \b
    Example:
      rtcbroker demo --duration 20 --bots 50
    """
    from rich.console import Console

    from simulation.demo import DemoOptions
    from simulation.demo import demo as perform

    logs.configure("error")
    console = Console()
    sys.exit(run(lambda: perform(DemoOptions(duration, bots, servers, port, coordinators), console), "rtcbroker demo"))
