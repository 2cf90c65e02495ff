"""Log set-up: everyone logs with the standard library; structlog renders it, for people or for machines, without secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

_QUIET = ("aiohttp", "aioice", "aiortc", "asyncio")
"""Libraries that log at info what is daily business to us."""

_SECRET = re.compile(r"((?:access_token|token|resume|secret)=)[^\s&\"'<>]+", re.IGNORECASE)
_BEARER = re.compile(r"(Bearer\s+)[\w.~+/=-]+", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*")


def configure(level: str = "info", format: Literal["console", "json"] = "console", stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard error). May be called again; the last call counts."""
    stream = stream or sys.stderr
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True)
        if format == "json"
        else structlog.processors.TimeStamper("%H:%M:%S.%f"),
    ]
    renderer: list[structlog.types.Processor]
    if format == "json":
        renderer = [structlog.processors.format_exc_info, without_secrets, structlog.processors.JSONRenderer(sort_keys=True)]
    else:
        plain = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
        renderer = [structlog.processors.format_exc_info, without_secrets, plain]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    logging.captureWarnings(True)


def without_secrets(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: whatever looks like a token or a secret in any text of the entry is blotted out."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redact(value)
    return event


def redact(text: str) -> str:
    """`text` without tokens: in the query of a URL, after ``Bearer``, or standing alone."""
    text = _SECRET.sub(r"\1***", text)
    return _JWT.sub("***", _BEARER.sub(r"\1***", text))
