"""Clients of these tests talk to a cluster in memory."""

from __future__ import annotations

import pytest

from tests.support.fake_cluster import FakeCluster


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """A coordinator, and one comm server with alias 5."""
    made = FakeCluster()
    made.add_server(5)
    made.install(monkeypatch)
    return made
