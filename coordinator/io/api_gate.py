"""What stands around every request to the API: bounds, a token, a name for the logs, and one shape for whatever goes wrong."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion11, web

from coordinator.core.admission import Refusal, bearer_token, refused_token
from coordinator.core.api_problems import ApiError, of_status
from coordinator.core.guests import Guests
from coordinator.io.door import REQUEST_ID_HEADER, Door, request_id_of
from protocol.codes import Code
from protocol.errors import TokenError
from protocol.limits import KIB
from protocol.tokens import Claims, TokenRole, anonymous
from service.auth import Authenticator

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 512 * KIB
"""Of a request: room for the largest packet, with every character of it escaped."""

OPERATION = web.RequestKey("api-operation", str)

_CLOSED = (
    "the cluster runs without authentication, so anyone who reaches this port could use the API; it is closed unless the coordinator is "
    "started with --api-open"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate:
    """Judges requests, and tells what became of them."""

    def __init__(
        self,
        authenticator: Authenticator,
        door: Door,
        guests: Guests,
        now: Callable[[], float],
        address: Callable[[web.Request], str],
        wait: Callable[[web.Request], Awaitable[Refusal | None]],
        *,
        is_open: bool,
    ) -> None:
        """`wait`: for the turn of a request, and why it does not come. `is_open`: where the cluster runs without authentication, the API does too."""
        self._authenticator = authenticator
        self._door = door
        self._guests = guests
        self._now = now
        self._address = address
        self._wait = wait
        self._is_open = is_open
        self.requests: Counter[tuple[str, int]] = Counter()
        """Answered so far, by operation and status."""

    async def caller(self, request: web.Request) -> Claims:
        """The administrator who asks. Raises :class:`ApiError`."""
        if not self._authenticator.enabled:
            if not self._is_open:
                raise ApiError(403, "api-closed", _CLOSED)
            return anonymous(TokenRole.ADMIN)
        token = bearer_token({}, request.headers.get("Authorization"))
        if not token:
            challenge = {"WWW-Authenticate": 'Bearer realm="rtcbroker"'}
            raise ApiError(401, "token-needed", "a token is needed: 'Authorization: Bearer ..'", headers=challenge)
        try:
            claims = await self._authenticator.verify_patiently(token)
        except TokenError as error:
            raise problem_of(refused_token(error)) from error
        if claims.role is not TokenRole.ADMIN:
            raise problem_of(
                Refusal(403, Code.WRONG_ROLE, f"the token's role is {claims.role}, {TokenRole.ADMIN} is needed here")
            )
        return claims

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A middleware: the handler's answer, or a problem."""
        name = request_id_of(request)
        try:
            await self._let_in(request)
            response = await handler(request)
        except ApiError as error:
            response = told(error, name)
        except web.HTTPException as error:
            response = told(_of_aiohttp(error), name)
        except Exception:
            log.exception("a request to the API failed", extra={"request_id": name})
            response = told(of_status(500, "something failed at the coordinator; its log says what"), name)
        response.headers[REQUEST_ID_HEADER] = name
        response.headers["Cache-Control"] = "no-store"
        self.requests[request.get(OPERATION, "none"), response.status] += 1
        return response

    async def expect(self, request: web.Request) -> web.StreamResponse | None:
        """A request has a header Expect, which aiohttp meets before any middleware: None to go on, or else a problem."""
        if request.version < HttpVersion11:  # which knows no such header (RFC 9110 section 10.1.1)
            return None
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # or aiohttp would take the answer for begun, should something fail
            return None

        async def refuse(request: web.Request) -> web.StreamResponse:
            raise of_status(417, "of Expect only '100-continue' is known")

        return await self.answer(request, refuse)

    async def _let_in(self, request: web.Request) -> None:
        late = await self._wait(request)
        if late is not None:
            raise problem_of(late)
        if not self._guests.request(self._address(request), self._now()):
            raise ApiError(429, "too-many-requests", "too many requests from this address", headers={"Retry-After": "1"})
        refusal = self._door.foreign(request)
        if refusal is not None:
            raise problem_of(refusal)


def problem_of(refusal: Refusal) -> ApiError:
    """What is told of it here."""
    headers = {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = (
            f'Bearer realm="rtcbroker", error="invalid_token", error_description="{refusal.code.reason}"'
        )
    if refusal.status in (429, 503):
        headers["Retry-After"] = "1"
    kind = refusal.code.name.lower().replace("_", "-")
    return ApiError(refusal.status, kind, refusal.detail, code=int(refusal.code), headers=headers)


def _of_aiohttp(error: web.HTTPException) -> ApiError:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    if error.status == 404:
        return of_status(404, "there is nothing here; GET /api/v1/openapi.json says what there is")
    if error.status == 405:
        return of_status(405, f"only {headers.get('Allow', 'other methods')} here", headers)
    return of_status(error.status, (error.text or "").strip(), headers)


def told(error: ApiError, request_id: str) -> web.Response:
    """The answer that tells it."""
    problem = error.problem(request_id).model_dump_json(exclude_none=True)
    return web.Response(status=error.status, text=problem, content_type="application/problem+json", headers=error.headers)
