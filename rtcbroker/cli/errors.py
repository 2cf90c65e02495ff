"""Errors of the operator as one line and exit code 2, never as a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from protocol.errors import ConfigError
from service.run import EXIT_CONFIG


@contextmanager
def told(command: str) -> Iterator[None]:
    """A :class:`ConfigError` inside is told on standard error, in `command`'s name, and ends the process with code 2."""
    try:
        yield
    except ConfigError as error:
        for line in str(error).splitlines():
            click.echo(f"rtcbroker {command}: {line}", err=True)
        sys.exit(EXIT_CONFIG)
