"""One Chromium, one site and one cluster for all tests of this folder that can share them: they live in one event loop.

A test that kills something makes a cluster of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.browser import Visitor, chromium
from tests.support.cluster import Cluster, cluster
from tests.support.site import Site, site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium."""
    async with chromium() as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def other_site() -> AsyncIterator[Site]:
    """A site whose origin the cluster allows; it hands out the shared cluster's tokens."""
    async with site() as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(other_site: Site) -> AsyncIterator[Cluster]:
    """Two comm servers, authentication on."""
    async with cluster(2, coordinator={"allowed_origins": other_site.origin}) as made:
        other_site.mint = made.token
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser) -> AsyncIterator[Visitor]:
    """Somebody with this browser. A page that complained of something the test did not expect fails it."""
    made = Visitor(browser)
    yield made
    await made.leave()
    assert made.complaints.unexpected() == []


MEASURED = pytest.StashKey[list[str]]()


@pytest.fixture
def measured(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Tells what was measured, to be read at the end of the run."""
    return pytestconfig.stash.setdefault(MEASURED, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What a generous bound lets through is still worth reading."""
    lines = config.stash.get(MEASURED, [])
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.line(line)
