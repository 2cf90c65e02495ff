"""Two links at once, while a client moves: what comes by both is delivered once, and in the order of the first.

Every group of packets carries the stamp of the server that made it, whichever way it comes (docs/protocol.md, "Moving"). On the reliable
channel groups of one origin come in the order of their serials, so the last one tells all; also after the former link is closed, since
the other may bring late what that had brought. On the unreliable one nothing is in order: there each stamp is remembered for a while, and
the first of two to come counts.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol.batch import decode_group
from protocol.pb import broker_pb2 as pb

MAX_ORIGINS = 1_024
"""Servers whose last serial is remembered: more than a cluster has, those that were restarted since included."""
MAX_STAMPS = 8_192
"""Groups of the unreliable channel that are remembered: some seconds of a busy client."""
MAX_HELD_BYTES = 4 * 1024 * 1024
"""Held back of the next link. It is what the present one has not brought yet, some milliseconds' worth; with more something is wrong."""
GROUP_OVERHEAD_BYTES = 256
"""What a group takes in memory beyond its bytes, roughly."""


class Seen:
    """Which groups have come by the present link, and which by the one before."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        """The last serial of each origin that came."""
        self._former: dict[int, int] = {}
        """The same by the link before, as far as the present one has not brought more of that origin."""
        self._stamps: dict[tuple[int, int], None] | None = None

    def is_new(self, group: pb.TopicGroup, reliable: bool) -> bool:
        """Whether a group that comes by the present link, or unreliably by the next one, comes for the first time; note that it came."""
        origin = group.origin
        if not origin:
            return True  # an older server's
        if not reliable:
            return self._is_new_stamp((origin, group.serial))
        if self._former:
            if group.serial <= self._former.get(origin, 0):
                return False
            self._former.pop(origin, None)
        self._last[origin] = group.serial
        if len(self._last) > MAX_ORIGINS:
            del self._last[next(iter(self._last))]
        return True

    def has(self, group: pb.TopicGroup) -> bool:
        """Whether a group of the reliable channel, that comes by the next link, has come by the present one."""
        return 0 < group.serial <= self._last.get(group.origin, 0)

    def change_over(self) -> None:
        """The next link is the present one from now on."""
        self._former = dict(self._last)

    def _is_new_stamp(self, stamp: tuple[int, int]) -> bool:
        stamps = self._stamps
        if stamps is None:
            return True
        if stamp in stamps:
            return False
        stamps[stamp] = None
        if len(stamps) > MAX_STAMPS:
            del stamps[next(iter(stamps))]
        return True

    def remember(self) -> None:
        """From now on remember what comes by the unreliable channel: soon there are two of them."""
        if self._stamps is None:
            self._stamps = {}

    def forget(self) -> None:
        """There is one again, and has been for some time."""
        self._stamps = None


class Held:
    """Takes the packets of the next link until it is the present one."""

    def __init__(self, seen: Seen, deliver: Callable[[pb.TopicGroup, bool], None]) -> None:
        self._seen = seen
        self._deliver = deliver
        self._groups: list[pb.TopicGroup] = []
        self._bytes = 0

    def batch(self, frames: pb.TopicBatchFrames, reliable: bool) -> None:
        """A TOPIC_BATCH came. Raises :class:`protocol.errors.DecodeError` at a group that is none."""
        for frame in frames.groups:
            group = decode_group(frame, from_server=True)
            if not reliable:
                self._deliver(group, reliable)
            elif not self._seen.has(group):
                self._groups.append(group)
                self._bytes += len(frame) + GROUP_OVERHEAD_BYTES
        if self._bytes > MAX_HELD_BYTES:
            self._prune()

    def _prune(self) -> None:
        """Drop what has come by the present link meanwhile."""
        self._groups = [group for group in self._groups if not self._seen.has(group)]
        self._bytes = sum(group.ByteSize() + GROUP_OVERHEAD_BYTES for group in self._groups)

    @property
    def is_over(self) -> bool:
        """The next link brings far more than the present one."""
        return self._bytes > MAX_HELD_BYTES

    def release(self) -> None:
        """The present link has brought all it will: deliver the rest."""
        self._seen.change_over()
        groups, self._groups = self._groups, []
        for group in groups:
            self._deliver(group, True)
