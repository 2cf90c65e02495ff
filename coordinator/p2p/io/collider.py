"""AppRTC's Collider by HTTP, beside its WebSocket: messages of clients that have none, their end, and the prober's question.

Tokens: a WebSocket brings one in its URL, as the room server wrote it. `POST` and `DELETE` have no query, so there the pair of room and
client id is the capability, as at the room server. It holds on after the client has left its room, since that comes first, until
Collider has forgotten the client too. For any other pair a POST takes a token, and a DELETE does if there is such a client.
"""

from __future__ import annotations

import html
import json
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from aiohttp import hdrs, web

from coordinator.p2p.core.apprtc_service import AppRtc
from coordinator.p2p.core.prices import price
from coordinator.p2p.io.access import Access
from coordinator.p2p.io.bodies import whole_body
from coordinator.p2p.io.socket import SocketEndpoint
from protocol.limits import KIB

_TEXT = "text/plain; charset=utf-8"
_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST, DELETE"}
_STATUS_HEADERS = {**_CORS, "Access-Control-Allow-Methods": "GET", hdrs.CONTENT_TYPE: "application/json; charset=utf-8"}


_Remove = Callable[[str, str, float], None]
"""Of a room, a client, and the time."""


class ColliderServer:
    """The handlers. One serves any number of prefixes and ports."""

    def __init__(self, service: AppRtc, sockets: SocketEndpoint, access: Access, *, max_message_bytes: int = 1024 * KIB) -> None:
        """`sockets` serves those of the same `service`."""
        self._service = service
        self._sockets = sockets
        self._access = access
        self._max_message_bytes = max_message_bytes
        self._started = sockets.now()

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Everything below `prefix`: empty, or a path without a slash at its end. They take every path that no other route takes."""
        return [
            web.route("*", f"{prefix}/ws", self._socket),
            web.route("*", f"{prefix}/status", self._status),
            web.route("*", f"{prefix}/{{path:.*}}", self._client(prefix)),
        ]

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if request.method == hdrs.METH_GET and web.WebSocketResponse().can_prepare(request):
            return await self._sockets.handle(request)
        if (refusal := await self._access.refuse(request, token_needed=lambda: False)) is not None:
            return refusal
        if request.method != hdrs.METH_GET:
            raise web.HTTPMethodNotAllowed(request.method, [hdrs.METH_GET])
        return web.Response(status=400, text="not websocket protocol")

    async def _status(self, request: web.Request) -> web.Response:
        refusal = await self._access.refuse(request, token_needed=lambda: False)
        if refusal is not None:
            return refusal
        collider = self._service.collider
        report = {
            "upsec": round(self._sockets.now() - self._started, 3),
            "openws": collider.registered,
            "totalws": collider.registrations,
            "wserrors": collider.ws_errors,
            "httperrors": collider.http_errors,
        }
        return web.Response(text=json.dumps(report, separators=(",", ":")) + "\n", headers=_STATUS_HEADERS)

    def _client(self, prefix: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The handler of `/{room}/{client}`, and of what is neither that nor anything else."""

        async def handle(request: web.Request) -> web.Response:
            path = unquote(request.rel_url.raw_path.removeprefix(prefix))
            try:
                answer = await self._answer(request, path)
            except web.HTTPException as refusal:
                refusal.headers.update(_CORS)
                raise
            answer.headers.update(_CORS)
            return answer

        return handle

    async def _answer(self, request: web.Request, path: str) -> web.Response:
        match path.split("/"), request.method:
            case ["", room, client], hdrs.METH_POST if room and client:
                return await self._post(request, room, client)
            case ["", room, client], hdrs.METH_DELETE if room and client:
                return await self._remove(request, room, client, self._service.delete)
            case ["", "bye", room, client], hdrs.METH_POST if room and client:
                return await self._remove(request, room, client, self._service.bye)
        refusal = await self._access.refuse(request, token_needed=lambda: False)
        if refusal is not None:
            return refusal
        match path.split("/"):
            case ["", room, client] if room and client:
                return _text(200, "")
        return _error(self._service.collider.refuse_request(f"Invalid path: {html.escape(path)}", "invalid_path"))

    async def _post(self, request: web.Request, room: str, client: str) -> web.Response:
        refusal = await self._access.refuse(request, token_needed=lambda: not self._service.vouches(room, client))
        if refusal is not None:
            return refusal
        # Of a body without a length it is not known whether it is empty, which is another answer.
        account = self._access.account(request)
        problem = self._service.has_no_place(room, client, account, self._sockets.now()) if request.content_length else None
        self._sockets.settle()
        if problem is not None:
            return _error(problem)
        async with whole_body(request, self._access, self._max_message_bytes) as body:

            def answer() -> tuple[web.Response, int]:
                text = body.data.decode("utf-8", "replace")
                problem = self._service.post(room, client, text, body.account, self._sockets.now())
                cost = max(price(len(body.data)), self._sockets.settle())
                return _text(200, "OK\n") if problem is None else _error(problem), cost

            return await self._access.answered(request, answer)

    async def _remove(self, request: web.Request, room: str, client: str, remove: _Remove) -> web.Response:
        """DELETE, and the `bye` of those who take Collider for the one to tell, which ends the stay in the room in any case."""

        def is_stranger() -> bool:
            return self._service.holds(room, client) and not self._service.vouches(room, client)

        refusal = await self._access.refuse(request, token_needed=is_stranger, despite_debt=True)
        if refusal is not None:
            return refusal
        remove(room, client, self._sockets.now())
        self._sockets.settle()
        return _text(200, "OK\n")


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, body=text.encode("utf-8", "replace"), headers={hdrs.CONTENT_TYPE: _TEXT})


def _error(text: str) -> web.Response:
    answer = _text(500, f"{text}\n")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
