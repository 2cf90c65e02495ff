"""A pytest plugin: an async test whose tasks outlive it fails, so that every start has its stop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

GRACE_S = 1.0
"""For tasks that are on their way out, cancelled or told to stop, when the test ends."""


@pytest.fixture(autouse=True)
def no_leaked_tasks(request: pytest.FixtureRequest) -> None:
    """Watch the event loop of an async test; a plain test has none, and is not given one."""
    if inspect.iscoroutinefunction(getattr(request.function, "hypothesis", request.function)):
        request.getfixturevalue("_task_watch")


@pytest_asyncio.fixture
async def _task_watch() -> AsyncIterator[None]:
    # Set up before the test's own fixtures, so this looks after they have cleaned up.
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=GRACE_S)
    assert not left, f"tasks outlive the test: {', '.join(sorted(map(repr, left)))}"
