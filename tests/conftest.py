"""What holds for every test: a clean environment, reproducible properties, no task left behind, no hole unnamed."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester", "tests.support.needs", "tests.support.tasks", "tests.support.deployment"]

# No deadline for one example and no complaint of slowness: the machine may be busy with the other half of the tests.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in every run: what fails there fails here.
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")


def pytest_collection_finish() -> None:
    """What thousands of collected tests are made of stays to the end. To look through it takes a third of a second, in the midst of any test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are read from RTCBROKER_ variables; those of the person who runs the tests are none of the tests' business."""
    for name in list(os.environ):
        if name.startswith("RTCBROKER_"):
            monkeypatch.delenv(name)
