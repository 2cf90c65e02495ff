"""Requests over HTTP are answered when it is the turn of the address that they come from, whatever they ask for.

Who reads a page, the metrics or the API, or joins as a topic client, waits whatever its address owes: debts are of peer-to-peer messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from aiohttp import web
from aiohttp.typedefs import Handler

from coordinator.core.admission import Refusal
from coordinator.core.guests import Guest, Guests, Network, client_address
from coordinator.io.door import Door
from coordinator.io.turns import REQUEST_DELIVERIES, Turns
from protocol.codes import Code
from service.clock import Clock

TURN_S = 10.0
"""For a request to be heard, as long as for its body to come: about then clients give up."""

_OVERLOADED = Refusal(503, Code.SERVER_FULL, f"more is asked here than can be answered within {TURN_S:g} s")


class Turnstile:
    """Of all ports of a coordinator."""

    def __init__(self, door: Door, guests: Guests, clock: Clock, trusted: tuple[Network, ...] = ()) -> None:
        """`guests`: what addresses may cost. `trusted`: our proxies."""
        self.guests = guests
        self.now = clock.now
        self.turns = Turns(clock.now)
        """Of all requests, and of all sockets that share them."""
        self._door = door
        self._trusted = trusted

    def address(self, request: web.BaseRequest) -> str:
        """Where the request comes from."""
        return client_address(request.remote or "", request.headers.getall("X-Forwarded-For", []), self._trusted)

    def guest(self, request: web.BaseRequest) -> Guest:
        """What that address may cost, and does."""
        return self.guests.guest(self.address(request), self.now())

    async def pass_through(self, request: web.Request, *, despite_debt: bool = False) -> bool:
        """Wait for the turn of a request. False when it does not come in time."""
        return await self.hear(request, _nothing, despite_debt=despite_debt, beside=REQUEST_DELIVERIES, line="request")

    async def turn_away(self, request: web.Request, refusal: Refusal) -> web.Response:
        """The answer to a request that may not come in, in its turn: to refuse takes its time, too, and many may have to be refused."""
        await self.turns.take(self.guest(request), _nothing, despite_debt=True, beside=REQUEST_DELIVERIES, line="refusal")
        return self._door.refuse(request, refusal)

    async def hear(
        self, request: web.Request, hear: Callable[[], int], *, line: str, despite_debt: bool = False, beside: int = 0
    ) -> bool:
        """Call `hear`, which returns what it cost, in the turn of that request's address; see :meth:`Turns.take`.

        False when that does not come in time; but it may have come just when it was given up.
        """
        guest = self.guest(request)
        if self.turns.take_now(guest, hear, beside=beside):
            return True
        try:
            async with asyncio.timeout(TURN_S):
                await self.turns.take(guest, hear, despite_debt=despite_debt, beside=beside, line=line)
        except TimeoutError:
            return False
        return True

    async def wait(self, request: web.Request) -> Refusal | None:
        """For what no debt is of: None when its turn has come, or why it will not in time."""
        return None if await self.pass_through(request, despite_debt=True) else _OVERLOADED

    @web.middleware
    async def in_vain(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What is asked where nothing is, or with another method, is answered then, too."""
        if request.match_info.http_exception is not None and (refusal := await self.wait(request)) is not None:
            return self._door.refuse(request, refusal)
        return await handler(request)

    def in_turn(self, routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
        """The same routes, each answered then."""

        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            refusal = await self.wait(request)
            return await handler(request) if refusal is None else self._door.refuse(request, refusal)

        return [web.RouteDef(each.method, each.path, partial(answer, handler=each.handler), each.kwargs) for each in routes]


def _nothing() -> int:
    """What is owed for a request was charged when it was counted."""
    return 0
