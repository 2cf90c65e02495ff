"""A bounded receive queue: a reader that is too slow loses the oldest packets, and learns how many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rtcbroker.core.packet import Packet
from rtcbroker.core.stats import ClientStats, Drop


class Inbox:
    """Packets that arrived and were not read yet.

    The oldest gives way: what a reader that has fallen behind needs is the present. A hard bound in packets, not bytes: a packet is
    at most one message (``MAX_MESSAGE_BYTES``).
    """

    __slots__ = ("_packets", "_stats", "_wake", "dropped", "size")

    def __init__(self, size: int, stats: ClientStats, wake: Callable[[], None]) -> None:
        """`wake` is called when a packet comes into the empty queue. Raises ValueError for a `size` below 1."""
        if size < 1:
            raise ValueError(f"a queue holds at least one packet, not {size}")
        self.size = size
        self.dropped = 0
        """Packets this queue dropped."""
        self._packets: deque[Packet] = deque(maxlen=size)
        self._stats = stats
        self._wake = wake

    def put(self, packet: Packet) -> None:
        """Add a packet, in the place of the oldest where there is no room."""
        packets = self._packets
        waiting = len(packets)
        packets.append(packet)  # drops from the left when full
        if waiting == self.size:
            self.dropped += 1
            self._stats.dropped[Drop.QUEUE] += 1
        elif not waiting:
            self._wake()

    def get(self) -> Packet | None:
        """Take the oldest packet out; None when there is none."""
        return self._packets.popleft() if self._packets else None

    def clear(self) -> None:
        """Forget what was not read."""
        self._packets.clear()

    def __len__(self) -> int:
        return len(self._packets)
