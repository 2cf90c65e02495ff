"""What a socket has sent and nobody has heard: put down and counted as it comes, and handed on in portions when its turn has come.

To put bytes down costs the same however many frames they are. It is when they are handed on that frames (RFC 6455 section 5.2) are
followed, as far as is needed to tell where messages begin and end; whether they are right is for the parser behind to judge. A portion ends
with a message, after some frames, or with the bytes that came at a time. All is counted on the account of its address, a message of which
the last byte is held back like any other, until it is heard.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from coordinator.core.frame_heads import CLOSE, LONGEST_HEAD, OPCODE, FrameHead, head_bytes, read_head
from coordinator.core.store import Store
from coordinator.core.unfinished import MESSAGE_S, PIECE_OVERHEAD_BYTES
from coordinator.p2p.core.prices import price

MAX_FRAMES = 1_024
"""Of one message. Clients make one, or one for each of their buffers, which have some KiB."""

PORTION_FRAMES = 32
"""That are heard at a time, where no message ends before."""

TOO_MUCH = "too much of what this address has sent is still kept"
TOO_MANY_FRAMES = "a message in too many frames"


class Portion(NamedTuple):
    """Bytes for the parser."""

    data: bytes
    cost: int
    """In deliveries, beside what was said of earlier portions of the same message. Control frames are one each."""
    message_cost: int
    """Of the message that is whole with this, all its portions together; 0 when none is."""


class Incoming:
    """The bytes of one socket, from their coming until they are heard."""

    def __init__(self, account: Store) -> None:
        self._account = account
        self._taken = 0
        self._chunks: deque[bytes] = deque()
        """Not handed on yet; of the first one, from `_at` on."""
        self._at = 0
        self._held_since = 0.0
        """When the oldest of them came."""
        self._head = b""
        """Of a frame whose content has not begun."""
        self._in_frame = self._in_message = False
        """Whether the head of one was handed on, and its end was not."""
        self._left = 0
        """Bytes of the frame that are still to come."""
        self._is_last = self._is_control = False
        self._since = 0.0
        """When the message or frame began that is coming, and later by the time for which we were the ones who were late."""
        self._part = self._spent = self._free = 0
        """Bytes that were handed on since the last message was whole; those before that came together with what is still here; and those
        that are to be given back."""
        self._content = self._frames = self._controls = self._paid = 0
        """Of the message that is coming: bytes, frames and price; and control frames that were not paid."""
        self._is_over = False

    @property
    def is_held_back(self) -> bool:
        """Whether something is here that was not handed on."""
        return bool(self._chunks)

    @property
    def is_close_next(self) -> bool:
        """Whether what is to be handed on begins with a close frame, behind which nothing matters."""
        is_between = bool(self._chunks) and not self._in_frame and not self._head
        return is_between and self._chunks[0][self._at] & OPCODE == CLOSE

    @property
    def is_coming(self) -> bool:
        """Whether a part of a message, or of a frame, was handed on, and not all of it."""
        return self._in_message or self._in_frame or bool(self._head)

    def feed(self, data: bytes, now: float) -> str:
        """Bytes came. Why no more may be taken of this socket, empty when all is well."""
        size = len(data) + PIECE_OVERHEAD_BYTES
        if self._is_over or not self._account.take(size):
            return TOO_MUCH
        self._taken += size
        if not self._chunks:
            self._held_since = now
        self._chunks.append(data)
        return ""

    def hand_on(self, now: float) -> Portion | None:
        """The next portion of what :attr:`is_held_back`; None when it is of a message in too many frames. Then it is to be :meth:`heard`."""
        chunk, start, ended, is_whole = self._chunks[0], self._at, 0, False
        while self._at < len(chunk) and ended < PORTION_FRAMES and not is_whole:
            if not self._in_frame:
                self._follow_head(chunk, now)
            if self._in_frame:
                self._follow_content(chunk)
                if not self._left:
                    ended += 1
                    is_whole = self._end_frame()
        if self._frames > MAX_FRAMES:
            return None
        message_cost = price(self._content, self._frames) if self._frames else 0
        portion = Portion(chunk[start : self._at], self._controls + message_cost - self._paid, message_cost if is_whole else 0)
        self._paid, self._controls = message_cost, 0
        if is_whole:
            self._content = self._frames = self._paid = 0
        self._count(self._at - start, now)
        return portion

    def heard(self) -> None:
        """What was handed on and is whole is kept no longer."""
        self._give_back(self._free)
        self._free = 0

    def due_in(self, now: float) -> float:
        """Seconds until what is coming is late; at most 0 when it is."""
        return MESSAGE_S if self._chunks else self._since + MESSAGE_S - now

    def release(self) -> None:
        """Nothing is kept any more, nor will be."""
        self._is_over = True
        self._chunks.clear()
        self._give_back(self._taken)

    def _follow_head(self, chunk: bytes, now: float) -> None:
        if not self.is_coming:
            self._since = now
        head = self._head + chunk[self._at : self._at + LONGEST_HEAD]
        size = head_bytes(head)
        if len(head) < size:
            self._head, self._at = head, len(chunk)
            return
        self._at += size - len(self._head)
        self._head = b""
        self._begin_frame(read_head(head))

    def _begin_frame(self, head: FrameHead) -> None:
        self._left, self._is_last, self._is_control = head
        self._in_frame = True
        if not self._is_control:
            self._in_message = True
            self._frames += 1

    def _follow_content(self, chunk: bytes) -> None:
        step = min(len(chunk) - self._at, self._left)
        self._at += step
        self._left -= step
        if not self._is_control:
            self._content += step

    def _end_frame(self) -> bool:
        """Whether it ends a message, too."""
        self._in_frame = False
        if self._is_control:
            self._controls += 1
            return False
        self._in_message = not self._is_last
        return self._is_last

    def _count(self, handed_on: int, now: float) -> None:
        """So many bytes were handed on. Those that came together take their place until none of them is here."""
        is_chunk_over = self._at == len(self._chunks[0])
        self._part += handed_on + (PIECE_OVERHEAD_BYTES if is_chunk_over else 0)
        if not self.is_coming:
            self._spent += self._part
            self._part = 0
        if not is_chunk_over:
            return
        self._chunks.popleft()
        self._at = 0
        self._free += self._spent
        self._spent = 0
        if not self._chunks:
            self._since += now - max(self._since, self._held_since)

    def _give_back(self, size: int) -> None:
        self._taken -= size
        self._account.give_back(size)
