"""A secret or key as the command line gives it: by value, or in a file."""

from __future__ import annotations

from pathlib import Path

from protocol.errors import ConfigError
from protocol.keys import Key, private_key, secret_key


def read_text(path: Path, option: str) -> str:
    """The content of a file that `option` names, without white space around it. Raises :class:`ConfigError`."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigError(f"{option} {path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{option} {path}: is no text") from error


def read_secret(secret: str | None, secret_file: Path | None) -> str | None:
    """The shared secret, from either of ``--secret`` and ``--secret-file``. Raises :class:`ConfigError` also when it is too short."""
    if secret is not None and secret_file is not None:
        raise ConfigError("--secret and --secret-file: give one of them, not both")
    if secret_file is not None:
        secret = read_text(secret_file, "--secret-file")
    if secret is not None:
        try:
            secret_key(secret)
        except ConfigError as error:
            raise ConfigError(f"{'--secret-file' if secret_file else '--secret'}: {error}") from error
    return secret


def signing_key(secret: str | None, secret_file: Path | None, key_file: Path | None) -> Key:
    """The one key given. Raises :class:`ConfigError` when there is none, or more."""
    if key_file is not None and (secret is not None or secret_file is not None):
        raise ConfigError("--key-file and --secret or --secret-file: give one of them, not both")
    if key_file is not None:
        return private_key(read_text(key_file, "--key-file").encode(), name=f"--key-file {key_file}")
    found = read_secret(secret, secret_file)
    if found is None:
        raise ConfigError(
            "a key to sign with is missing: give --secret, --secret-file or --key-file (or set RTCBROKER_AUTH_SECRET)"
        )
    return secret_key(found)
