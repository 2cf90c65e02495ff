"""AppRTC's room server by HTTP: reads requests, asks the core, writes answers as that system's clients know them.

Tokens: a client brings `?access_token=..` wherever it brings a query (pages, `/params`, `/join`, `/message`), and every address of ours that
it is told has it too. `/leave` and `/bye` come without a query. There the pair of room and client id is the capability: the id was drawn
at a join that was let in, and told to that client alone. A pair that nobody holds needs no token either, since nothing happens to it and
the answer is the same. What is left is the loopback occupant, whose id everyone knows: to remove it takes a token.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from aiohttp import hdrs, web

from coordinator.core.ice import IceServers
from coordinator.core.origins import origin_at
from coordinator.p2p.core import apprtc_params
from coordinator.p2p.core.apprtc import Joined, Result
from coordinator.p2p.core.apprtc_events import judge_event
from coordinator.p2p.core.apprtc_params import Query, Visit
from coordinator.p2p.core.apprtc_service import AppRtc
from coordinator.p2p.core.limits import MAX_ID_CHARS
from coordinator.p2p.core.prices import price
from coordinator.p2p.io.access import Access
from coordinator.p2p.io.bodies import whole_body
from coordinator.p2p.io.socket import SocketEndpoint
from protocol.limits import KIB

Page = Callable[[web.Request, dict[str, Any], bool], web.Response]
"""Makes an HTML page of a request, its parameters, and whether the room is full."""

MAX_EVENT_BYTES = 16 * KIB
"""Theirs have some hundred, and all of it is parsed."""
MOST_IN_JSON = 6
"""Bytes of JSON, as it is made here, for one of UTF-8."""
JOIN_BYTES = 16 * KIB
"""Of the answer to a join beside what was said, where the query that comes back in it is not very long."""
MAX_HOST_CHARS = 261
"""Of a Host header: a name of 255 (RFC 1035 section 2.3.4), a colon and a port."""

_ID = f"[a-zA-Z0-9_-]{{1,{MAX_ID_CHARS}}}"
_ROOM = f"{{room:{_ID}}}"
_CLIENT = f"{{room:{_ID}}}/{{client:{_ID}}}"

_HTML = "text/html; charset=utf-8"
"""Also of JSON: so it is known, and aiohttp's clients read it as text for that reason. Nothing in it can begin a tag, see `_json`."""

_IN_JSON = [(sign, f"\\u{ord(sign):04x}") for sign in "<>&"]

_Answer = Callable[[web.Request, str], Awaitable[web.Response]]
"""A handler, with the prefix below which it was asked. It does itself what is done at once; see :meth:`Access.answered` for the rest."""


