"""The coordinator's routes: the two doors for peers, the pages for people and machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from aiohttp import web

from coordinator.core.admission import CONNECT_PATH, DISCOVER_PATH
from coordinator.io.dashboard import LIVE_PATH, Dashboard
from coordinator.io.driver import Driver
from coordinator.io.metrics import registry_of
from coordinator.io.pages import Pages
from coordinator.io.websocket import PeerEndpoint
from coordinator.p2p.core.counts import PeerToPeerStats
from service.http import health_routes


def routes(
    driver: Driver,
    endpoint: PeerEndpoint,
    dashboard: Dashboard,
    pages: Pages,
    p2p: Callable[[], Iterable[PeerToPeerStats]] = tuple,
    api_requests: Mapping[tuple[str, int], int] = MappingProxyType({}),
    held: Callable[[], Mapping[str, int]] = dict,
) -> list[web.RouteDef]:
    """Everything the coordinator answers to, but for the peer-to-peer protocols."""

    def about() -> list[str]:
        return [f"{each.protocol}: {each.rooms} rooms, {each.members} members" for each in p2p()]

    return [
        web.get(CONNECT_PATH, endpoint.handle, allow_head=False),
        web.get(DISCOVER_PATH, endpoint.handle, allow_head=False),
        web.get(LIVE_PATH, dashboard.handle, allow_head=False),
        *pages.routes(),
        *health_routes(driver.unready, registry_of(driver, dashboard, p2p, api_requests, held), about),
    ]
