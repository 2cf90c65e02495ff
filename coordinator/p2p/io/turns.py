"""When what somebody says is heard: each address in its turn, and no more at a time than leaves the event loop free for others.

One message may cause hundreds. So it is not messages that are counted but deliveries; an address that has caused more than its share
waits, with all its sockets, and nothing of what it says is lost. In one pass of the event loop only so much is heard from all addresses
together: then whoever is to write has its turn. So a peer that reads never finds its outbox full because it was not yet written to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

from coordinator.p2p.core.guests import Guest
from protocol.limits import KIB

UNIT_BYTES = 8 * KIB
"""Of a message that counts as one: session descriptions of calls are shorter. Longer ones cost in proportion."""

PASS_DELIVERIES = 128
"""Some milliseconds' work."""


def price(size: int) -> int:
    """Of a message of so many bytes, or as many characters, as deliveries are counted."""
    return 1 + max(0, size - 1) // UNIT_BYTES


class Turns:
    """Shared by all that one event loop serves."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._queues: WeakKeyDictionary[Guest, asyncio.Lock] = WeakKeyDictionary()
        self._spent = 0
        """Deliveries since writers had their turn."""
        self._next_pass: asyncio.Event | None = None
        """Where somebody waits for it."""

    def queue(self, guest: Guest) -> asyncio.Lock:
        """To be held from before `wait` to after `charge`, so that the sockets of an address speak one after another."""
        return self._queues.setdefault(guest, asyncio.Lock())

    async def wait(self, guest: Guest) -> None:
        """Until what that address owed is paid, and something more may be done in this pass of the event loop."""
        if (owed_s := guest.deliveries.debt_s(self._now())) > 0:
            await asyncio.sleep(owed_s)
        while self._spent >= PASS_DELIVERIES:
            if self._next_pass is None:
                self._next_pass = asyncio.Event()
                asyncio.get_running_loop().call_soon(self._begin_pass)
            await self._next_pass.wait()

    def charge(self, guest: Guest, deliveries: int) -> None:
        """So much was caused by that address."""
        guest.deliveries.charge(self._now(), deliveries)
        self._spent += deliveries

    def _begin_pass(self) -> None:
        # Every task that could go on when this was asked for has done so: writers that were woken are among them.
        self._spent = 0
        if self._next_pass is not None:
            self._next_pass.set()
            self._next_pass = None
