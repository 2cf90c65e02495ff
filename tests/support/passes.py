"""How much is done in one go of an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest


class Passes:
    """How often something is called at most between two looks at it, in which falls the end of one pass and the beginning of the next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.most = self.calls = self._now = 0
        inner: Callable[..., Any] = getattr(owner, name)

        def counted(*args: Any, **options: Any) -> Any:
            self.calls += 1
            self._now += 1
            self.most = max(self.most, self._now)
            return inner(*args, **options)

        monkeypatch.setattr(owner, name, counted)
        self._tick()

    def _tick(self) -> None:
        self._now = 0
        asyncio.get_running_loop().call_soon(self._tick)
