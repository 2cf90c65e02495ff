"""`python -m commserver` with wrong settings."""

from __future__ import annotations

import pytest

from commserver.app import main
from commserver.settings import CommServerSettings
from service.entry import start
from service.run import EXIT_CONFIG


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    assert start(CommServerSettings, main) == EXIT_CONFIG == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, "one clear line"
    assert "Traceback" not in err
    return err


def test_a_wrong_option_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCBROKER_MAX_PEERS", "many")
    assert "RTCBROKER_MAX_PEERS" in refused(capsys)
