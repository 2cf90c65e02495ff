"""The pages every service has."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from prometheus_client import CollectorRegistry, Counter

from service.http import health_routes


async def get(path: str, problem: str | None = None, registry: CollectorRegistry | None = None) -> web.Response:
    """What a page answers, without a socket."""
    routes = {route.path: route.handler for route in health_routes(lambda: problem, registry or CollectorRegistry())}
    response = await routes[path](make_mocked_request("GET", path))
    assert isinstance(response, web.Response)
    return response


@pytest.mark.parametrize("problem", [None, "no coordinator"])
async def test_a_process_that_answers_is_healthy(problem: str | None) -> None:
    response = await get("/healthz", problem)
    assert (response.status, response.text) == (200, "ok\n")


async def test_readiness_gives_the_reason() -> None:
    response = await get("/readyz")
    assert (response.status, response.text) == (200, "ready\n")
    response = await get("/readyz", "no coordinator")
    assert (response.status, response.text) == (503, "no coordinator\n")


async def test_metrics_are_those_of_the_registry() -> None:
    registry = CollectorRegistry()
    Counter("frames", "Frames.", registry=registry).inc(3)
    response = await get("/metrics", registry=registry)
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert isinstance(response.body, bytes)
    assert b"frames_total 3.0" in response.body
