"""Where there is no Redis, that is said, and how to get one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from simulation.io.children import ChildError
from simulation.io.redis import start_redis


async def test_without_a_redis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ChildError, match="apt-get install redis-server"):
        await start_redis(Path())
