"""Reads what a request carries, within bounds of what its address and all of them may make us keep.

A body counts byte by byte as it comes: many that are held back before their last byte take no more than anything else that waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from coordinator.core.accounts import Account
from coordinator.core.store import Store
from coordinator.io.bodies import read_body
from coordinator.p2p.io.access import Access


@dataclass(frozen=True, slots=True)
class Body:
    """What came, from whom."""

    data: bytes
    account: Account
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


async def _read(request: web.Request, access: Access, share: Store, account: Store, max_bytes: int) -> bytes:
    def take(size: int) -> None:
        if not share.take(size):
            raise access.too_much(request, of_address=not account.fits(size))

    return await read_body(request, max_bytes, take)
