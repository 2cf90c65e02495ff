"""What a socket has sent and nobody has handled: counted as it comes, on the account of its address, until it is handled.

A message of which the last byte is held back takes memory like any other that waits. So frames (RFC 6455 section 5.2) are followed as far
as is needed to tell where messages begin and end; whether they are right is for the reader behind to judge. Following is work, too: what
came in very many frames is followed when it is handled, not when it comes.
"""

from __future__ import annotations

from collections import deque

from coordinator.p2p.core.store import Store

MESSAGE_S = 10.0
"""For a whole message to come, from its first byte, as for a body by HTTP. Messages are some KiB."""

MAX_FRAMES = 1_024
"""Of one message. Clients make one, or one for each of their buffers, which have some KiB."""

PIECE_OVERHEAD_BYTES = 48
"""What bytes that came at a time cost beside themselves until their message is whole: the object that holds them."""

TOO_MUCH = "too much of what this address has sent is still kept"
TOO_MANY_FRAMES = "a message in too many frames"

_FRAMES_AT_ONCE = 64
_LAST, _OPCODE, _CONTROL = 0x80, 0x0F, 0x08
_MASKED, _LENGTH = 0x80, 0x7F
_LENGTH_BYTES = {126: 2, 127: 8}
_MASK_BYTES = 4
_SHORTEST_HEAD = 2


class Incoming:
    """The messages of one socket, from their first byte until they are handled."""

    def __init__(self, account: Store) -> None:
        self.is_coming = False
        """Whether a message has begun and is not whole."""
        self._account = account
        self._taken = 0
        self._chunks: deque[bytes] = deque()
        """Not followed yet; of the first one, from `_at` on."""
        self._at = 0
        self._head = bytearray()
        """Of a frame whose content has not begun."""
        self._left = 0
        """Bytes of a frame that are still to come."""
        self._is_last = self._is_control = False
        self._since = 0.0
        """When the message began that is coming, or we had time for it."""
        self._part = self._frames = 0
        """Bytes and frames that were followed since the last message was whole."""
        self._whole: deque[tuple[int, int]] = deque()
        """The same of each message that is here and not handled."""
        self._is_over = False

    @property
    def is_held_back(self) -> bool:
        """Whether we are the ones who are late: something is here that was not handled."""
        return bool(self._whole or self._chunks)

    def feed(self, data: bytes, now: float) -> str:
        """Bytes came. Why no more may be taken of this socket, empty when all is well."""
        if self._is_over or not self._take(len(data) + PIECE_OVERHEAD_BYTES):
            return TOO_MUCH
        self._part += PIECE_OVERHEAD_BYTES
        self._chunks.append(data)
        self._follow(_FRAMES_AT_ONCE, now)
        if not self.is_coming and not self._chunks and not self._head:
            self._forget_part()
        return TOO_MANY_FRAMES if self._frames > MAX_FRAMES else ""

    def handled(self, now: float) -> int:
        """The oldest message that is whole is kept no longer. Returns in how many frames it came."""
        while not self._whole and self._chunks:
            self._follow(MAX_FRAMES, now)
        size, frames = self._whole.popleft()
        self._give_back(size)
        self._follow(_FRAMES_AT_ONCE, now)
        if self.is_coming and not self.is_held_back:
            self._since = now
        return frames

    def due_in(self, now: float) -> float:
        """Seconds until the message that is coming is late; at most 0 when it is."""
        return MESSAGE_S if self.is_held_back else self._since + MESSAGE_S - now

    def release(self) -> None:
        """Nothing is kept any more, nor will be."""
        self._is_over = True
        self._chunks.clear()
        self._give_back(self._taken)

    def _follow(self, frames: int, now: float) -> None:
        """Go on through what is here, for at most so many frames."""
        while self._chunks and frames:
            chunk = self._chunks[0]
            there = len(chunk) - self._at
            step = min(there, self._left or self._head_bytes() - len(self._head))
            if self._left:
                self._left -= step
            else:
                self._head += chunk[self._at : self._at + step]
            self._part += step
            self._at += step
            if step == there:
                self._chunks.popleft()
                self._at = 0
            if self._head and len(self._head) == self._head_bytes():
                self._begin(now)
                frames -= 1
            if not self._left and not self._head:
                self._end()

    def _head_bytes(self) -> int:
        """How long the head is that has begun, as far as can be told."""
        if len(self._head) < _SHORTEST_HEAD:
            return _SHORTEST_HEAD
        second = self._head[1]
        return _SHORTEST_HEAD + _LENGTH_BYTES.get(second & _LENGTH, 0) + (_MASK_BYTES if second & _MASKED else 0)

    def _begin(self, now: float) -> None:
        """The head of a frame is here."""
        first, length = self._head[0], self._head[1] & _LENGTH
        end = _SHORTEST_HEAD + _LENGTH_BYTES.get(length, 0)
        self._left = int.from_bytes(self._head[_SHORTEST_HEAD:end], "big") if length in _LENGTH_BYTES else length
        self._is_last, self._is_control = bool(first & _LAST), bool(first & _OPCODE & _CONTROL)
        self._head.clear()
        self._frames += 1
        if not self._is_control and not self.is_coming:
            self.is_coming, self._since = True, now

    def _end(self) -> None:
        """A frame is here."""
        if self._is_control:
            if not self.is_coming:
                self._forget_part()
        elif self._is_last:
            self._whole.append((self._part, self._frames))
            self._part = self._frames = 0
            self.is_coming = False

    def _forget_part(self) -> None:
        self._give_back(self._part)
        self._part = self._frames = 0

    def _take(self, size: int) -> bool:
        if not self._account.take(size):
            return False
        self._taken += size
        return True

    def _give_back(self, size: int) -> None:
        self._taken -= size
        self._account.give_back(size)
