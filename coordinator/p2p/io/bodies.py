"""Reads what a request carries, within bounds of size and time, and of what its address and all of them may make us keep.

A body counts byte by byte as it comes: many that are held back before their last byte take no more than anything else that waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from coordinator.p2p.core.store import Store
from coordinator.p2p.io.access import Access

BODY_S = 10.0
"""For a whole body to come. Messages are some KiB."""


@dataclass(frozen=True, slots=True)
class Body:
    """What came, from whom."""

    data: bytes
    account: Store
    """Of its address, for what is kept of it."""


@asynccontextmanager
async def whole_body(request: web.Request, access: Access, max_bytes: int) -> AsyncIterator[Body]:
    """The body, which counts until the block ends.

    Raises :class:`web.HTTPException` for one that is too long (413), too slow (408), or broken off (400), for too many or too much at once
    from that address (429), and when there is no room for any (503).
    """
    account = access.begin_body(request).account
    share = Store(max_bytes, account)
    try:
        yield Body(await _read(request, access, share, account, max_bytes), account)
    finally:
        share.clear()
        access.end_body(request)


async def read_body(request: web.Request, max_bytes: int) -> bytes:
    """The body of a request by somebody who is known and may do more than fill memory.

    Raises :class:`web.HTTPException` for one that is too long (413), too slow (408), or broken off (400).
    """
    return await _collect(request, max_bytes, lambda size: None)


async def _read(request: web.Request, access: Access, share: Store, account: Store, max_bytes: int) -> bytes:
    def take(size: int) -> None:
        if not share.take(size):
            raise access.too_much(request, of_address=not account.fits(size))

    return await _collect(request, max_bytes, take)


async def _collect(request: web.Request, max_bytes: int, take: Callable[[int], None]) -> bytes:
    """`take` is told the size of each piece before it is kept, and may raise."""
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
