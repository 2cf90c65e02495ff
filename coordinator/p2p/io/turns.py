"""When what somebody says is heard: each address in its turn, and no more at a time than leaves the event loop free for others.

One message may cause hundreds. So it is not messages that are counted but deliveries; an address that has caused more than its share
waits, with all its sockets, and nothing of what it says is lost. In one pass of the event loop only so much is heard from all addresses
together, of each that waits one message and then the next: then whoever is to write has its turn. So a peer that reads never finds its
outbox full because it was not yet written to.

That somebody leaves is told in turn, too, since it may be told to hundreds; but it does not wait until its address owes nothing, since others
would go on seeing who is not there.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from coordinator.p2p.core.guests import Guest

PASS_DELIVERIES = 128
"""Some milliseconds' work."""

PASS_S = 0.005
"""What of it takes longer ends its pass."""


class _Turn(NamedTuple):
    hear: Callable[[], int]
    is_over: asyncio.Future[None]


class _Line(NamedTuple):
    """Those who wait one behind the other."""

    guest: Guest
    despite_debt: bool


class Turns:
    """Shared by all that one event loop serves."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._waiting: dict[_Line, deque[_Turn]] = {}
        """The line whose turn is next comes first. None is empty."""
        self._spent = 0
        """Deliveries since writers had their turn."""
        self._next: asyncio.TimerHandle | asyncio.Handle | None = None
        self._next_in = math.inf

    def take_now(self, guest: Guest, hear: Callable[[], int]) -> bool:
        """Call `hear`, which returns what it cost, unless that address has to wait. Whether it was called."""
        if self._waiting or self._spent >= PASS_DELIVERIES or guest.deliveries.in_debt(self._now()):
            return False
        self.charge(guest, hear())
        return True

    async def take(self, guest: Guest, hear: Callable[[], int], *, despite_debt: bool = False) -> None:
        """Call `hear`, which returns what it cost, when it is the turn of that address and it owes nothing."""
        if self.take_now(guest, hear):
            return
        line = _Line(guest, despite_debt)
        turn = self._ask(line, hear)
        try:
            await turn.is_over
        except asyncio.CancelledError:
            self._forget(line, turn)
            raise

    def ask(self, guest: Guest, hear: Callable[[], int]) -> None:
        """The same, but not now, whatever that address owes, and without waiting for it."""
        self._ask(_Line(guest, True), hear)

    def charge(self, guest: Guest, deliveries: int) -> None:
        """So much was caused by that address."""
        guest.deliveries.charge(self._now(), deliveries)
        self._spent += max(1, deliveries)  # it takes its time to see that nothing is to be done

    def _ask(self, line: _Line, hear: Callable[[], int]) -> _Turn:
        turn = _Turn(hear, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(line, deque()).append(turn)
        self._go_on(0.0)
        return turn

    def _go_on(self, delay: float) -> None:
        """Hear those who wait, that much later: at once means after every task that can go on now."""
        if delay >= self._next_in:
            return
        if self._next is not None:
            self._next.cancel()
        loop = asyncio.get_running_loop()
        self._next_in = delay
        self._next = loop.call_later(delay, self._pass) if delay else loop.call_soon(self._pass)

    def _pass(self) -> None:
        """Writers that were woken have had their turn."""
        self._next, self._next_in, self._spent = None, math.inf, 0
        now, soonest = self._now(), math.inf
        round_robin = deque(self._waiting)
        while round_robin and self._spent < PASS_DELIVERIES and self._now() < now + PASS_S:
            line = round_robin.popleft()
            owed_s = 0.0 if line.despite_debt else line.guest.deliveries.debt_s(now)
            if owed_s > 0:
                soonest = min(soonest, owed_s)
                continue
            turns = self._waiting.pop(line)
            self._hear(line.guest, turns.popleft())
            if turns:
                self._waiting[line] = turns  # behind all others
                round_robin.append(line)
        if self._waiting:
            self._go_on(0.0 if round_robin else soonest)

    def _hear(self, guest: Guest, turn: _Turn) -> None:
        if turn.is_over.done():
            return
        try:
            self.charge(guest, turn.hear())
        except Exception as error:  # it is for the one whose turn it was, and not for those behind
            turn.is_over.set_exception(error)
        else:
            turn.is_over.set_result(None)

    def _forget(self, line: _Line, turn: _Turn) -> None:
        turns = self._waiting.get(line, deque())
        if turn in turns:
            turns.remove(turn)
        if not turns:
            self._waiting.pop(line, None)
