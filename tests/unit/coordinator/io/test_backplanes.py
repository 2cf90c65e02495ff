"""Which backplane a coordinator has."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.io.backplane import MemoryBackplane
from coordinator.io.backplanes import backplane_of, fingerprint
from coordinator.io.redis.backplane import RedisBackplane
from coordinator.settings import CoordinatorSettings
from protocol.errors import ConfigError
from service.settings import load


def test_memory_unless_a_redis_is_named() -> None:
    assert isinstance(backplane_of(CoordinatorSettings(), b""), MemoryBackplane)
    made = backplane_of(load(CoordinatorSettings, {"backplane": "redis://:hush@localhost"}), b"")
    assert isinstance(made, RedisBackplane)
    assert made.degraded() is not None
    assert "hush" not in str(made.degraded())


def test_a_password_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hush\n")
    made = backplane_of(load(CoordinatorSettings, {"backplane": "redis://localhost", "backplane_password_file": file}), b"")
    assert isinstance(made, RedisBackplane)
    assert made._address.password == "hush"
    assert "hush" not in repr(made._address)
    with pytest.raises(ConfigError, match="--backplane-password-file"):
        backplane_of(
            load(CoordinatorSettings, {"backplane": "redis://localhost", "backplane_password_file": tmp_path / "none"}), b""
        )


def test_authorities_are_for_tls(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    for url in ("redis://localhost", "rediss://localhost"):
        with pytest.raises(ConfigError, match="--backplane-ca-file"):
            backplane_of(load(CoordinatorSettings, {"backplane": url, "backplane_ca_file": file}), b"")


def test_a_url_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError, match="--backplane: ") as raised:
        load(CoordinatorSettings, {"backplane": "redis://:hush@host:port"})
    assert "hush" not in str(raised.value)


def test_a_fingerprint_tells_keys_apart_and_nothing_of_them() -> None:
    assert fingerprint(b"a key") == fingerprint(b"a key") != fingerprint(b"another")
    assert len(fingerprint(b"a key")) == 16
