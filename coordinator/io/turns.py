"""When what somebody says is heard: each address in its turn, and no more at a time than leaves the event loop free for others.

One message may cause hundreds. So it is not messages that are counted but deliveries; an address that has caused more than its share
waits, with all its sockets, and nothing of what it says is lost. In one pass of the event loop only so much is heard from all addresses
together, of each that waits one message and then the next: then whoever is to write has its turn. So a peer that reads never finds its
outbox full because it was not yet written to.

What a message costs is told by its length, and by whom it goes to; but some are made to take long to be read. So it is also measured, and the
address owes whichever is more. Processor time, not time: what else the machine has to do is nobody's fault here.

Requests by HTTP are heard in turn, too. Most of what one costs is not in what is called here, but around it, where it is read and answered.

That somebody leaves is told in turn, too, since it may be told to hundreds; but it does not wait until its address owes nothing, since others
would go on seeing who is not there.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from coordinator.core.guests import Guest

PASS_DELIVERIES = 128
"""Some milliseconds' work."""

PASS_S = 0.005
"""What of it takes longer ends its pass."""

DELIVERY_S = 40e-6
"""Of a processor: twice what a delivery takes, for on a busy machine everything does, and that is nobody's fault."""

TURN_S = 200e-6
"""Of a processor: what a turn takes that is not counted beside its price. Most messages of any protocol take half of it."""

REQUEST_DELIVERIES = 16
"""What a request takes of a pass by being read and answered, some 300 µs. It is not owed: requests have a bound of their own."""


class _Turn(NamedTuple):
    hear: Callable[[], int]
    beside: int
    """Deliveries that it takes of its pass, beside what is owed."""
    is_over: asyncio.Future[None]


class _Line(NamedTuple):
    """Those who wait one behind the other."""

    guest: Guest
    despite_debt: bool
    name: str = ""


class Turns:
    """Shared by all that one event loop serves."""

    def __init__(self, now: Callable[[], float], worked: Callable[[], float] = time.thread_time) -> None:
        """`worked`: seconds that a processor has worked for us."""
        self._now = now
        self._worked = worked
        self._waiting: dict[_Line, deque[_Turn]] = {}
        """The line whose turn is next comes first. None is empty."""
        self._spent = 0
        """Deliveries since writers had their turn."""
        self._next: asyncio.TimerHandle | asyncio.Handle | None = None
        self._next_in = math.inf
        self._is_ending = False

    def take_now(self, guest: Guest, hear: Callable[[], int], *, beside: int = 0) -> bool:
        """Call `hear`, which returns what it cost, unless that address has to wait. Whether it was called.

        `beside`: deliveries that it takes of its pass and that are not owed.
        """
        if self._waiting or self._spent >= PASS_DELIVERIES or guest.deliveries.in_debt(self._now()):
            return False
        self._hear(guest, hear, beside)
        return True

    async def take(
        self, guest: Guest, hear: Callable[[], int], *, despite_debt: bool = False, beside: int = 0, line: str = ""
    ) -> None:
        """Call `hear`, which returns what it cost, when it is the turn of that address and it owes nothing.

        Of those of an address that wait in different lines, none is behind the others.
        """
        if self.take_now(guest, hear, beside=beside):
            return
        place = _Line(guest, despite_debt, line)
        turn = self._ask(place, hear, beside)
        try:
            await turn.is_over
        except asyncio.CancelledError:
            self._forget(place, turn)
            raise

    def ask(self, guest: Guest, hear: Callable[[], int]) -> None:
        """The same, but not now, whatever that address owes, and without waiting for it."""
        self._ask(_Line(guest, True), hear)

    def charge(self, guest: Guest, deliveries: int) -> None:
        """So much was caused by that address."""
        guest.deliveries.charge(self._now(), deliveries)
        self._spent += max(1, deliveries)  # it takes its time to see that nothing is to be done

    def end(self) -> None:
        """Hear everybody who waits, whatever they owe, from now on: it will be over soon. Idempotent."""
        self._is_ending = True
        if self._waiting:
            self._go_on(0.0)

    def _hear(self, guest: Guest, hear: Callable[[], int], beside: int) -> None:
        """Charge what it costs or what it takes, whichever is more."""
        began = self._worked()
        cost = hear()
        taken = (self._worked() - began - TURN_S) / DELIVERY_S
        self.charge(guest, max(cost, math.ceil(taken)))
        self._spent += beside

    def _ask(self, line: _Line, hear: Callable[[], int], beside: int = 0) -> _Turn:
        turn = _Turn(hear, beside, asyncio.get_running_loop().create_future())
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
            owed_s = 0.0 if line.despite_debt or self._is_ending else line.guest.deliveries.debt_s(now)
            if owed_s > 0:
                soonest = min(soonest, owed_s)
                continue
            turns = self._waiting.pop(line)
            self._let(line.guest, turns.popleft())
            if turns:
                self._waiting[line] = turns  # behind all others
                round_robin.append(line)
        if self._waiting:
            self._go_on(0.0 if round_robin else soonest)

    def _let(self, guest: Guest, turn: _Turn) -> None:
        if turn.is_over.done():
            return
        try:
            self._hear(guest, turn.hear, turn.beside)
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
