"""Which backplane a coordinator has, by its settings."""

from __future__ import annotations

import hashlib
import hmac

from coordinator.core.backplane_url import MEMORY
from coordinator.io.backplane import Backplane, MemoryBackplane
from coordinator.settings import CoordinatorSettings
from service.keys import read_file

FINGERPRINT_CHARS = 16


def backplane_of(settings: CoordinatorSettings, resume_key: bytes) -> Backplane:
    """Made, not started. Raises :class:`protocol.errors.ConfigError` for a file that is of no use."""
    url = settings.backplane.get_secret_value()
    if url == MEMORY:
        return MemoryBackplane()
    # Not before it is needed: most coordinators are alone, and this takes a good part of their start.
    from coordinator.io.redis.address import Address
    from coordinator.io.redis.backplane import RedisBackplane

    password = None
    if settings.backplane_password_file is not None:
        password = read_file(settings.backplane_password_file, "backplane_password_file").strip().decode(errors="surrogateescape")
    address = Address(url, password, settings.backplane_ca_file)
    address.check()
    return RedisBackplane(
        address, prefix=settings.backplane_prefix, lease_s=settings.backplane_lease, fingerprint=fingerprint(resume_key)
    )


def fingerprint(resume_key: bytes) -> str:
    """Tells whether two coordinators have the same key, and nothing of the key."""
    return hmac.new(resume_key, b"rtcbroker fingerprint", hashlib.sha256).hexdigest()[:FINGERPRINT_CHARS]
