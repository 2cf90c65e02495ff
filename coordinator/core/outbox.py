"""What waits to be sent to one peer: bounded in frames and in bytes, so that a slow peer costs a known amount of memory."""

from __future__ import annotations

from collections import deque

FRAME_OVERHEAD_BYTES = 64
"""What a queued frame costs beside its content; many tiny frames are not free."""


class Outbox:
    """A queue of frames that refuses to pass its mark."""

    __slots__ = ("_bytes", "_frames", "_max_bytes", "_max_frames")

    def __init__(self, max_frames: int, max_bytes: int) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames: deque[bytes] = deque()
        self._bytes = 0

    def push(self, frame: bytes) -> bool:
        """Queue `frame`; False, and the frame is not queued, when it would pass the mark: the peer is too slow."""
        size = self._bytes + len(frame) + FRAME_OVERHEAD_BYTES
        if len(self._frames) >= self._max_frames or size > self._max_bytes:
            return False
        self._frames.append(frame)
        self._bytes = size
        return True

    def pop(self) -> bytes | None:
        """The oldest frame, or None."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= len(frame) + FRAME_OVERHEAD_BYTES
        return frame

    def clear(self) -> None:
        """Drop everything."""
        self._frames.clear()
        self._bytes = 0

    @property
    def size(self) -> int:
        """Bytes waiting, with their overhead."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._frames)
