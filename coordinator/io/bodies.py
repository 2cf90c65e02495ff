"""Reads what a request carries, within bounds of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import hdrs, web

BODY_S = 10.0
"""For a whole body to come. Messages are some KiB."""


def _nothing(size: int) -> None:
    pass


async def read_body(request: web.Request, max_bytes: int, take: Callable[[int], None] = _nothing) -> bytes:
    """The body. `take` is told the size of each piece before it is kept, and may raise.

    Raises :class:`web.HTTPException` for one that is too long (413), compressed (415), too slow (408), or broken off (400).
    """
    if (coding := request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()) not in ("", "identity"):
        raise web.HTTPUnsupportedMediaType(text=f"Content-Encoding {coding[:20]!r}: bodies are taken as they are\n")
    too_long = web.HTTPRequestEntityTooLarge(max_bytes, text=f"at most {max_bytes} bytes are taken here\n")
    if (request.content_length or 0) > max_bytes:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                if len(body) + len(chunk) > max_bytes:
                    raise too_long
                take(len(chunk))
                body += chunk
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the body did not come within {BODY_S:g} s\n") from None
    except (OSError, web.RequestPayloadError):
        raise web.HTTPBadRequest(text="the body is broken\n") from None
    return bytes(body)
