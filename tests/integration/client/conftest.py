"""A real coordinator socket and real links, all in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.fake_coordinator import FakeCoordinator, LinkServer
from transport.listener import Listener


@pytest_asyncio.fixture
async def coordinator() -> AsyncIterator[FakeCoordinator]:
    """A coordinator without servers."""
    made = FakeCoordinator()
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def server(coordinator: FakeCoordinator) -> AsyncIterator[LinkServer]:
    """A comm server, known to the coordinator."""
    listener = await Listener.open(bind=["127.0.0.1"])
    made = LinkServer(5, listener)
    coordinator.add(made)
    yield made
    await listener.close()
