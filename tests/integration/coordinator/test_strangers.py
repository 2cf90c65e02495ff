"""Whoever finds the port and speaks no HTTP writes no errors into the coordinator's log."""

from __future__ import annotations

import pytest

from tests.integration.coordinator.conftest import Running
from tests.support.strangers import NO_HTTP, assert_quiet, say


@pytest.mark.parametrize("what", NO_HTTP)
async def test_what_is_no_http_is_no_error_of_ours(coordinator: Running, what: str, caplog: pytest.LogCaptureFixture) -> None:
    await assert_quiet(coordinator.port, NO_HTTP[what], caplog)
    assert b" 200 " in await say(coordinator.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