class RoomServer:
    """The handlers. One serves any number of prefixes and ports."""

    def __init__(
        self,
        service: AppRtc,
        sockets: SocketEndpoint,
        access: Access,
        ice: IceServers,
        page: Page,
        *,
        public_url: str | None = None,
        max_message_bytes: int = 1024 * KIB,
    ) -> None:
        """`sockets` serves Collider's of the same `service`. `public_url`: how we are reached from outside; without it, as asked."""
        self._service = service
        self._sockets = sockets
        self._access = access
        self._ice = ice
        self._page = page
        self._public_url = public_url
        self._max_message_bytes = max_message_bytes

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Everything below `prefix`: empty, or a path without a slash at its end."""
        routes = [
            web.get(f"{prefix}/", self._guarded(prefix, self._home)),
            web.get(f"{prefix}/r/{_ROOM}", self._guarded(prefix, self._room)),
            web.get(f"{prefix}/params", self._guarded(prefix, self._params)),
            web.post(f"{prefix}/join/{_ROOM}", self._guarded(prefix, self._join)),
            web.post(f"{prefix}/message/{_CLIENT}", self._guarded(prefix, self._message)),
            web.post(f"{prefix}/leave/{_CLIENT}", self._guarded(prefix, self._leave, self._is_stranger, despite_debt=True)),
            web.post(f"{prefix}/bye/{_CLIENT}", self._guarded(prefix, self._bye, self._is_stranger, despite_debt=True)),
            web.get(f"{prefix}{apprtc_params.ICE_PATH}", self._guarded(prefix, self._ice_config)),
            web.post(f"{prefix}{apprtc_params.ICE_PATH}", self._guarded(prefix, self._ice_config)),
            web.post(f"{prefix}/a/", self._guarded(prefix, self._event, _nobody)),
        ]
        return [*routes, web.get(prefix, self._guarded(prefix, self._redirect, _nobody))] if prefix else routes

    # ----------------------------------------------------------------------------------------------------- handlers

    async def _home(self, request: web.Request, prefix: str) -> web.Response:
        return self._page(request, dict(apprtc_params.page_params(self._visit(request, prefix))), False)

    async def _redirect(self, request: web.Request, prefix: str) -> web.Response:
        """The home page's own address ends in a slash."""
        location = f"{prefix}/{Query.of(request.query.items()).encoded()}"
        return web.Response(status=307, headers={hdrs.LOCATION: location, hdrs.CACHE_CONTROL: "no-cache"})

    async def _room(self, request: web.Request, prefix: str) -> web.Response:
        visit, room = self._visit(request, prefix), request.match_info["room"]
        is_full = self._service.is_full(room, self._sockets.now())
        self._sockets.settle()
        return self._page(request, dict(apprtc_params.page_params(visit, room)), is_full)

    async def _params(self, request: web.Request, prefix: str) -> web.Response:
        return _json(apprtc_params.page_params(self._visit(request, prefix)))

    async def _join(self, request: web.Request, prefix: str) -> web.Response:
        visit, room = self._visit(request, prefix), request.match_info["room"]
        is_loopback = apprtc_params.is_loopback(visit.query)

        def answer() -> tuple[web.Response, int]:
            # What was said for who comes is told once; so it stays where it could not be told.
            self._access.expect_answer(request, MOST_IN_JSON * self._service.room_server.stored_bytes(room) + JOIN_BYTES)
            joined = self._service.join(room, self._access.account(request), self._sockets.now(), loopback=is_loopback)
            cost = self._sockets.settle()
            if not isinstance(joined, Joined):
                return _json({"result": joined, "params": {"messages": []}}), cost
            params = apprtc_params.join_params(visit, room, joined.client, joined.is_initiator, joined.messages)
            return _json({"result": Result.SUCCESS, "params": params}), cost

        return await self._access.answered(request, answer)

    async def _message(self, request: web.Request, prefix: str) -> web.Response:
        room, client = request.match_info["room"], request.match_info["client"]
        stranger = self._service.stranger(room, client, self._sockets.now())
        self._sockets.settle()
        if stranger is not None:
            return _json({"result": stranger})
        async with whole_body(request, self._access, self._max_message_bytes) as body:

            def answer() -> tuple[web.Response, int]:
                result = self._service.message(room, client, body.data, body.account, self._sockets.now())
                cost = max(price(len(body.data)), self._sockets.settle())
                return _empty(500) if result is None else _json({"result": result}), cost

            return await self._access.answered(request, answer)

    async def _leave(self, request: web.Request, prefix: str) -> web.Response:
        self._service.leave(request.match_info["room"], request.match_info["client"], self._sockets.now())
        self._sockets.settle()
        return _empty(200)

    async def _bye(self, request: web.Request, prefix: str) -> web.Response:
        """A Collider that is none of ours has dropped a client."""
        room, client = request.match_info["room"], request.match_info["client"]
        self._service.room_server.leave(room, client, self._sockets.now())
        self._sockets.settle()
        return _empty(200)

    async def _ice_config(self, request: web.Request, prefix: str) -> web.Response:
        """Nobody says for whom it is, so each answer is for somebody new: TURN servers count by user."""
        grant = self._ice.issue(f"apprtc-{secrets.token_hex(4)}", self._sockets.now())
        servers: list[dict[str, Any]] = []
        for server in grant.servers:
            credentials = {"username": server.username, "credential": server.credential} if server.username else {}
            servers.append({"urls": list(server.urls), **credentials})
        lifetime = {} if grant.lifetime_s is None else {"lifetimeDuration": f"{grant.lifetime_s:.0f}s"}
        return _json({"iceServers": servers, **lifetime})

    async def _event(self, request: web.Request, prefix: str) -> web.Response:
        async with whole_body(request, self._access, MAX_EVENT_BYTES) as body:
            return await self._access.answered(
                request, lambda: (_json({"result": judge_event(body.data)}), price(len(body.data)))
            )

    # ------------------------------------------------------------------------------------------------------- guards

    def _guarded(
        self,
        prefix: str,
        answer: _Answer,
        wants_token: Callable[[web.Request], bool] = lambda request: True,
        *,
        despite_debt: bool = False,
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            refusal = await self._access.refuse(request, token_needed=partial(wants_token, request), despite_debt=despite_debt)
            return await answer(request, prefix) if refusal is None else refusal

        return handle

    def _is_stranger(self, request: web.Request) -> bool:
        """Whether the two ids in the path prove nothing, although there is a client that has them."""
        room, client = request.match_info["room"], request.match_info["client"]
        return self._service.room_server.holds(room, client) and not self._service.vouches(room, client)

    def _visit(self, request: web.Request, prefix: str) -> Visit:
        """Raises :class:`web.HTTPBadRequest` where the client does not say at which host it asks, which addresses are made of."""
        origin = self._public_url
        if origin is None:
            host = request.headers.get(hdrs.HOST, "").lower()
            if len(host) > MAX_HOST_CHARS or origin_at(request.scheme, host) is None:
                raise web.HTTPBadRequest(text="the Host header names no host\n")
            origin = f"{request.scheme}://{host}"
        query, agent = Query.of(request.query.items()), request.headers.get(hdrs.USER_AGENT, "")
        return Visit(origin, prefix, query, agent, self._access.token(request))


def _nobody(request: web.Request) -> bool:
    """Who has to bring a token."""
    return False


def _json(value: Mapping[str, Any]) -> web.Response:
    """The query comes back in it, and browsers take it for a page: so that no tag begins anywhere in it."""
    text = json.dumps(value)
    for sign, escaped in _IN_JSON:  # three passes take a third of the time of one with `translate`, which goes sign by sign
        text = text.replace(sign, escaped)
    return web.Response(text=text, headers={hdrs.CONTENT_TYPE: _HTML, hdrs.CACHE_CONTROL: "no-cache"})


def _empty(status: int) -> web.Response:
    return web.Response(status=status, headers={hdrs.CONTENT_TYPE: _HTML, hdrs.CACHE_CONTROL: "no-cache"})
