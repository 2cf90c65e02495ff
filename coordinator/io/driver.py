"""Moves events into the core and its outputs out: one pump, one timer.

Every entry point does the same: put the event in line, then, unless that is already under way further up the stack, take one event after
the other and carry out all its outputs before the next. A backplane or a socket that calls back from inside an output thus never
meets the core half-way.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from coordinator.core.admission import Admission, Refusal
from coordinator.core.cluster import Deed, Disconnect, Forward, Revocation, ServerState
from coordinator.core.coordinator import Coordinator
from coordinator.core.operations import Operations
from coordinator.core.outputs import Close, Dismiss, Output, Ping, Wake
from coordinator.io.backplane import Backplane, BackplaneStats
from protocol.codes import Code
from service.clock import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")


class Socket(Protocol):
    """A peer's connection, as the driver uses it. None of the calls waits."""

    def wake(self) -> None:
        """Frames can be taken."""
        ...

    def ping(self) -> None:
        """Send a ping."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close with a code, and send nothing more."""
        ...


class Driver:
    """The one owner of a :class:`Coordinator`; implements :class:`coordinator.io.backplane.BackplaneEvents`."""

    def __init__(self, core: Coordinator, backplane: Backplane, clock: Clock) -> None:
        self.core = core
        self._backplane = backplane
        self._clock = clock
        self._sockets: dict[int, Socket] = {}
        self._keys = itertools.count(1)
        self._events: deque[Callable[[], object]] = deque()
        self._pumping = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self._started = False
        self.dismissers: list[Callable[[Dismiss], None]] = []
        """Those who let others in than the core's peers."""

    async def start(self) -> None:
        """Join the cluster."""
        await self._backplane.start(self)
        self._started = True

    async def close(self) -> None:
        """Close all sockets with COORDINATOR_STOPPING and leave the cluster. Idempotent."""
        self._started = False
        self._post(lambda: self.core.stop(self.now()))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._backplane.close()

    def problem(self) -> str | None:
        """Why no peer can join just now, or None."""
        return self._backplane.problem() if self._started else "stopping, or not started yet"

    def unready(self) -> str | None:
        """Why peers had better join elsewhere just now, although some might be let in; or None."""
        return self.problem() or self._backplane.degraded()

    def away(self) -> str | None:
        """Why other coordinators cannot be told anything just now, or None."""
        return self._backplane.away()

    def backplane_stats(self) -> BackplaneStats:
        """How things stand with the other coordinators."""
        return self._backplane.stats()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.now()

    # Events of sockets

    def refused(self, path: str, refusal: Refusal) -> None:
        """A peer was refused before the upgrade."""
        self._post(lambda: self.core.refused(path, refusal, self.now()))

    def joined(self, socket: Socket, admission: Admission) -> int:
        """A socket was let in; returns its key."""
        key = next(self._keys)
        self._sockets[key] = socket
        self._post(lambda: self.core.joined(key, admission, self.now()))
        return key

    def frame(self, key: int, data: bytes) -> None:
        """A binary frame came."""
        self._post(lambda: self.core.frame(key, data, self.now()))

    def misframed(self, key: int, detail: str, code: Code = Code.BAD_MESSAGE) -> None:
        """Something came that is no binary frame, or none that can be taken."""
        self._post(lambda: self.core.misframed(key, detail, self.now(), code))

    def heard(self, key: int) -> None:
        """A ping or a pong came."""
        self.core.heard(key, self.now())

    def left(self, key: int) -> None:
        """The socket is gone."""
        self._sockets.pop(key, None)
        self._post(lambda: self.core.left(key, self.now()))

    def take(self, key: int) -> bytes | None:
        """The next frame to send."""
        return self.core.take(key, self.now())

    # Events of the backplane

    def claimed(self, key: int, alias: int, granted: bool) -> None:
        """The answer to a Claim."""
        self._post(lambda: self.core.claimed(key, alias, granted, self.now()))

    def evicted(self, key: int) -> None:
        """The alias of that socket went to another one."""
        self._post(lambda: self.core.evicted(key, self.now()))

    def forwarded(self, forward: Forward, on_missing: Callable[[Forward], None]) -> None:
        """A frame from another coordinator."""

        def event() -> None:
            if not self.core.forwarded(forward, self.now()):
                on_missing(forward)

        self._post(event)

    def undeliverable(self, forward: Forward) -> None:
        """A frame that was forwarded found nobody."""
        self._post(lambda: self.core.undeliverable(forward, self.now()))

    def server_up(self, state: ServerState, node: str) -> None:
        """A server of another coordinator."""
        self._post(lambda: self.core.server_up(state, node, self.now()))

    def server_down(self, alias: int, node: str) -> None:
        """It went."""
        self._post(lambda: self.core.server_down(alias, node, self.now()))

    def server_reported(self, alias: int, frame: bytes, node: str) -> None:
        """It sent a SERVER_REPORT."""
        self._post(lambda: self.core.server_reported(alias, frame, node, self.now()))

    def revoked(self, revocation: Revocation) -> None:
        """Another coordinator made or lifted a revocation."""
        self._post(lambda: self.core.revoked(revocation, self.now()))

    def disconnected(self, disconnect: Disconnect) -> None:
        """Another coordinator wants somebody disconnected."""
        self._post(lambda: self.core.disconnected(disconnect, self.now()))

    def done(self, deed: Deed) -> None:
        """Somebody asked another coordinator for something."""
        self._post(lambda: self.core.done_elsewhere(deed, self.now()))

    def rejoined(self) -> None:
        """The other coordinators can be reached again."""
        self._post(lambda: self.core.rejoined(self.now()))

    # Those who look after the cluster

    def operate(self, operation: Callable[[Operations], T]) -> T:
        """Do what is asked by one of the operations, and carry out what follows. Not to be called from inside an output."""
        results: list[T] = []
        self._post(lambda: results.append(self.core.operate(operation, self.now())))
        (result,) = results
        return result

    def note(self, deed: Deed, *, often: bool = False) -> None:
        """Show all dashboards what was done."""
        self._post(lambda: self.core.done(deed, self.now(), often=often))

    # The pump

    def _post(self, event: Callable[[], object]) -> None:
        self._events.append(event)
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._events:
                self._events.popleft()()
                for output in self.core.outputs():
                    self._perform(output)
        finally:
            self._pumping = False
        self._set_timer()

    def _perform(self, output: Output) -> None:
        if isinstance(output, Dismiss):
            for dismiss in self.dismissers:
                dismiss(output)
            return
        if not isinstance(output, Wake | Ping | Close):
            self._backplane.perform(output)
            return
        socket = self._sockets.get(output.key)
        if socket is None:
            return
        match output:
            case Wake():
                socket.wake()
            case Ping():
                socket.ping()
            case Close():
                socket.close(int(output.code), output.reason)

    def _set_timer(self) -> None:
        deadline = self.core.next_deadline()
        if deadline is None or not self._started:
            return
        # A timer that fires too early costs one look; setting a new one for each frame would cost more.
        if self._timer is not None and self._timer_at <= deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - self.now()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._post(lambda: self.core.tick(self.now()))
