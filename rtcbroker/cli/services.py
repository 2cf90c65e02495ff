"""`rtcbroker coordinator` and `rtcbroker commserver`: options made from their settings, the services imported late."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from rtcbroker.cli.errors import told
from rtcbroker.cli.options import GroupedCommand, GroupedOption, settings_options
from service import logs
from service.settings import CONFIG_ENV, ServiceSettings, load, unknown_variables

S = TypeVar("S", bound=ServiceSettings)


def service_command(settings_class: type[S], main: Callable[[S], int], text: str) -> click.Command:
    """A command that runs `main` with settings of that model; `text` is its help."""

    def callback(config: Path | None, **given: Any) -> None:
        with told(settings_class.command):
            settings = load(settings_class, given, config)
        logs.configure(settings.log_level, settings.log_format)
        for warning in unknown_variables(settings_class):
            click.echo(f"rtcbroker {settings_class.command}: {warning}", err=True)
        sys.exit(main(settings))

    config = GroupedOption(
        ["--config"],
        heading="Process",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=f"TOML file with options in the tables [{settings_class.command}] and [common].  [env {CONFIG_ENV}]",
    )
    return GroupedCommand(
        settings_class.command, callback=callback, params=[*settings_options(settings_class), config], help=text
    )


def _coordinator() -> click.Command:
    from coordinator.app import main
    from coordinator.settings import CoordinatorSettings

    return service_command(
        CoordinatorSettings,
        main,
        """Run a coordinator: admits clients and comm servers by their tokens, gives each client a server, and relays signalling. It
        is never on the path of packets.

        \b
        Example:
          RTCBROKER_AUTH_SECRET=$(openssl rand -hex 32) rtcbroker coordinator --port 9090
        """,
    )


def _commserver() -> click.Command:
    from commserver.app import main
    from commserver.settings import CommServerSettings

    return service_command(
        CommServerSettings,
        main,
        """Run a communication server: clients and other servers link with it over WebRTC, and it relays their packets by topic. It
        finds the others through the coordinator, and outlives it.

        \b
        Example, with the secret of the coordinator:
          RTCBROKER_AUTH_SECRET=... rtcbroker commserver --coordinator ws://127.0.0.1:9090 --udp-port 5000
        """,
    )


_COMMANDS = {"coordinator": _coordinator, "commserver": _commserver}


def __getattr__(name: str) -> click.Command:
    """`services.coordinator` and `services.commserver`, each importing its own service only."""
    if name not in _COMMANDS:
        raise AttributeError(name)
    return _COMMANDS[name]()
