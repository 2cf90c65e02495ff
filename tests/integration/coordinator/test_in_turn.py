"""Whatever a coordinator is asked waits for its turn, so that many requests at once hold nobody else up for long."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from coordinator.app import build_app
from coordinator.io import turnstile
from coordinator.io.turns import PASS_DELIVERIES, REQUEST_DELIVERIES, Turns
from coordinator.settings import CoordinatorSettings
from protocol.codes import Code
from tests.integration.coordinator.conftest import PATIENCE_S, Running, Start
from tests.integration.coordinator.test_p2p_app import serving
from tests.support.passes import Passes

MOST = PASS_DELIVERIES // REQUEST_DELIVERIES
"""Requests that are answered in one go."""

PROTOCOLS: Any = ["apprtc", "nextrtc", "gstreamer"]
API = "/api/v1"


def routes_of_all() -> list[tuple[str, str]]:
    """All that a coordinator answers to, from aiohttp's own tables."""
    app = build_app(CoordinatorSettings(auth="none", p2p=PROTOCOLS))
    found = set()
    for route in app.router.routes():
        assert route.resource is not None
        path = str(route.resource.get_info().get("path") or route.resource.get_info().get("formatter"))
        for variable in ("{name}", "{room}", "{client}", "{path}", "{server}", "{alias}", "{id}"):
            path = path.replace(variable, "x")
        found.add(("GET" if route.method == "*" else route.method, path))
    return sorted(found)


@pytest.fixture
def no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's turn ever comes."""

    async def take(*args: Any, despite_debt: bool = False, line: str = "", **options: Any) -> None:
        if line != "refusal":  # those are heard whatever happens
            await asyncio.Event().wait()

    monkeypatch.setattr(turnstile, "TURN_S", 0.05)
    monkeypatch.setattr(Turns, "take_now", lambda *args, **options: False)
    monkeypatch.setattr(Turns, "take", take)


async def test_everything_waits_for_its_turn_and_not_for_ever(start: Start, no_turn: None) -> None:
    coordinator = await start(auth="none", api_open=True, p2p=PROTOCOLS)
    asked = routes_of_all()
    assert {("GET", "/metrics"), ("GET", "/connect"), ("POST", "/apprtc/join/x"), ("GET", f"{API}/cluster")} <= set(asked)
    for method, path in asked:
        async with coordinator.http.request(method, path, allow_redirects=False) as response:
            body = await response.text()
            is_peer_to_peer = path.startswith(("/apprtc", "/collider", "/signaling", "/gstreamer")) and "/css/" not in path
            code = Code.RATE_LIMITED if response.status == 429 else Code.SERVER_FULL
            assert response.status in ((429, 503) if is_peer_to_peer else (503,)), (method, path, body)
            assert response.headers["Retry-After"] == "1"
            if path.startswith("/api/"):
                assert response.content_type == "application/problem+json"
            if method != "HEAD":
                assert f'"code":{code}' in body.replace(" ", "")


async def test_also_what_is_nowhere_and_what_is_there_with_another_method(start: Start, no_turn: None) -> None:
    coordinator = await start(auth="none", p2p=PROTOCOLS)
    for method, path in (
        ("GET", "/nowhere"),
        ("POST", "/metrics"),
        ("PUT", "/connect"),
        ("DELETE", "/apprtc/join/x"),
        ("GET", f"{API}/x"),
    ):
        async with coordinator.http.request(method, path) as response:
            assert response.status in (429, 503), (method, path)


async def test_at_ports_of_their_own_too(tmp_path: Path, no_turn: None) -> None:
    asked = {
        "apprtc_port": ["/", "/css/x", "/join/x", "/r/x", "/nowhere/at/all", "/signaling", "/collider/status"],
        "collider_port": ["/status", "/x/y", "/ws"],
        "gstreamer_port": ["/health", "/", "/x"],
    }
    async with serving(tmp_path, p2p=PROTOCOLS, p2p_ports=True) as ports, aiohttp.ClientSession() as http:
        for port, paths in asked.items():
            for path in paths:
                async with http.get(f"http://127.0.0.1:{ports[port]}{path}") as response:
                    assert response.status in (429, 503), (port, path)
        async with http.post(f"http://127.0.0.1:{ports['gstreamer_port']}/") as response:
            assert response.status == 503


@pytest.mark.parametrize(
    "path", ["/metrics", "/healthz", "/", "/sdk/rtcbroker.js", "/nowhere", f"{API}/openapi.json", "/connect"]
)
async def test_few_are_answered_in_one_go(coordinator: Running, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    passes = Passes(monkeypatch, turnstile, "_nothing")

    async def ask() -> int:
        async with coordinator.http.get(path) as response:
            return response.status

    assert len(set(await asyncio.wait_for(asyncio.gather(*(ask() for _ in range(100))), PATIENCE_S))) == 1
    assert passes.calls == 100
    assert passes.most <= 2 * MOST


async def test_what_an_address_owes_is_no_matter_here(coordinator: Running) -> None:
    """Debts are of peer-to-peer messages; who looks after the cluster from there is answered anyway."""
    guest = coordinator.guests.guest("127.0.0.1", coordinator.driver.now())
    guest.deliveries.charge(coordinator.driver.now(), 10**9)
    for path in ("/metrics", "/", f"{API}/openapi.json"):
        async with coordinator.http.get(path) as response:
            assert response.status == 200
    peer = await asyncio.wait_for(coordinator.client(), PATIENCE_S)
    await peer.close()
