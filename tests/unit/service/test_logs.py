"""Logs: for people or for machines, and never with a token in them."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator

import pytest

from service import logs
from tests.support.forge import GOOD, forge

TOKEN = forge(dict(GOOD))
Configure = Callable[..., io.StringIO]


@pytest.fixture
def configure() -> Iterator[Configure]:
    """`configure(...)` with a stream to look at; logging is afterwards as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def configure(level: str = "info", **options: str) -> io.StringIO:
        stream = io.StringIO()
        logs.configure(level, stream=stream, **options)  # type: ignore[arg-type]
        return stream

    yield configure
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("aiohttp", "aioice", "aiortc", "asyncio"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_a_line_for_people(configure: Configure) -> None:
    stream = configure()
    logging.getLogger("some.module").info("peer %d joined", 7, extra={"role": "client"})
    line = stream.getvalue()
    assert "peer 7 joined" in line
    assert "some.module" in line
    assert "role=client" in line
    assert "\x1b" not in line


def test_an_object_for_machines(configure: Configure) -> None:
    stream = configure(format="json")
    logging.getLogger("some.module").warning("peer %d joined", 7, extra={"role": "client"})
    entry = json.loads(stream.getvalue())
    timestamp = entry.pop("timestamp")
    assert entry == {"event": "peer 7 joined", "level": "warning", "logger": "some.module", "role": "client"}
    assert timestamp.endswith("Z")


@pytest.mark.parametrize("format", ["console", "json"])
def test_an_exception_comes_with_its_trace(configure: Configure, format: str) -> None:
    stream = configure(format=format)
    try:
        raise ValueError(f"bad ?access_token={TOKEN}")
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert "test_logs.py" in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert TOKEN not in stream.getvalue()


def test_the_level_counts(configure: Configure) -> None:
    stream = configure("warning")
    logging.getLogger("x").info("quiet")
    logging.getLogger("x").warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_libraries_are_quieter_than_we_are(configure: Configure) -> None:
    stream = configure("info")
    for name in ("aiohttp.access", "aioice.ice", "asyncio"):
        logging.getLogger(name).info("daily business")
    logging.getLogger("aioice.ice").warning("trouble")
    assert "daily business" not in stream.getvalue()
    assert "trouble" in stream.getvalue()


def test_the_last_call_counts(configure: Configure) -> None:
    first, second = configure(), configure()
    logging.getLogger("x").info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_python_warnings_are_logged_too(configure: Configure) -> None:
    stream = configure()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # Within catch_warnings, so that the hook of the logging module is the one that is called.
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("mind the step", stacklevel=1)
        logging.captureWarnings(False)
    assert "mind the step" in stream.getvalue()


@pytest.mark.parametrize("format", ["console", "json"])
@pytest.mark.parametrize(
    "text",
    [
        f"GET /connect?access_token={TOKEN}&v=2 failed",
        f"GET /connect?alias=1&resume={TOKEN}",
        f"header Authorization: Bearer {TOKEN}",
        f"got {TOKEN}",
        f'{{"token": "{TOKEN}"}}',
    ],
)
def test_no_token_comes_through(configure: Configure, format: str, text: str) -> None:
    stream = configure(format=format)
    logging.getLogger("x").info("%s", text)
    logging.getLogger("x").info("plain", extra={"url": text})
    for part in TOKEN.split("."):
        assert part not in stream.getvalue()


def test_what_is_no_secret_stays() -> None:
    text = "GET /connect?access_token=***&alias=12&v=2 by client eyes, 3.5 s, a.b.c"
    assert logs.redact(text) == text
    assert logs.redact("a=1&secret=xyz&b=2") == "a=1&secret=***&b=2"
