"""What holds for the tests with hosts of their own: where that is not possible they say so by name, and under CI they fail."""

from __future__ import annotations

import pytest

from simulation.io.netns import missing
from tests.support.needs import unmet


@pytest.fixture(autouse=True, scope="session")
def namespaces_are_possible() -> None:
    """Root, iproute2, and a kernel that allows it."""
    if (what := missing()) is not None:
        unmet(f"lacks {what}")
