"""What has come on one connection and is not answered yet: counted until it is.

A head may be held back before its end, a body may wait until its request is heard, and requests may be sent ahead of the answers to earlier
ones. All of it is kept, in one form or another, so all of it counts: by the bytes that came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from protocol.limits import KIB

HEAD_BYTES = 64 * KIB
"""Of a head that is not whole. Fields of 8 KiB are taken, but not many of them."""

HEAD_S = 10.0
"""For a head to be whole, from its first byte."""

AHEAD_BYTES = 2 * HEAD_BYTES
"""That go on counting when an answer is given and more requests wait: about as much is read ahead."""


class Account(Protocol):
    """Bounds bytes, as :class:`coordinator.core.store.Store` does."""

    def take(self, size: int) -> bool:
        """Whether there is room for so many more; then they are taken."""

    def give_back(self, size: int) -> None:
        """So many are kept no longer."""


class Intake:
    """Of one connection."""

    __slots__ = ("_account", "_open", "bytes")

    def __init__(self, account: Callable[[], Account | None]) -> None:
        """`account`: of the address at the other end, asked for when something begins to be kept; None: nobody bounds it."""
        self._open = account
        self._account: Account | None = None
        self.bytes = 0
        """That count now."""

    def came(self, size: int) -> bool:
        """So many bytes more. Whether they may be kept."""
        if not self.bytes:
            self._account = self._open()
        if self._account is not None and not self._account.take(size):
            return False
        self.bytes += size
        return True

    def answered(self, *, is_more: bool) -> None:
        """A request was. `is_more`: others wait behind it, with an unknown part of what came."""
        self._keep(min(self.bytes, AHEAD_BYTES) if is_more else 0)

    def clear(self) -> None:
        """Nothing is kept any more."""
        self._keep(0)

    def _keep(self, size: int) -> None:
        if self._account is not None:
            self._account.give_back(self.bytes - size)
        self.bytes = size
