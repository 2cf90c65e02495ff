"""The coordinator's routes: the two doors for peers, the pages for people and machines."""

from __future__ import annotations

from aiohttp import web

from coordinator.core.admission import CONNECT_PATH, DISCOVER_PATH
from coordinator.io.driver import Driver
from coordinator.io.metrics import registry_of
from coordinator.io.websocket import PeerEndpoint
from service.http import health_routes

ABOUT = f"""\
rtcbroker coordinator

{CONNECT_PATH}       WebSocket for clients
{DISCOVER_PATH}      WebSocket for communication servers
/healthz       the process runs
/readyz        it takes peers
/metrics       for Prometheus
"""


def routes(driver: Driver, endpoint: PeerEndpoint) -> list[web.RouteDef]:
    """Everything the coordinator answers to."""

    async def about(request: web.Request) -> web.Response:
        return web.Response(text=ABOUT)

    return [
        web.get("/", about),
        web.get(CONNECT_PATH, endpoint.handle, allow_head=False),
        web.get(DISCOVER_PATH, endpoint.handle, allow_head=False),
        *health_routes(driver.problem, registry_of(driver, endpoint)),
    ]
