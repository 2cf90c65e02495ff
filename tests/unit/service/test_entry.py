"""``python -m <service>``."""

from __future__ import annotations

from typing import ClassVar

import pytest

from service import entry, logs
from service.run import EXIT_CONFIG
from service.settings import ServiceSettings


class Example(ServiceSettings):
    command: ClassVar[str] = "commserver"

    port: int = 1


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """How logging was set up; it is left alone."""
    calls: list[tuple[str, str]] = []
    monkeypatch.setattr(logs, "configure", lambda level, format: calls.append((level, format)))
    return calls


def test_it_serves_with_settings_from_the_environment(
    configured: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RTCBROKER_PORT", "5")
    monkeypatch.setenv("RTCBROKER_PROT", "6")
    monkeypatch.setenv("RTCBROKER_LOG_FORMAT", "json")

    def main(settings: Example) -> int:
        return settings.port

    assert entry.start(Example, main) == 5
    assert configured == [("info", "json")]
    assert "RTCBROKER_PROT: no option of 'commserver'" in caplog.text


def test_a_wrong_setting_ends_it(
    configured: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RTCBROKER_PORT", "x")

    def main(settings: Example) -> int:
        raise AssertionError("not reached")

    assert entry.start(Example, main) == EXIT_CONFIG
    assert capsys.readouterr().err.startswith("RTCBROKER_PORT: 'x': ")
    assert configured == []
