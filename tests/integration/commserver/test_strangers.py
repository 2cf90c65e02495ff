"""Whoever finds the port of a comm server's pages and speaks no HTTP writes no errors into its log."""

from __future__ import annotations

import pytest

from tests.integration.commserver.conftest import Start
from tests.support.strangers import NO_HTTP, assert_quiet


async def test_what_is_no_http_is_no_error_of_ours(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = await start()
    for data in NO_HTTP.values():
        await assert_quiet(server.port, data, caplog)
