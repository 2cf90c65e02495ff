"""The way out: frames into outboxes, ends into sockets. Ending a peer is put off until the event at hand is dealt with.

A send may find its receiver too slow, which ends that peer, which other peers are told, which may find one of these too slow. So
`close` only notes the end; the coordinator carries the noted ends out one after the other, and nobody's tables change under a loop.
"""

from __future__ import annotations

import logging
from collections import deque

from coordinator.core.outputs import Close, Output, Wake
from coordinator.core.registry import Peer
from coordinator.core.stats import Stats
from protocol.codes import Code, describe

log = logging.getLogger(__name__)


class Post:
    """Collects outputs until they are drained."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._outputs: list[Output] = []
        self._doomed: deque[Peer] = deque()

    def emit(self, output: Output) -> None:
        """Add an output."""
        self._outputs.append(output)

    def send(self, peer: Peer, frame: bytes) -> None:
        """Queue a frame for a peer; the peer is closed when it has too many waiting."""
        if peer.doomed:
            return
        was_empty = len(peer.outbox) == 0
        if not peer.outbox.push(frame):
            self.close(peer, Code.SLOW_CONSUMER)
        elif was_empty:
            self.emit(Wake(peer.key))

    def close(self, peer: Peer, code: Code, reason: str = "") -> None:
        """End a peer. What still waits for it is dropped."""
        if peer.doomed:
            return
        log.info("%s closed: %s", peer, describe(code), extra=peer.names)
        peer.doomed = True
        peer.outbox.clear()
        self._stats.closed[code] += 1
        self.emit(Close(peer.key, code, reason or code.reason))
        self._doomed.append(peer)

    def next_doomed(self) -> Peer | None:
        """The next peer whose end is to be carried out."""
        return self._doomed.popleft() if self._doomed else None

    def drain(self) -> list[Output]:
        """The outputs since the last call, in order."""
        outputs, self._outputs = self._outputs, []
        return outputs
