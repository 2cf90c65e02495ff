"""The secrets of the coordinator's own options, as bytes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from pydantic import SecretStr

from protocol.errors import ConfigError
from protocol.keys import Key
from service.keys import read_file

MIN_TURN_SECRET_BYTES = 16
"""Whoever has credentials made of a shorter secret could find it by trying."""


def turn_secret(secret: SecretStr | None, file: Path | None) -> bytes:
    """What is shared with the TURN servers; empty where nothing is. Raises :class:`ConfigError`."""
    if secret is not None and file is not None:
        raise ConfigError("--ice-turn-secret and --ice-turn-secret-file: give one of them, not both")
    if secret is not None:
        return secret.get_secret_value().encode()
    if file is None:
        return b""
    read = read_file(file, "ice_turn_secret_file").strip()
    if len(read) < MIN_TURN_SECRET_BYTES:
        raise ConfigError(
            f"--ice-turn-secret-file {file}: a secret of {len(read)} bytes, at least {MIN_TURN_SECRET_BYTES} are needed"
        )
    return read


def resume_key(own: SecretStr | None, shared: Key | None) -> bytes:
    """The key of the proofs with which peers get their alias back: of a secret of its own, of the tokens', or random."""
    if own is not None:
        return _derived(own.get_secret_value().encode())
    if shared is not None:
        return _derived(shared.material)
    return secrets.token_bytes(32)


def _derived(secret: bytes) -> bytes:
    """A key for this one purpose: a proof that leaks says nothing of the secret, nor can it be mistaken for a token's signature."""
    return hmac.new(secret, b"rtcbroker resume proof", hashlib.sha256).digest()
