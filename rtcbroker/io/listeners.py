"""Callbacks of the application: any number, ended one by one, kept from doing harm when they raise."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, ParamSpec

logger = logging.getLogger(__name__)

P = ParamSpec("P")


class Listeners(Generic[P]):
    """Who wants to hear of one kind of thing."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[P, object]] = {}

    def add(self, listener: Callable[P, object]) -> Callable[[], None]:
        """Call `listener` from now on. Returns a function that ends this; the same listener may be added twice."""
        key = object()
        self._listeners[key] = listener

        def end() -> None:
            self._listeners.pop(key, None)

        return end

    def tell(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call every listener, in the order they came; those that raise are logged."""
        for listener in list(self._listeners.values()):
            try:
                listener(*args, **kwargs)
            except Exception:
                logger.exception("a callback of the application raised")
