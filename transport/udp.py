"""A UDP socket on the event loop that reads many datagrams in one turn and never holds one back.

asyncio's own datagram transport reads one datagram a turn, so a burst outlasts the socket's buffer, and queues without bound
what the socket does not take.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)

MAX_DATAGRAMS_A_TURN = 64
"""Read from one socket before the loop gets its turn: a flood on one socket delays timers by a few milliseconds at most."""

RECEIVE_BYTES = 4096
"""WebRTC's datagrams stay under 1,500; what is cut off here fails its integrity check later."""


@dataclass(slots=True)
class Traffic:
    """Counters of one or several sockets."""

    datagrams_in: int = 0
    bytes_in: int = 0
    datagrams_out: int = 0
    bytes_out: int = 0
    send_failed: int = 0
    """Datagrams the kernel did not take (buffer full, no route, closed): lost, like any other in the network."""


def _nobody() -> None:
    pass


@dataclass(slots=True)
class Turn:
    """What a set of sockets tells about its reading, for work that is best done once after a burst of datagrams."""

    reading: bool = False
    """Datagrams are being handed out; `ended` follows."""
    ended: Callable[[], None] = _nobody
    """Called once they have been, with `reading` False."""


class UdpSocket:
    """A bound, non-blocking socket whose datagrams go to `receive`."""

    def __init__(
        self,
        sock: socket.socket,
        receive: Callable[[bytes, tuple[Any, ...]], None],
        traffic: Traffic,
        turn: Turn | None = None,
        *,
        busy: bool = False,
    ) -> None:
        """`receive` is called with (data, remote address); should it raise, that datagram is lost and the socket goes on.

        `busy`: many peers send to it, so that there is likely more to read than one datagram.
        """
        self._sock = sock
        self._receive = receive
        self._traffic = traffic
        self._turn = turn or Turn()
        # Datagrams read before the loop gets its turn. Asking in vain costs less than a turn, but more than nothing: a socket with a
        # single peer mostly has one datagram, so it asks once, and twice as often after each turn that did not come to the end.
        self._least = MAX_DATAGRAMS_A_TURN if busy else 1
        self._quota = self._least
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._readable)

    @property
    def address(self) -> tuple[str, int]:
        """Where it is bound."""
        host, port = self._sock.getsockname()[:2]
        return host, port

    @property
    def is_ipv6(self) -> bool:
        """It speaks IPv6, and no IPv4."""
        return self._sock.family == socket.AF_INET6

    @property
    def is_closed(self) -> bool:
        """Nothing comes and goes any more."""
        return self._sock.fileno() < 0

    def send(self, data: bytes, address: tuple[Any, ...]) -> None:
        """Send one datagram, or lose it; never raises, never waits."""
        traffic = self._traffic
        try:
            self._sock.sendto(data, address)
        except OSError:
            traffic.send_failed += 1
        else:
            traffic.datagrams_out += 1
            traffic.bytes_out += len(data)

    def close(self) -> None:
        """Let go of the port. Idempotent."""
        if not self.is_closed:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def _readable(self) -> None:
        turn = self._turn
        turn.reading = True
        try:
            self._read()
        finally:
            turn.reading = False
            turn.ended()

    def _read(self) -> None:
        traffic = self._traffic
        quota = self._quota
        self._quota = min(2 * quota, MAX_DATAGRAMS_A_TURN)
        for _ in range(quota):
            try:
                data, address = self._sock.recvfrom(RECEIVE_BYTES)
            except OSError:  # nothing more, or closed by what the last datagram brought about
                self._quota = self._least
                return
            traffic.datagrams_in += 1
            traffic.bytes_in += len(data)
            try:
                self._receive(data, address)
            except Exception:  # a fault of our own program: its traceback is needed, and the other peers are not to suffer
                logger.exception("a datagram of %d bytes from %s", len(data), address[:2])
