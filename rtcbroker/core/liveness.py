"""Whether the server at the other end of the link is alive: PING where nothing was heard, and what comes of it.

PING is echoed byte for byte, to us and by us (a server may probe its clients too), so an echo must be told from the other side's own
PING, or the two would send it to and fro for ever. Our pings carry in `time`, which is the sender's to fill as it likes, the negative
of a random origin plus a count: what comes back with such a number is ours, however late.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING

from protocol import packets

if TYPE_CHECKING:
    import random

_ORIGIN_MAX = 2**40
"""Origin and count stay exact in a double."""

_REMEMBERED = 64
"""Pings of which the time of sending is kept; an application that sends more without an answer has lost the link anyway."""

_ECHOED = 8
"""PINGs of the other side that are remembered."""

_LAST_WORDS = 0.3
"""Share of a probe's time in which only its answer counts: the last words of a server that has died may still be on their way."""


class Sign(enum.Enum):
    """What is to be made of the silence."""

    ALIVE = "alive"
    QUIET = "quiet"
    """Time to PING."""
    LOST = "lost"


class Liveness:
    """Deadlines of one link."""

    def __init__(self, interval: float, timeout: float, probe_timeout: float, rng: random.Random) -> None:
        """`interval`: quiet seconds before a PING; `timeout`: before the link is lost; `probe_timeout`: the same once probed."""
        self._interval = interval
        self._timeout = timeout
        self._probe_timeout = probe_timeout
        self._origin = rng.randrange(2**20, _ORIGIN_MAX)
        self._count = 0
        self._sent: dict[int, float] = {}
        self._echoed: deque[bytes] = deque(maxlen=_ECHOED)
        self._probe_ends: float | None = None
        self._last_words_end = 0.0
        self._first_answer = 0
        """The number of the first PING that was sent in the present probe."""
        self.begin(0.0)

    def begin(self, now: float) -> None:
        """The link has opened."""
        self._heard = self._pinged = self._looked = now

    def heard(self, now: float) -> None:
        """Something, whatever it is, came from the server."""
        self._heard = now

    def ping(self, now: float) -> tuple[int, bytes]:
        """A PING to send: its number, and the message."""
        self._count += 1
        self._pinged = now
        if len(self._sent) >= _REMEMBERED:
            del self._sent[next(iter(self._sent))]
        self._sent[self._count] = now
        return self._count, packets.ping(-float(self._origin + self._count))

    def probe(self, now: float) -> None:
        """There is reason to doubt: without a sign of life the link is lost after the probe time-out. The caller pings.

        The echo of that PING ends it at once. Much may be on its way before the echo, so whatever else comes will do when time is up.
        """
        if self._probe_ends is None:
            self._probe_ends = now + self._probe_timeout
            self._last_words_end = now + _LAST_WORDS * self._probe_timeout
            self._first_answer = self._count + 1

    def is_to_be_echoed(self, time: float, data: bytes) -> bool:
        """Whether a PING that came, with this `time`, is the other side's own, and has not been echoed yet.

        The latter because the other side, too, may have forgotten that a PING was its own, and send our echo back once more.
        """
        number = -time - self._origin
        if (0 < number <= self._count and number == int(number)) or data in self._echoed:
            return False
        self._echoed.append(data)
        return True

    def echoed(self, time: float, now: float) -> tuple[int, float] | None:
        """The number of the PING that came back, and the seconds it took; None where it came before, or took too long to be remembered."""
        number = -time - self._origin
        sent = self._sent.pop(int(number), None) if 0 < number <= self._count else None
        if sent is None:
            return None
        if number >= self._first_answer:
            self._probe_ends = None
        return int(number), now - sent

    def look(self, now: float) -> Sign:
        """What the clock says; to be called by :meth:`next_deadline` at the latest."""
        stalled = now - self._looked > self._interval + self._probe_timeout
        self._looked = now
        if stalled:
            # It was us who slept (a laptop closed, a busy loop): the answers may wait to be read. Ask once more before judging.
            self._heard = now
            if self._probe_ends is not None:
                self._probe_ends = None
                self.probe(now)
            return Sign.QUIET
        if now >= self._heard + self._timeout:
            return Sign.LOST
        if self._probe_ends is not None and now >= self._probe_ends:
            if self._heard <= self._last_words_end:
                return Sign.LOST
            self._probe_ends = None
        return Sign.QUIET if now >= max(self._heard, self._pinged) + self._interval else Sign.ALIVE

    def next_deadline(self) -> float:
        """When to look again."""
        deadline = min(max(self._heard, self._pinged) + self._interval, self._heard + self._timeout)
        return deadline if self._probe_ends is None else min(deadline, self._probe_ends)
