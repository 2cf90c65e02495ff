"""What strangers send to an HTTP port is no fault of ours: one line at debug level, where aiohttp logs an error with a traceback."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

log = logging.getLogger(__name__)

THEIRS = (HttpProcessingError, web.RequestPayloadError)
"""A request line, a header, a chunk or a compressed body that cannot be read."""

MAX_CHARS = 200
"""Of what is logged of it: the parser quotes what it was sent."""


class StrangersFilter(logging.Filter):
    """Passes on what is our own fault, and tells the rest in its own way."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line of aiohttp's is logged as it is."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, THEIRS):
            return True
        what = " ".join(f"{type(error).__name__} {error}".split())[:MAX_CHARS]
        log.debug("no HTTP that can be read (%s): %s", record.getMessage(), what)
        return False


_FILTER = StrangersFilter()


def expect_strangers() -> None:
    """Judge what aiohttp's server logs from now on. Idempotent."""
    logging.getLogger("aiohttp.server").addFilter(_FILTER)
