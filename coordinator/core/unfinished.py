"""What a peer has begun to say and not finished: followed as it comes, and counted until its last byte is here.

A frame has 128 KiB at most, but nobody has to send the end of one, and there may be very many sockets. Whole messages are handled as soon
as they are here, so only what is not whole is kept. Frames (RFC 6455 section 5.2) are followed as far as is needed to tell where messages
begin and end; whether they are right is for the reader behind to judge.
"""

from __future__ import annotations

from collections.abc import Callable

from coordinator.core.frame_heads import IN_TWO_BYTES, MASK_BYTES, MASKED, SHORTEST_HEAD, FrameHead, head_bytes, read_head

MESSAGE_S = 10.0
"""For a whole message to come, from its first byte. Messages are some KiB."""

PIECE_OVERHEAD_BYTES = 48
"""What bytes that came at a time cost beside themselves: the object that holds them."""

_BINARY = 0x82
"""The first byte of a binary message in one frame, the only kind that this protocol has."""


def is_one_message(data: bytes) -> bool:
    """Whether this is a binary message as clients send it, masked and in one frame of less than 64 KiB, all of it and nothing else.

    Nearly all that comes is. Where nothing is unfinished it need not be followed: nothing is afterwards.
    """
    size = len(data)
    if size < SHORTEST_HEAD + MASK_BYTES or data[0] != _BINARY:
        return False
    length = data[1] - MASKED
    if length == IN_TWO_BYTES:
        return size == SHORTEST_HEAD + 2 + MASK_BYTES + (data[2] << 8 | data[3])
    return 0 <= length < IN_TWO_BYTES and size == SHORTEST_HEAD + MASK_BYTES + length


class Unfinished:
    """Of one socket."""

    __slots__ = ("_give_back", "_head", "_in_message", "_is_control", "_is_last", "_left", "_since", "_take", "bytes")

    def __init__(self, take: Callable[[int], bool], give_back: Callable[[int], None]) -> None:
        """`take` says whether so many bytes more may be kept; `give_back` is told of those that are not any more."""
        self._take = take
        self._give_back = give_back
        self.bytes = 0
        """That count now. None do exactly when neither a message nor a frame has begun."""
        self._since = 0.0
        self._head = b""
        """Of a frame whose content has not begun."""
        self._left = 0
        """Bytes of a frame that are still to come."""
        self._is_last = self._is_control = False
        self._in_message = False

    def feed(self, data: bytes, now: float) -> bool:
        """Bytes came. Whether they may be taken; if not, nothing more may."""
        data_and_head = self._head + data
        rest = self._follow(data_and_head)
        if not (self._head or self._left or self._in_message):
            counts = 0
        elif rest is None and self.bytes:
            counts = self.bytes + len(data) + PIECE_OVERHEAD_BYTES
        else:
            counts = len(data_and_head) - (rest or 0) + PIECE_OVERHEAD_BYTES
            self._since = now
        if counts > self.bytes and not self._take(counts - self.bytes):
            return False
        if counts < self.bytes:
            self._give_back(self.bytes - counts)
        self.bytes = counts
        return True

    def due_in(self, now: float) -> float:
        """Seconds until what has begun is late; at most 0 when it is."""
        return self._since + MESSAGE_S - now

    def release(self) -> None:
        """Nothing is kept any more. To be called when nothing is fed any more."""
        self._give_back(self.bytes)
        self.bytes = 0

    def _follow(self, data: bytes) -> int | None:
        """Go through what came, from the beginning of a head or within content. Returns where nothing was unfinished for the last time."""
        at, rest, self._head = 0, None, b""
        while at < len(data):
            if not self._left:
                size = head_bytes(data, at)
                if at + size > len(data):
                    self._head = data[at:]
                    break
                self._begin(read_head(data[at : at + size]))
                at += size
            step = min(self._left, len(data) - at)
            self._left -= step
            at += step
            if not self._left:
                self._in_message = self._in_message and (self._is_control or not self._is_last)
                if not self._in_message:
                    rest = at
        return rest

    def _begin(self, head: FrameHead) -> None:
        self._left, self._is_last, self._is_control = head
        if not self._is_control:
            self._in_message = True
