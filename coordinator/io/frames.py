"""The newest state of the cluster as text, made once for everyone who looks.

Viewers differ only in which lines of the log they have: the log is the last member of a document, and joined to the rest for each. A
viewer that has fallen behind gets the newest document with all the lines it has missed, never a queue of old ones.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Iterable

from coordinator.core.coordinator import Coordinator
from coordinator.core.feed import PeerToPeerNow
from coordinator.core.overview import Vitals
from coordinator.p2p.core.counts import PeerToPeerStats
from service.process import CpuShare, cpu_seconds, rss_bytes

VERSION = importlib.metadata.version("rtcbroker")


class Frames:
    """Hello and State, encoded."""

    def __init__(self, core: Coordinator, now: Callable[[], float], p2p: Callable[[], Iterable[PeerToPeerStats]] = tuple) -> None:
        self._core = core
        self._p2p = p2p
        self._now = now
        self._started_at = now()
        self._usage: CpuShare | None = None
        self._cpu: float | None = None
        self._head = ""
        self._tails: dict[int, str] = {}
        self._newest = 0

    def hello(self) -> tuple[str, int]:
        """For a new viewer: the text, and the number of the last line in it."""
        overview = self._core.overview
        return encode(overview.hello(self.vitals(), self._now())), overview.journal.newest

    def renew(self) -> None:
        """Take a new picture."""
        now, used = self._now(), cpu_seconds()
        if self._usage is None:
            self._usage = CpuShare(now, used)
        else:
            self._cpu = self._usage.sample(now, used)
        overview = self._core.overview
        self._newest = overview.journal.newest
        document = overview.state(self.vitals(), self._newest, now)
        # Taking it may have written a line, about a server that has fallen silent.
        self._newest = overview.journal.newest
        self._head = encode({name: value for name, value in document.items() if name != "log"})[:-1]
        self._tails = {}

    def forget(self) -> None:
        """Nobody looks: what was used of the processor in the meantime is no share of a second."""
        self._usage = self._cpu = None
        self._head = ""

    def is_there(self) -> bool:
        """A picture was taken."""
        return self._head != ""

    def state(self, since: int) -> tuple[str, int]:
        """For a viewer that has the log up to line `since`: the text, and the number of the last line it has then."""
        tail = self._tails.get(since)
        if tail is None:
            lines = [line for line in self._core.overview.journal.since(since) if line["id"] <= self._newest]
            tail = self._tails[since] = f',"log":{encode(lines)}}}'
        return self._head + tail, max(since, self._newest)

    def vitals(self) -> Vitals:
        """Of this process, as last measured."""
        p2p = [
            PeerToPeerNow(
                protocol=each.protocol,
                rooms=each.rooms,
                members=each.members,
                messages=each.counts.messages,
                errors=each.counts.errors.total(),
            )
            for each in self._p2p()
        ]
        return Vitals(VERSION, self._started_at, self._cpu, rss_bytes(), p2p)


def encode(document: object) -> str:
    """JSON without blanks. Raises ValueError for infinities, which JSON does not have."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False)
