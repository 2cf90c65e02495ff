"""What waits to be sent to one socket: text and binary frames in order, bounded in number and in bytes."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from coordinator.core.store import MESSAGE_OVERHEAD_BYTES, Store


class Frame(NamedTuple):
    """One WebSocket message, as it will leave."""

    data: bytes
    is_text: bool


class Outbox:
    """A queue of frames that refuses to pass its mark. A frame counts until it has left, not until it is on its way."""

    __slots__ = ("_frames", "_leaving", "_max_frames", "_store")

    def __init__(self, max_frames: int, max_bytes: int, whole: Store | None = None) -> None:
        """`whole`: what the outboxes of an address, or all of them, share."""
        self._max_frames = max_frames
        self._store = Store(max_bytes, whole)
        self._frames: deque[Frame] = deque()
        self._leaving = 0

    def push(self, message: str | bytes) -> bool:
        """Queue `message`; False, and it is not queued, when it would pass a mark."""
        is_text = isinstance(message, str)
        # Bytes, not characters: a text in memory takes up to four times as many.
        data = message.encode() if isinstance(message, str) else message
        if len(self._frames) >= self._max_frames or not self._store.take(len(data) + MESSAGE_OVERHEAD_BYTES):
            return False
        self._frames.append(Frame(data, is_text))
        return True

    def pop(self) -> Frame | None:
        """The oldest frame, or None. The one before it has left."""
        self.settle()
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._leaving = len(frame.data) + MESSAGE_OVERHEAD_BYTES
        return frame

    def settle(self) -> None:
        """What was on its way has left."""
        self._store.give_back(self._leaving)
        self._leaving = 0

    def clear(self) -> None:
        """Drop everything that is not on its way."""
        self._store.give_back(sum(len(frame.data) + MESSAGE_OVERHEAD_BYTES for frame in self._frames))
        self._frames.clear()

    @property
    def size(self) -> int:
        """Bytes that have not left, with their overhead."""
        return self._store.bytes

    def __len__(self) -> int:
        return len(self._frames)
