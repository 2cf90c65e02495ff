"""What strangers send to an HTTP port, by plain sockets."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest

from tests.support.poll import until

ANSWER_S = 10.0

HEAD = b"POST /api/v1/publish HTTP/1.1\r\nHost: x\r\n"
NO_HTTP = {
    "an unknown method": b"F{}O / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "an unknown method behind a good request": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nF{}O / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET / HTTP/x\r\nHost: x\r\n\r\n",
    "a header without a colon": b"GET /healthz HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n",
    "a header that is too long": b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a chunk without a size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a body that is no gzip": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 9\r\nConnection: close\r\n\r\nno gzip..",
    "a bad chunk for a page": b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


async def say(port: int, data: bytes) -> bytes:
    """Send it, and read the answers until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(ANSWER_S):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def heads(answers: bytes) -> list[bytes]:
    """Status line and headers of each answer."""
    return [answer.partition(b"\r\n\r\n")[0] + b"\r\n" for answer in re.split(rb"(?=HTTP/1\.[01] \d)", answers) if answer]


async def assert_quiet(port: int, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is answered with an error or not at all, and no line is worse than debug."""
    caplog.set_level(logging.DEBUG)
    answer = await say(port, data)
    assert not answer or any(b" %d " % status in answer for status in (200, 400, 401, 404)), answer
    told = [record for record in caplog.records if record.name == "service.strangers"]
    await until(lambda: bool(told) or b" 400 " not in answer, ANSWER_S, "it is told")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert all(not record.exc_info and "\n" not in record.getMessage() for record in told)
