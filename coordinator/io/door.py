"""What stands before every WebSocket: is it one, is its page allowed here; and how a refusal is answered.

Refusals before the upgrade are plain HTTP answers with a JSON body, and reach the core, which counts them. A browser shows a page
nothing of such an answer, so a page of an origin that is welcome is refused by a close frame, right after the upgrade.
"""

from __future__ import annotations

import logging
import uuid

from aiohttp import web

from coordinator.core.admission import Refusal
from coordinator.core.origins import OriginPolicy
from coordinator.io.driver import Driver
from protocol.codes import Code
from protocol.text import is_request_id

log = logging.getLogger(__name__)

MAX_SHOWN_ORIGIN = 100
"""Characters of a foreign origin told back."""


REQUEST_ID = web.RequestKey("request-id", str)
REQUEST_ID_HEADER = "X-Request-Id"


def request_id_of(request: web.Request) -> str:
    """By which a request is found in logs: what its sender, or a proxy, calls it, if that may stand there; else a new name."""
    if REQUEST_ID not in request:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        request[REQUEST_ID] = given if is_request_id(given) else uuid.uuid4().hex
    return request[REQUEST_ID]


def is_page(request: web.Request) -> bool:
    """Whether a web page asks that understands our close codes: only browsers send an origin."""
    return "Origin" in request.headers and request.query.get("v") == "2"


class Door:
    """Judges requests, the same for peers and for dashboards."""

    def __init__(self, driver: Driver, origins: OriginPolicy) -> None:
        self._driver = driver
        self._origins = origins

    def turn_away(self, request: web.Request, socket: web.WebSocketResponse) -> web.Response | None:
        """The answer to a request that is no WebSocket, or comes from a page that may not; None for one that may come further."""
        if not socket.can_prepare(request):
            return web.Response(status=426, text="a WebSocket is wanted here\n", headers={"Upgrade": "websocket"})
        refusal = self.foreign(request)
        return None if refusal is None else self.refuse(request, refusal)

    def foreign(self, request: web.Request) -> Refusal | None:
        """Why a page of that origin may not come in; None for one that may, and for who is no browser."""
        origins = request.headers.getall("Origin", [])
        if self._origins.allows(origins, request.headers.get("Host", "")):
            return None
        shown = ", ".join(origins)[:MAX_SHOWN_ORIGIN]
        return Refusal(403, Code.ORIGIN_REFUSED, f"Origin {shown!r}: {Code.ORIGIN_REFUSED.reason}")

    def note(self, request: web.Request, refusal: Refusal) -> None:
        """Count and log a peer that may not come in."""
        self._driver.refused(request.path, refusal)
        log.info(
            "refused a peer at %s from %s: %d %s",
            request.path,
            request.remote,
            refusal.status,
            refusal.detail,
            extra={"request_id": request_id_of(request)},
        )

    def refuse(self, request: web.Request, refusal: Refusal) -> web.Response:
        """The answer to a peer that may not come in."""
        self.note(request, refusal)
        body = {"code": int(refusal.code), "reason": refusal.detail, "retry": refusal.code.retry.value}
        headers = {REQUEST_ID_HEADER: request_id_of(request)}
        if refusal.status == 401:
            headers["WWW-Authenticate"] = (
                f'Bearer realm="rtcbroker", error="invalid_token", error_description="{refusal.code.reason}"'
            )
        if refusal.status in (429, 503):
            headers["Retry-After"] = "1"
        return web.json_response(body, status=refusal.status, headers=headers)
