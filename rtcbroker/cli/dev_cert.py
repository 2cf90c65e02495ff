"""`rtcbroker dev-cert`: a certificate to try TLS out with."""

from __future__ import annotations

import contextlib
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import click

from protocol.errors import ConfigError
from rtcbroker.cli.errors import told
from rtcbroker.cli.options import GroupedCommand, Options, config_option
from service.self_signed import names_of, self_signed

_option = Options("dev_cert")

MAX_DAYS = 825
"""Longer than that no certificate is accepted by Apple's systems, private or not."""


@click.command(cls=GroupedCommand)
@_option(
    "Options",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    metavar="DIR",
    help="Where cert.pem and key.pem are written; made where it is missing.",
)
@_option(
    "Options",
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="Host name or IP address that clients dial, beside localhost, 127.0.0.1, ::1 and this machine's own name. May be repeated.",
)
@_option("Options", "--days", type=click.IntRange(1, MAX_DAYS), default=30, help="How long it is valid.")
@_option(
    "Options", "--force", is_flag=True, help="Replace files that are there; a coordinator that runs with them takes the new ones."
)
@config_option("dev_cert")
def dev_cert(out: Path, names: tuple[str, ...], days: int, force: bool) -> None:
    """Write cert.pem and key.pem: a certificate that is signed by nobody but itself, and its private key.

    It is for trying things out: nobody trusts it who was not told to. What is reached by strangers wants a certificate of a public
    authority, such as Let's Encrypt's.

    \b
    Example:
      rtcbroker dev-cert --out tls --name rtc.example.com --name 192.0.2.7
    """
    with told("dev-cert"):
        covered = names_of(names, socket.gethostname())
        pair = self_signed(covered, now=datetime.now(UTC), days=days)
        cert, key = out / "cert.pem", out / "key.pem"
        _write(out, {key: (pair.key, 0o600), cert: (pair.certificate, 0o644)}, force=force)
    click.echo(_told(cert, key, covered, days))


def _write(directory: Path, files: dict[Path, tuple[bytes, int]], *, force: bool) -> None:
    """Each whole or not at all. Raises :class:`ConfigError`, before anything is written where something is in the way."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        there = [path for path in files if os.path.lexists(path)]
        if there and not force:
            listed = " and ".join(str(path) for path in reversed(there))
            raise ConfigError(
                f"--out {directory}: {listed} {'are' if len(there) > 1 else 'is'} there already; --force replaces them"
            )
        for path, (content, mode) in files.items():
            _replace(path, content, mode)
    except OSError as error:
        raise ConfigError(f"--out {directory}: cannot be written to ({error.strerror})") from error


def _replace(path: Path, content: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # With its mode from the first moment: there must be no time at which others can read a key.
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        temporary.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _told(cert: Path, key: Path, names: list[str], days: int) -> str:
    host = next(name for name in names if "*" not in name)  # the loopback's are always there
    address = f"[{host}]:9090" if ":" in host else f"{host}:9090"
    return f"""\
{cert} and {key}: good for {days} day{"s" * (days != 1)}, for {", ".join(names)}

The coordinator serves https and wss with them:
  rtcbroker coordinator --tls-cert {cert} --tls-key {key}
Comm servers and simulations are told to trust the certificate, a Python client likewise:
  rtcbroker commserver --coordinator wss://{address} --ca-file {cert}
  rtcbroker simulate dense --url wss://{address} --ca-file {cert}
  Client("wss://{address}", ssl=ssl.create_default_context(cafile="{cert}"))
A browser has to be told as well: open https://{address} and accept the warning, or import {cert.name} among its certificates.
Keep {key.name} to yourself."""
