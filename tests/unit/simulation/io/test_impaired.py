"""Whether the load can be impaired here is known before anything is started."""

from __future__ import annotations

import shutil

import pytest

from protocol.errors import ConfigError
from simulation.core.impairment import Impairment
from simulation.io import impaired

BAD = Impairment(loss=0.02)


@pytest.fixture(autouse=True)
def possible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impaired, "missing", lambda: None)
    monkeypatch.setattr(impaired, "_is_here", lambda address: address.startswith("10."))


def test_what_is_not_asked_for_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impaired, "missing", lambda: "everything")
    impaired.check_possible(None, None)
    with impaired.place(None, None) as where:
        assert (where.host, where.prefix) == ("127.0.0.1", ())


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impaired, "missing", lambda: "root: only root may make network namespaces")
    with pytest.raises(ConfigError, match="--impair: this machine lacks root"):
        impaired.check_possible(BAD, None)


@pytest.mark.parametrize("url", ["ws://127.0.0.1:9090", "ws://localhost:9090", "ws://10.0.0.1:9090,ws://127.0.0.2:9090"])
def test_the_loopback_is_not_to_be_reached(url: str) -> None:
    with pytest.raises(ConfigError, match=r"does not reach a cluster at 127\.0\.0\.\d: let it listen"):
        impaired.check_possible(BAD, url)


def test_another_machine_takes_nft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda command: None)
    impaired.check_possible(BAD, "ws://10.0.0.1:9090")
    with pytest.raises(ConfigError, match="lacks nft"):
        impaired.check_possible(BAD, "ws://192.0.2.1:9090")


def test_a_name_nobody_knows() -> None:
    with pytest.raises(ConfigError, match=r"no-such-host\.invalid has no IPv4 address that is known here"):
        impaired.check_possible(BAD, "wss://no-such-host.invalid")
