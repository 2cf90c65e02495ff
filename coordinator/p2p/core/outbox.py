"""What waits to be sent to one socket: text and binary frames in order, bounded in number and in size."""

from __future__ import annotations

from collections import deque

FRAME_OVERHEAD_BYTES = 64
"""What a queued frame costs beside its content; many tiny frames are not free."""


class Outbox:
    """A queue of frames that refuses to pass its mark. Sizes are in bytes for binary, in characters for text."""

    __slots__ = ("_frames", "_max_frames", "_max_size", "_size")

    def __init__(self, max_frames: int, max_size: int) -> None:
        self._max_frames = max_frames
        self._max_size = max_size
        self._frames: deque[str | bytes] = deque()
        self._size = 0

    def push(self, frame: str | bytes) -> bool:
        """Queue `frame`; False, and the frame is not queued, when it would pass the mark. A single one always fits."""
        size = self._size + len(frame) + FRAME_OVERHEAD_BYTES
        if self._frames and (len(self._frames) >= self._max_frames or size > self._max_size):
            return False
        self._frames.append(frame)
        self._size = size
        return True

    def pop(self) -> str | bytes | None:
        """The oldest frame, or None."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._size -= len(frame) + FRAME_OVERHEAD_BYTES
        return frame

    def clear(self) -> None:
        """Drop everything."""
        self._frames.clear()
        self._size = 0

    def __len__(self) -> int:
        return len(self._frames)
