"""`rtcbroker drain` and `rtcbroker publish`: what an operator asks of a running cluster, by the coordinator's HTTP API."""

from __future__ import annotations

import base64
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from protocol.limits import MAX_DRAIN_S, MAX_PUBLISH_BYTES
from rtcbroker.cli.errors import told
from rtcbroker.cli.operator import Operator, RefusedError
from rtcbroker.cli.options import GroupedCommand, Options, config_option
from rtcbroker.cli.types import DURATION

F = TypeVar("F", bound=Callable[..., Any])

EXIT_REFUSED = 1
POLL_S = 0.5
_FILE = click.Path(path_type=Path)
_drain = Options("drain")
_publish = Options("publish")


def _reaching(option: Options) -> Callable[[F], F]:
    """The options by which a coordinator is reached."""
    made = [
        option(
            "Coordinator",
            "--coordinator",
            default="http://localhost:9090",
            shared_env="RTCBROKER_COORDINATOR",
            metavar="URL",
            help="Any coordinator of the cluster: http, https, ws or wss.",
        ),
        option(
            "Coordinator",
            "--ca-file",
            shared_env="RTCBROKER_CA_FILE",
            type=_FILE,
            metavar="FILE",
            help="PEM file with the authorities, or the self-signed certificate, to trust in place of the system's.",
        ),
        option(
            "Administrator, one of",
            "--token",
            shared_env="RTCBROKER_ADMIN_TOKEN",
            metavar="TOKEN",
            help="A token with role ADMIN. Prefer the variable or the file: a command line can be read by every user.",
        ),
        option("Administrator, one of", "--token-file", type=_FILE, metavar="FILE", help="File with such a token."),
        option(
            "Administrator, one of",
            "--secret",
            "--auth-secret",
            "auth_secret",
            shared_env="RTCBROKER_AUTH_SECRET",
            metavar="TEXT",
            help="The cluster's shared secret, with which a token for this one command is signed.",
        ),
        option(
            "Administrator, one of",
            "--secret-file",
            "--auth-secret-file",
            "auth_secret_file",
            shared_env="RTCBROKER_AUTH_SECRET_FILE",
            type=_FILE,
            metavar="FILE",
            help="File with the shared secret.",
        ),
    ]

    def decorate(function: F) -> F:
        for each in reversed(made):
            function = each(function)
        return function

    return decorate


def _operator(
    coordinator: str,
    ca_file: Path | None,
    token: str | None,
    token_file: Path | None,
    auth_secret: str | None,
    auth_secret_file: Path | None,
) -> Operator:
    return Operator(
        coordinator, token=token, token_file=token_file, secret=auth_secret, secret_file=auth_secret_file, ca_file=ca_file
    )


@contextmanager
def _asking(command: str) -> Iterator[None]:
    """What the coordinator does not do is told in a line, and ends the process with code 1."""
    try:
        with told(command):
            yield
    except RefusedError as error:
        click.echo(f"rtcbroker {command}: {error}", err=True)
        sys.exit(EXIT_REFUSED)


@click.command(cls=GroupedCommand)
@click.argument("servers", nargs=-1, required=True, metavar="SERVER...")
@_drain(
    "Drain",
    "--seconds",
    type=click.FloatRange(0, MAX_DRAIN_S),
    metavar="SECONDS",
    help="How long the clients of a server have to move. Without it: as long as that server was configured with.",
)
@_drain(
    "Drain",
    "--wait",
    type=DURATION,
    metavar="DURATION",
    help="Wait until the servers have left the cluster, at most so long: 90s, 5m. Without it: only ask.",
)
@_reaching(_drain)
@config_option("drain")
def drain(servers: tuple[str, ...], seconds: float | None, wait: float | None, **reaching: Any) -> None:
    """Have servers move their clients to other servers, and end.

    SERVER is the alias of a comm server, as the dashboard and GET /api/v1/servers show it. It takes no new clients from now on; clients
    of ours join another server and are subscribed there before they leave. When all have, or their time is over, the process ends, so
    that whatever supervises it may start it anew.

    \b
    Examples, with the secret of the cluster in RTCBROKER_AUTH_SECRET:
      rtcbroker drain 1234567890123 --seconds 30 --wait 2m
      rtcbroker drain 1234567890123 --coordinator https://broker.example.org --token-file admin.token
    """
    with _asking("drain"):
        operator = _operator(**reaching)
        for server in servers:
            if not server.isascii() or not server.isdigit():
                raise click.UsageError(f"{server!r} is no alias of a server: it is a number, as the dashboard shows it")
        for server in servers:
            operator.post(f"/servers/{server}/drain", {} if seconds is None else {"seconds": seconds})
            click.echo(f"server {server} drains")
        if wait is not None:
            _await_gone(operator, set(servers), time.monotonic() + wait)


def _await_gone(operator: Operator, servers: set[str], deadline: float) -> None:
    """Until none of them is in the cluster any more. Raises :class:`RefusedError` at the deadline."""
    while left := servers & _present(operator):
        if time.monotonic() >= deadline:
            raise RefusedError(f"still there: {', '.join(sorted(left))}")
        time.sleep(POLL_S)
    click.echo(f"gone: {', '.join(sorted(servers))}")


def _present(operator: Operator) -> set[str]:
    found: set[str] = set()
    path = "/servers?limit=1000"
    while True:
        page = operator.get(path)
        found |= {server["alias"] for server in page["servers"]}
        if page["next"] is None:
            return found
        path = f"/servers?limit=1000&after={page['next']}"


@click.command(cls=GroupedCommand)
@click.argument("topic")
@click.argument("text", required=False)
@_publish("Packet", "--unreliable", is_flag=True, help="By the unreliable channel: it may be lost on the way.")
@_publish("Packet", "--identity", is_flag=True, help="Let receivers see the subject of the token.")
@_reaching(_publish)
@config_option("publish")
def publish(topic: str, text: str | None, unreliable: bool, identity: bool, **reaching: Any) -> None:
    """Publish one packet to a topic of a running cluster.

    TEXT is its body; without it, the body is read from standard input, whatever bytes it has (64,512 at most). Everyone who is
    subscribed gets it once; that it was received is not confirmed.

    \b
    Examples, with the secret of the cluster in RTCBROKER_AUTH_SECRET:
      rtcbroker publish news 'maintenance at noon'
      rtcbroker publish pictures/1 --unreliable < frame.jpg
    """
    with _asking("publish"):
        operator = _operator(**reaching)
        body: dict[str, Any] = {"topic": topic, "reliable": not unreliable, "identity": identity}
        if text is not None:
            body["text"] = text
        else:
            body["base64"] = base64.b64encode(sys.stdin.buffer.read(MAX_PUBLISH_BYTES + 1)).decode()
        answer = operator.post("/publish", body)
        click.echo(f"handed to server {answer['server']}")
