"""The settings of the person who runs the tests do not reach them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def somebodys_environment() -> Iterator[None]:
    """Set before any test's own fixtures run, as a shell would have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTCBROKER_COORDINATOR_PORT", "1")
        yield


def test_settings_are_cleared() -> None:
    assert [name for name in os.environ if name.startswith("RTCBROKER_")] == []
