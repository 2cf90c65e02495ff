"""An impaired cable in user space, for kernels without netem: ``python -m simulation.io.wire``, started by :mod:`simulation.io.netns`.

It makes two TAP devices in its network namespace, says their names on standard output, and carries frames from one to the other as the
last line of its standard input says (an :class:`Impairment` as JSON). When its input ends it ends, and the devices with it: so nothing
is left behind, however its parent ended. One frame costs some 20 µs, so a core carries about 30,000 a second.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import itertools
import json
import os
import select
import struct
import sys
import time
from random import Random

from simulation.core.impairment import Impairment, Lane

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_IFREQ = struct.Struct("16sH22x")
_FRAME_BYTES = 65_536
_BURST = 64
"""Frames taken from one side before the other side, and what is due, get their turn."""
_ARP = b"\x08\x06"


def _tap() -> tuple[int, str]:
    """A new TAP device, gone when its descriptor is closed. Raises OSError where that is not allowed."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    answer = fcntl.ioctl(descriptor, _TUNSETIFF, _IFREQ.pack(b"wire%d", _IFF_TAP | _IFF_NO_PI))
    return descriptor, _IFREQ.unpack(answer)[0].rstrip(b"\0").decode()


class Wire:
    """Both directions, and what is on its way."""

    def __init__(self, ends: tuple[int, int]) -> None:
        self._other = {ends[0]: ends[1], ends[1]: ends[0]}
        self._lanes: dict[int, Lane] = {}
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._numbers = itertools.count()
        self.impair(Impairment())

    def impair(self, impairment: Impairment) -> None:
        """From now on; what is on its way arrives as it would have."""
        self._lanes = {end: Lane(impairment, Random()) for end in self._other}

    def take(self, end: int, now: float) -> None:
        """Frames wait at this end."""
        for _ in range(_BURST):
            try:
                frame = os.read(end, _FRAME_BYTES)
            except (BlockingIOError, OSError):  # nothing more; or the device is down
                return
            # Asking who has an address is not what is to be impaired: a lost question would cost a second.
            at = now if frame[12:14] == _ARP else self._lanes[end].arrival(len(frame), now)
            if at is not None:
                heapq.heappush(self._under_way, (at, next(self._numbers), self._other[end], frame))

    def deliver(self, now: float) -> float | None:
        """Hand over what has arrived; returns the seconds until the next does."""
        while self._under_way:
            at, _, end, frame = self._under_way[0]
            if at > now:
                return at - now
            heapq.heappop(self._under_way)
            with contextlib.suppress(OSError):  # the device is down, or its queue full: the frame is lost, as on any wire
                os.write(end, frame)
        return None


def main() -> int:
    """Carry frames until standard input ends."""
    (first, one), (second, other) = _tap(), _tap()
    sys.stdout.write(f"{one} {other}\n")
    sys.stdout.flush()
    wire, orders = Wire((first, second)), sys.stdin.fileno()
    text = b""
    while True:
        wait = wire.deliver(time.monotonic())
        ready, _, _ = select.select((first, second, orders), (), (), wait)
        now = time.monotonic()
        for end in ready:
            if end != orders:
                wire.take(end, now)
            elif (read := os.read(orders, _FRAME_BYTES)) == b"":
                return 0
            else:
                *lines, text = (text + read).split(b"\n")
                for line in lines:
                    wire.impair(Impairment(**json.loads(line)))


if __name__ == "__main__":
    sys.exit(main())
