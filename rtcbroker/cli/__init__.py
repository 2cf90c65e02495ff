"""The command line ``rtcbroker``: every part of the project by name.

Each command is imported when it is asked for, so that a service loads nothing of the others.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

import click

COMMANDS = {
    "coordinator": ("services", "Run a coordinator: admits peers, gives them a server, relays signalling."),
    "commserver": ("services", "Run a communication server: relays packets between clients and servers."),
    "token": ("token", "Sign a token for a client or server."),
    "drain": ("operate", "Have servers move their clients to others, and end."),
    "publish": ("operate", "Publish a packet to a topic of a running cluster."),
    "dev-cert": ("dev_cert", "Make a certificate of this machine's own, to try TLS out."),
    "simulate": ("simulate", "Load a cluster with real clients and count every delivery."),
    "demo": ("demo", "A cluster on this machine with bots walking in it, and a live table."),
}
"""Name: module of this package that has it as an attribute (`-` is `_` there), and what it does, for the list of commands."""


class LateGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"rtcbroker.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click, but a command that does not exist is answered with those that do."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}; there are {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if not value or ctx.resilient_parsing:
        return
    click.echo(f"rtcbroker {importlib.metadata.version('rtcbroker')}")
    ctx.exit()


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def main() -> None:
    """A WebRTC message broker cluster: topics over data channels.

    A cluster is one coordinator, which peers find each other by, and any number of comm servers, which move the packets:

    \b
      export RTCBROKER_AUTH_SECRET=$(openssl rand -hex 32)
      rtcbroker coordinator
      rtcbroker commserver                (as many as you like, with --port 0)
      rtcbroker token --subject alice --publish '**' --subscribe '**'

    Or see all of it at once: rtcbroker demo. Every command says more with --help.

    Options of a command also come from environment variables and from a TOML file (--config FILE): the command line counts most, then
    the environment, then the file.
    """
