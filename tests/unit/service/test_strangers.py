"""Whose fault a line of aiohttp's is."""

from __future__ import annotations

import logging

import pytest
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, BadStatusLine, LineTooLong

from service.strangers import expect_strangers


@pytest.fixture
def server_log(caplog: pytest.LogCaptureFixture) -> logging.Logger:
    caplog.set_level(logging.DEBUG)
    expect_strangers()
    expect_strangers()
    return logging.getLogger("aiohttp.server")


def fail(logger: logging.Logger, error: Exception) -> None:
    try:
        raise error
    except Exception:
        logger.exception("Error handling request from %s", "192.0.2.1")


@pytest.mark.parametrize(
    "error",
    [
        BadStatusLine("F{}O\n  ^"),
        LineTooLong(b"x" * 100_000, 8190),
        BadHttpMessage("Invalid header:\n\n  b'a'"),
        web.RequestPayloadError("Connection lost"),
    ],
)
def test_theirs_is_one_line_at_debug(server_log: logging.Logger, caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    fail(server_log, error)
    (record,) = caplog.records
    assert (record.name, record.levelno, record.exc_info) == ("service.strangers", logging.DEBUG, None)
    assert "192.0.2.1" in record.getMessage()
    assert "\n" not in record.getMessage()
    assert len(record.getMessage()) < 300


def test_ours_is_an_error_with_its_traceback(server_log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    fail(server_log, RuntimeError("a fault"))
    server_log.error("without one")
    assert [(record.name, record.levelname, bool(record.exc_info)) for record in caplog.records] == [
        ("aiohttp.server", "ERROR", True),
        ("aiohttp.server", "ERROR", False),
    ]
