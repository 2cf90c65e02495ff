"""The options that every scenario of `rtcbroker simulate` has, and the run they describe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from protocol.errors import ConfigError, TopicError
from protocol.topics import check_topic
from rtcbroker.cli.keys import read_secret, read_text
from rtcbroker.cli.options import Options, config_option
from rtcbroker.cli.types import DURATION, POSITIVE, SHARE, WORKERS
from service.tls import client_context

F = TypeVar("F", bound=Callable[..., Any])

_option = Options("simulate")
_LOAD, _CLUSTER, _RESULT, _OTHER = "Load", "Cluster: one of --spawn and --url", "Result", "Other"
_TROUBLE = "Trouble"
_FILE = click.Path(path_type=Path, dir_okay=False)

MIN_SIZE, MAX_SIZE = 24, 60_000
"""Bytes of a body: it must hold what the receiver counts by (and 8 more for a position), and fit one message."""


def _scenarios() -> list[click.Command]:
    from rtcbroker.cli.simulate import simulate  # late: it imports this module

    return list(simulate.commands.values())


_SHARED = (
    _option(_LOAD, "--hz", type=POSITIVE, default=10.0, metavar="NUMBER", help="Packets a client publishes per second."),
    _option(_LOAD, "--size", type=click.IntRange(MIN_SIZE, MAX_SIZE), default=64, help="Bytes of a packet's body."),
    _option(_LOAD, "--reliable/--unreliable", default=False, help="Channel that packets are published on."),
    _option(
        _LOAD,
        "--old-peers",
        is_flag=True,
        help="Clients speak Part 1 of the wire only, as those of webrtc-broker: a message a packet, nothing acknowledged.",
    ),
    _option(
        _LOAD,
        "--workers",
        type=WORKERS,
        default="auto",
        metavar="N",
        help="Load processes; 'auto': as many as it takes, one a processor at most.",
    ),
    _option(
        _CLUSTER,
        "--spawn",
        type=click.IntRange(1, 64),
        metavar="N",
        help="Start a coordinator and N comm servers as processes on free ports, and stop them afterwards.",
    ),
    _option(
        _CLUSTER,
        "--coordinators",
        type=click.IntRange(1, 8),
        default=1,
        help="With --spawn: how many coordinators; several meet on a Redis, which is started for them and has to be installed.",
    ),
    _option(
        _CLUSTER,
        "--hubs",
        type=click.IntRange(0, 64),
        default=0,
        help="With --spawn: so many of the N comm servers are hubs, and the others link to those alone.",
    ),
    _option(
        _CLUSTER,
        "--server-option",
        "server_options",
        multiple=True,
        metavar="NAME=VALUE",
        help="With --spawn: an option of the comm servers, such as coalesce_window=0; may be given several times.",
    ),
    _option(_CLUSTER, "--url", metavar="URL", help="Coordinator of a cluster that runs already, such as ws://localhost:9090."),
    _option(
        _CLUSTER,
        "--ca-file",
        type=_FILE,
        metavar="FILE",
        help="With --url: PEM file with the authorities, or the self-signed certificate, that a coordinator at wss:// is trusted by.",
    ),
    _option(_CLUSTER, "--token", metavar="TEXT", help="With --url: a token that all clients show."),
    _option(_CLUSTER, "--token-file", type=_FILE, metavar="FILE", help="With --url: file with that token."),
    _option(
        _CLUSTER,
        "--secret",
        "--auth-secret",
        "auth_secret",
        shared_env="RTCBROKER_AUTH_SECRET",
        metavar="TEXT",
        help="With --url: the cluster's shared secret; each client gets a token of its own.",
    ),
    _option(
        _CLUSTER,
        "--secret-file",
        "--auth-secret-file",
        "auth_secret_file",
        shared_env="RTCBROKER_AUTH_SECRET_FILE",
        type=_FILE,
        metavar="FILE",
        help="With --url: file with that secret.",
    ),
    _option(_CLUSTER, "--prefix", default="sim", metavar="TOPIC", help="What all topics begin with."),
    _option(_CLUSTER, "--connect-timeout", type=DURATION, default="15s", help="For one client to be connected."),
    _option(
        _TROUBLE,
        "--kill",
        "kills",
        multiple=True,
        metavar="PROCESS@DURATION",
        help="With --spawn: kill a process of the cluster (SIGKILL) so long after the measured time began: coordinator/1@4, redis@500ms, "
        "server/2@4; may be given several times. What its clients miss meanwhile is counted apart, and --max-loss is for the others.",
    ),
    _option(
        _TROUBLE,
        "--revive",
        type=DURATION,
        metavar="DURATION",
        help="With --kill: start what was killed again after so long. Without it: never.",
    ),
    _option(
        _TROUBLE,
        "--impair",
        metavar="WHAT",
        help="A bad network between clients and cluster, each way: loss=2%,delay=80ms,jitter=10ms,rate=2mbit, any of them. A packet from "
        "client to client goes two ways. Needs Linux, root and iproute2; clients run in a network namespace.",
    ),
    _option(_RESULT, "--json", type=_FILE, metavar="FILE", help="Write the figures there."),
    _option(_RESULT, "--plot", type=_FILE, metavar="FILE", help="Draw latency over time and its distribution there (PNG)."),
    _option(
        _RESULT,
        "--max-loss",
        type=SHARE,
        default="0.1%",
        metavar="SHARE",
        help="Loss above which the run has failed: 0.001 or 0.1%. What --impair takes of unreliable packets is not counted against it.",
    ),
    _option(
        _RESULT,
        "--max-outage",
        "max_outage_s",
        type=DURATION,
        metavar="DURATION",
        help="Outage of a client above which the run has failed, or if it is not over at the end. Without it: any will do.",
    ),
    _option(_OTHER, "--verbose", is_flag=True, help="Log what the clients do, too."),
    config_option("simulate", _scenarios),
)


def shared_options(command: F) -> F:
    """Put the options that every scenario has below those of its own."""
    for decorate in reversed(_SHARED):
        command = decorate(command)
    return command


def run_options(
    scenario: Callable[[str], Any],
    *,
    spawn: int | None,
    hubs: int,
    coordinators: int,
    url: str | None,
    ca_file: Path | None,
    token: str | None,
    token_file: Path | None,
    auth_secret: str | None,
    auth_secret_file: Path | None,
    server_options: tuple[str, ...],
    prefix: str,
    connect_timeout: float,
    kills: tuple[str, ...],
    revive: float | None,
    impair: str | None,
    verbose: bool,
    **same: Any,
) -> Any:
    """The :class:`simulation.core.options.RunOptions` that these options describe; `scenario` makes a
    :class:`simulation.core.scenarios.Scenario`; `same` are options that it has under the same names.

    The types stay unnamed: the simulation is imported when it is run, not before. Raises :class:`ConfigError` where options do not agree.
    """
    from simulation.core.impairment import parse_impairment
    from simulation.core.kills import parse_kills, processes_of
    from simulation.core.options import RunOptions
    from simulation.server_options import server_arguments

    _check_target(spawn, hubs, url, server_options, ca_file)
    _check_trouble(spawn, coordinators, kills, revive)
    _check_prefix(prefix)
    return RunOptions(
        scenario=scenario,
        url=url,
        spawn=spawn or 0,
        hubs=hubs,
        coordinators=coordinators,
        credentials=_credentials(url, token, token_file, auth_secret, auth_secret_file),
        ca_file=ca_file,
        server_options=server_arguments(server_options),
        prefix=prefix,
        connect_timeout_s=connect_timeout,
        kills=parse_kills(kills, processes_of(coordinators, spawn or 0)),
        revive_s=revive,
        impairment=None if impair is None else parse_impairment(impair),
        **same,
    )


def _credentials(
    url: str | None, token: str | None, token_file: Path | None, auth_secret: str | None, auth_secret_file: Path | None
) -> Any:
    from simulation.core.messages import Credentials

    shown = _one_token(url, token, token_file)
    # A token is more particular than a secret, so it counts; the secret may stand in the environment for other commands.
    secret = read_secret(auth_secret, auth_secret_file) if url is not None and shown is None else None
    return Credentials(shown, secret)


def _check_prefix(prefix: str) -> None:
    try:
        check_topic(prefix)
    except TopicError as error:
        raise ConfigError(f"--prefix {prefix!r}: {error.why}") from error


def _check_target(spawn: int | None, hubs: int, url: str | None, server_options: tuple[str, ...], ca_file: Path | None) -> None:
    if hubs > (spawn or 0):
        raise ConfigError(f"--hubs {hubs}: only with --spawn, and at most as many as that starts")
    if (spawn is None) == (url is None):
        raise ConfigError(
            "--spawn, --url: give one of them: how many comm servers to start, or the coordinator of a running cluster"
        )
    if url is not None and not url.startswith(("ws://", "wss://", "http://", "https://")):
        raise ConfigError(f"--url {url!r}: is no URL of a coordinator, such as ws://localhost:9090")
    if url is not None and server_options:
        raise ConfigError("--server-option: only with --spawn; the servers of a running cluster have their options")
    if url is None and ca_file is not None:
        raise ConfigError("--ca-file: only with --url; a cluster of --spawn is dialed without TLS")
    client_context(ca_file)  # each worker will make one; what is wrong with the file is told before any is started


def _check_trouble(spawn: int | None, coordinators: int, kills: tuple[str, ...], revive: float | None) -> None:
    if spawn is None and coordinators > 1:
        raise ConfigError(f"--coordinators {coordinators}: only with --spawn; those of a running cluster are named by --url")
    if spawn is None and kills:
        raise ConfigError("--kill: only with --spawn; the processes of a running cluster are left alone")
    if revive is not None and not kills:
        raise ConfigError("--revive: only with --kill")


def _one_token(url: str | None, token: str | None, token_file: Path | None) -> str | None:
    if token is not None and token_file is not None:
        raise ConfigError("--token and --token-file: give one of them, not both")
    if url is None and (token is not None or token_file is not None):
        raise ConfigError("--token, --token-file: only with --url; a cluster of --spawn makes its own secret")
    return read_text(token_file, "--token-file") if token_file is not None else token
