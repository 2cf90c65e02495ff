"""What waits to be sent in answer to HTTP requests counts for the address that asked, beside what waits for its WebSockets, and so does what it
asks.

An answer may be long because of what others have said, and whoever asked need not read it. Where there is no room for it something short
goes out in its place, with which the connection ends.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

from aiohttp import web

from coordinator.core.admission import Refusal
from coordinator.core.guests import Guests
from coordinator.core.store import Store
from coordinator.io.api_gate import problem_of, told
from coordinator.io.door import Door, request_id_of
from protocol.codes import Code
from protocol.limits import KIB

OF_ADDRESS = Refusal(429, Code.RATE_LIMITED, "too much that is for this address has not left yet")
OF_ALL = Refusal(503, Code.SERVER_FULL, "too much has not left yet")

ASKED_BYTES = 128 * 1024 * KIB
ASKED_ADDRESS_BYTES = 32 * 1024 * KIB
"""As many of the longest bodies at once, and thousands of requests. A proxy is one address here, trusted or not: it sends what is whole."""

_API = "/api/"
_KEPT_HEADERS = "access-control-"
"""The beginning of those without which a page may not read an answer."""


def take_room(outbox: Store, size: int) -> int | Refusal:
    """Let so many bytes wait to be sent there. Returns what was taken, or why it was not.

    What is more than an address may have at all takes all of that: else it could never be told.
    """
    size = min(size, outbox.max_bytes)
    if outbox.take(size):
        return size
    return OF_ALL if outbox.fits(size) else OF_ADDRESS


class Answers:
    """Implements :class:`service.connections.Outlet`."""

    def __init__(self, door: Door, guests: Guests, address: Callable[[web.BaseRequest], str], now: Callable[[], float]) -> None:
        """`guests`: of the addresses that `address` says requests come from."""
        self._door = door
        self.guests = guests
        self._address = address
        self._now = now
        self._asked = Guests(0, 0, 0, max_waiting_bytes=ASKED_BYTES, max_address_bytes=ASKED_ADDRESS_BYTES)

    def account(self, peer: str) -> Store:
        """Of what has come from there and is not answered yet: heads, bodies, and requests behind others."""
        return self._asked.guest(peer, self._now()).account

    def held(self) -> dict[str, int]:
        """Bytes of all addresses: that wait to be sent, of what they have said and is kept, and of requests that are not answered."""
        return {"to_send": self.guests.waiting, "said": self.guests.kept, "asked": self._asked.kept}

    def admit(self, request: web.BaseRequest, answer: web.Response, size: int) -> Callable[[], None] | web.Response:
        """Count an answer on the account of its address, or refuse it."""
        outbox = self.guests.guest(self._address(request), self._now()).outbox
        taken = take_room(outbox, size)
        if isinstance(taken, Refusal):
            return self._refused(cast(web.Request, request), answer, taken)  # all requests are an application's
        return partial(outbox.give_back, taken)

    def _refused(self, request: web.Request, answer: web.Response, refusal: Refusal) -> web.Response:
        if request.path.startswith(_API):
            return told(problem_of(refusal), request_id_of(request))
        refused = self._door.refuse(request, refusal)
        refused.headers.update({name: value for name, value in answer.headers.items() if name.lower().startswith(_KEPT_HEADERS)})
        return refused
