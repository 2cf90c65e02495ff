"""The coordinator's routes: the two doors for peers, the pages for people and machines."""

from __future__ import annotations

from aiohttp import web

from coordinator.core.admission import CONNECT_PATH, DISCOVER_PATH
from coordinator.io.dashboard import LIVE_PATH, Dashboard
from coordinator.io.driver import Driver
from coordinator.io.metrics import registry_of
from coordinator.io.pages import Pages
from coordinator.io.websocket import PeerEndpoint
from service.http import health_routes


def routes(driver: Driver, endpoint: PeerEndpoint, dashboard: Dashboard, pages: Pages) -> list[web.RouteDef]:
    """Everything the coordinator answers to."""
    return [
        web.get(CONNECT_PATH, endpoint.handle, allow_head=False),
        web.get(DISCOVER_PATH, endpoint.handle, allow_head=False),
        web.get(LIVE_PATH, dashboard.handle, allow_head=False),
        *pages.routes(),
        *health_routes(driver.problem, registry_of(driver, dashboard)),
    ]
