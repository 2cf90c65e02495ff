"""Who may speak a peer-to-peer protocol here: a token in the URL where the cluster wants one, and bounds on every address.

These protocols know no tokens, so the URL is the only place; over TLS it is seen by nobody on the way, and nothing here logs it. Pages of
any origin may come, as at the servers their clients were made for: no cookie speaks for a page here, only what it was given itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from aiohttp import web

from coordinator.core.accounts import Account
from coordinator.core.admission import NO_TOKEN, Refusal, bearer_token, refused_token
from coordinator.core.guests import Guest
from coordinator.io.answers import take_room
from coordinator.io.door import Door
from coordinator.io.turnstile import TURN_S, Turnstile
from coordinator.p2p.core.prices import price
from protocol.codes import Code
from protocol.errors import TokenError
from protocol.tokens import Claims, TokenRole
from service.auth import Authenticator
from service.connections import cost

_ROLES = (TokenRole.CLIENT, TokenRole.ADMIN)

_TOO_MANY_REQUESTS = Refusal(429, Code.RATE_LIMITED, "too many requests from this address")
_TOO_MANY_SOCKETS = Refusal(429, Code.RATE_LIMITED, "too many sockets from this address")
_TOO_MANY_BODIES = Refusal(429, Code.RATE_LIMITED, "too many requests of this address are not whole yet")
_TOO_LATE = Refusal(429, Code.RATE_LIMITED, f"what this address has caused would take longer than {TURN_S:g} s to be made up for")
_TOO_MUCH_OF_ADDRESS = Refusal(429, Code.RATE_LIMITED, "too much of what this address has sent is still kept")
_TOO_MUCH = Refusal(503, Code.SERVER_FULL, "too much is kept here")
_CLAIMS = web.RequestKey("p2p-claims", Claims)


class Access:
    """Judges requests of all three protocols."""

    def __init__(self, turnstile: Turnstile, door: Door, authenticator: Authenticator, *, is_open: bool) -> None:
        """`is_open`: no token is needed, whatever the cluster wants of others."""
        self.turnstile = turnstile
        self.turns = turnstile.turns
        """Of all sockets that are let in here, and all requests."""
        self._guests = turnstile.guests
        self._door = door
        self._authenticator = authenticator
        self._wants_token = authenticator.enabled and not is_open

    async def refuse(
        self, request: web.Request, *, token_needed: Callable[[], bool] = lambda: True, despite_debt: bool = False
    ) -> web.Response | None:
        """The answer to a request that may not come in, None for one that may, when it is its address's turn.

        `token_needed` is asked then; False: something else vouches for it. `despite_debt`: whatever the address owes.
        """
        if not self._guests.request(self.address(request), self.turnstile.now()):
            return await self.turnstile.turn_away(request, _TOO_MANY_REQUESTS)
        if not await self.turnstile.pass_through(request, despite_debt=despite_debt):
            return await self.turnstile.turn_away(request, _TOO_LATE)
        if not self._wants_token or not token_needed():
            return None
        refusal = await self._judge(request)
        return None if refusal is None else self._door.refuse(request, refusal)

    async def answered(self, request: web.Request, answer: Callable[[], tuple[web.Response, int]]) -> web.Response:
        """What `answer` returns, with what it cost beside its own length: for what may take long, in a turn of its own.

        Raises :class:`web.HTTPException` (429) where that does not come in time.
        """
        made: list[web.Response] = []

        def hear() -> int:
            response, cost = answer()
            made.append(response)
            return cost + price(len(response.body) if isinstance(response.body, bytes) else 0)

        await self.turnstile.hear(request, hear, line="answer")
        if not made:  # it may have come just when it was given up
            raise self._refused(request, _TOO_LATE)
        return made[0]

    def enter(self, request: web.Request) -> Guest | web.Response:
        """Count a socket of the guest that this returns, and `leave` has to follow; or an answer."""
        guest = self._guests.enter(self.address(request), self.turnstile.now())
        return self._door.refuse(request, _TOO_MANY_SOCKETS) if guest is None else guest

    def leave(self, request: web.Request) -> None:
        """A socket that was counted is gone, and nothing is kept for it."""
        self._guests.leave(self.address(request))

    def account(self, request: web.Request) -> Account:
        """Of the address it comes from."""
        return self.turnstile.guest(request).account

    def begin_body(self, request: web.Request) -> Guest:
        """Count a body that is to be read of the guest that this returns, and `end_body` has to follow.

        Raises :class:`web.HTTPException` (429) where too many are coming from that address.
        """
        guest = self._guests.begin_body(self.address(request), self.turnstile.now())
        if guest is None:
            raise self._refused(request, _TOO_MANY_BODIES)
        return guest

    def end_body(self, request: web.Request) -> None:
        """A body that was counted is read, or will never be."""
        self._guests.end_body(self.address(request))

    def too_much(self, request: web.Request, *, of_address: bool) -> web.HTTPException:
        """The answer to a body for which there is no room: the address has taken its share (429), or all of them have (503)."""
        return self._refused(request, _TOO_MUCH_OF_ADDRESS if of_address else _TOO_MUCH)

    def expect_answer(self, request: web.Request, size: int) -> None:
        """Something is going to be done whose answer, of some `size` bytes at most, is not to be lost.

        Raises :class:`web.HTTPException` (429, 503) where it would be refused: too much has not left yet.
        """
        outbox = self.turnstile.guest(request).outbox
        taken = take_room(outbox, cost(size))
        if isinstance(taken, Refusal):
            raise self._refused(request, taken)
        outbox.give_back(taken)

    def _refused(self, request: web.Request, refusal: Refusal) -> web.HTTPException:
        """The same answer as others get, to be raised."""
        answer = self._door.refuse(request, refusal)
        made = web.HTTPTooManyRequests if refusal.status == 429 else web.HTTPServiceUnavailable
        return made(headers=answer.headers, text=answer.text)

    def address(self, request: web.BaseRequest) -> str:
        """Where the request comes from."""
        return self.turnstile.address(request)

    @staticmethod
    def token(request: web.Request) -> str:
        """What the client brought in its URL, to be kept in the addresses it is given; empty where it brought none."""
        return request.query.get("access_token", "").strip()

    @staticmethod
    def claims(request: web.Request) -> Claims | None:
        """What the token of an admitted request says; None where none was needed."""
        return request.get(_CLAIMS)

    def is_revoked(self, request: web.Request) -> bool:
        """Whether the token of an admitted request was revoked since."""
        claims = request.get(_CLAIMS)
        return claims is not None and self._authenticator.is_revoked(claims)

    @staticmethod
    def expires_at(request: web.Request) -> float:
        """When the token of an admitted request ends, in seconds since the epoch; never where none was needed."""
        claims = request.get(_CLAIMS)
        return math.inf if claims is None else claims.expires_at

    async def _judge(self, request: web.Request) -> Refusal | None:
        token = bearer_token(request.query, request.headers.get("Authorization"))
        if not token:
            return NO_TOKEN
        try:
            claims = await self._authenticator.verify_patiently(token)
        except TokenError as error:
            return refused_token(error)
        if claims.role not in _ROLES:
            return Refusal(403, Code.WRONG_ROLE, f"the token's role is {claims.role}, {TokenRole.CLIENT} is needed here")
        request[_CLAIMS] = claims
        return None
