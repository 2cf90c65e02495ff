"""`rtcbroker token`: sign a token."""

from __future__ import annotations

import time
from pathlib import Path

import click

from protocol.errors import ConfigError, TopicError
from protocol.tokens import DEFAULT_AUDIENCE, TokenRole, sign
from protocol.topics import PatternSet
from rtcbroker.cli.errors import told
from rtcbroker.cli.keys import signing_key
from rtcbroker.cli.options import GroupedCommand, Options, config_option
from rtcbroker.cli.types import DURATION

_option = Options("token")

_FILE = click.Path(path_type=Path)


@click.command(cls=GroupedCommand)
@_option(
    "Token", "--subject", required=True, metavar="NAME", help="Who the bearer is ('sub'). Others see it where packets say it."
)
@_option(
    "Token",
    "--role",
    type=click.Choice([role.value for role in TokenRole], case_sensitive=False),
    default=TokenRole.CLIENT.value,
    help="What the bearer may be.",
)
@_option(
    "Token",
    "--publish",
    multiple=True,
    metavar="PATTERN",
    help="Topics the bearer may publish to: a topic, 'prefix/*' (one more level) or 'prefix/**' (any depth). May be repeated. None: it "
    "may not publish.",
)
@_option("Token", "--subscribe", multiple=True, metavar="PATTERN", help="Topics the bearer may subscribe to; as --publish.")
@_option("Token", "--lifetime", type=DURATION, default="1h", help="How long it is valid: 90s, 15m, 1h, 30d.")
@_option(
    "Token",
    "--audience",
    "--auth-audience",
    "auth_audience",
    default=DEFAULT_AUDIENCE,
    shared_env="RTCBROKER_AUTH_AUDIENCE",
    metavar="TEXT",
    help="Audience ('aud'): what the cluster has as --auth-audience.",
)
@_option(
    "Token",
    "--issuer",
    "--auth-issuer",
    "auth_issuer",
    shared_env="RTCBROKER_AUTH_ISSUER",
    metavar="TEXT",
    help="Issuer ('iss'), where the cluster has --auth-issuer.",
)
@_option(
    "Signing key, one of",
    "--secret",
    "--auth-secret",
    "auth_secret",
    shared_env="RTCBROKER_AUTH_SECRET",
    metavar="TEXT",
    help="Shared secret (HS256), at least 32 bytes. Prefer the variable or the file: a command line can be read by every user.",
)
@_option(
    "Signing key, one of",
    "--secret-file",
    "--auth-secret-file",
    "auth_secret_file",
    shared_env="RTCBROKER_AUTH_SECRET_FILE",
    type=_FILE,
    metavar="FILE",
    help="File with the shared secret.",
)
@_option(
    "Signing key, one of",
    "--key-file",
    type=_FILE,
    metavar="FILE",
    help="PEM file with a private key: RSA (RS256), EC P-256 (ES256) or Ed25519 (EdDSA). The cluster verifies with the public one.",
)
@config_option("token")
def token(
    subject: str,
    role: str,
    publish: tuple[str, ...],
    subscribe: tuple[str, ...],
    lifetime: float,
    auth_audience: str,
    auth_issuer: str | None,
    auth_secret: str | None,
    auth_secret_file: Path | None,
    key_file: Path | None,
) -> None:
    """Sign a token and print it, and nothing else.

    \b
    Examples, with the secret of the cluster in RTCBROKER_AUTH_SECRET:
      rtcbroker token --subject alice --publish 'room/1/*' --subscribe 'room/**' --lifetime 1h
      rtcbroker token --subject server-1 --role COMMUNICATION_SERVER --key-file private.pem --lifetime 30d
    """
    with told("token"):
        _check(publish, "--publish")
        _check(subscribe, "--subscribe")
        if not subject:
            raise ConfigError("--subject: is empty")
        signed = sign(
            signing_key(auth_secret, auth_secret_file, key_file),
            subject=subject,
            role=TokenRole(role.upper()),
            now=time.time(),
            lifetime_s=lifetime,
            publish=publish,
            subscribe=subscribe,
            audience=auth_audience,
            issuer=auth_issuer,
        )
    click.echo(signed)


def _check(patterns: tuple[str, ...], option: str) -> None:
    for pattern in patterns:
        try:
            PatternSet([pattern])
        except TopicError as error:
            raise ConfigError(f"{option} {pattern!r}: {error.why}") from error
