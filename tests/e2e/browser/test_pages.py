"""Every page, in both themes, on a laptop and on a phone: nothing complained of, nothing wider than the window, nothing from outside."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, Response

from protocol.tokens import TokenRole
from tests.support.app_page import open_app
from tests.support.browser import NARROW, SMALL, WIDE, Visitor, cut, overflow
from tests.support.cluster import Cluster
from tests.support.dashboard_page import open_dashboard
from tests.support.poll import until
from tests.support.site import Site
from tests.support.talk import clients

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

POLICY = {
    "default-src": {"'none'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "img-src": {"'self'", "data:"},
    "manifest-src": {"'self'"},
    "base-uri": {"'none'"},
    "form-action": {"'none'"},
    "frame-ancestors": {"'none'"},
}
"""What a page of ours may do, but for connect-src, which names the host."""

LOOKS = [
    pytest.param(dark, size, id=f"{'dark' if dark else 'light'}-{size[0]}")
    for dark in (False, True)
    for size in (WIDE, NARROW, SMALL)
]


def policy_of(header: str) -> dict[str, set[str]]:
    """The directives of a Content-Security-Policy."""
    return {name: set(values) for name, *values in (directive.split() for directive in header.split(";"))}


@pytest.mark.parametrize("path", ["/", "/demo"])
async def test_pages_and_all_they_load_carry_their_policy(visitor: Visitor, shared: Cluster, path: str) -> None:
    """Pages, scripts and styles; all of one origin, and kept no longer than is right."""
    page = await visitor.page()
    loaded: list[Response] = []
    page.on("response", lambda response: loaded.append(response))
    origin = f"http://127.0.0.1:{shared.coordinator.port}"
    await page.goto(f"{origin}{path}", wait_until="load")
    kinds = {response.request.resource_type for response in loaded}
    assert {"document", "script", "stylesheet"} <= kinds
    for response in loaded:
        assert response.url.startswith(origin), "nothing comes from elsewhere"
        headers = await response.all_headers()
        assert headers["x-content-type-options"] == "nosniff", response.url
        assert headers["referrer-policy"] == "no-referrer", response.url
        assert headers["cache-control"], response.url
        if response.request.resource_type in ("document", "script"):
            policy = policy_of(headers["content-security-policy"])
            assert "'self'" in policy.pop("connect-src")
            assert policy == POLICY, response.url
        if response.request.resource_type == "document":
            assert headers["cross-origin-opener-policy"] == "same-origin"


async def test_the_sdk_may_be_loaded_by_anybody(visitor: Visitor, shared: Cluster) -> None:
    """Its file and its types, with what a browser wants to see of them."""
    page = await visitor.page()
    for name, kind in (("rtcbroker.js", r"text/javascript"), ("rtcbroker.d.ts", r"")):
        response = await page.request.get(f"http://127.0.0.1:{shared.coordinator.port}/sdk/{name}")
        assert response.status == 200
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["cross-origin-resource-policy"] == "cross-origin"
        assert re.match(kind, response.headers["content-type"])


@pytest.mark.parametrize(("dark", "size"), LOOKS)
async def test_the_dashboard_fits(visitor: Visitor, shared: Cluster, dark: bool, size: tuple[int, int]) -> None:
    """As it asks for a token, and as it shows the cluster."""
    context = await visitor.context(dark=dark, size=size, touch=size != WIDE)
    board = await open_dashboard(visitor, shared, context=context)
    await board.page.locator("#gate").wait_for(state="visible")
    await fits(board.page, dark)
    await board.offer(shared.token("operator", role=TokenRole.ADMIN))
    await board.live()
    await fits(board.page, dark)


@pytest.mark.parametrize("size", [WIDE, NARROW, SMALL], ids=lambda size: str(size[0]))
async def test_the_names_of_busy_topics_can_be_read(visitor: Visitor, shared: Cluster, size: tuple[int, int]) -> None:
    """As long as those of the demo world; beside numbers where there is room, above them where there is not."""
    context = await visitor.context(size=size, touch=size != WIDE)
    board = await open_dashboard(visitor, shared, shared.token("operator", role=TokenRole.ADMIN), context=context)
    await board.live()
    topics = ["demo/cell/-12/-12", "demo/chat/everybody"]
    async with clients(shared, 2) as (one, other), other.subscribe(*topics):

        async def names() -> list[str]:
            for topic in topics:
                one.publish_nowait(topic, bytes(60), reliable=False)
            return await board.page.locator("#topics-body .topic-name").all_inner_texts()

        async def are_there() -> bool:
            return set(topics) <= set(await names())

        await until(are_there, 10, "both topics are there", interval=0.1)
        assert await cut(board.page) == []
        assert await overflow(board.page) <= 0
        titles = await board.page.locator("#topics-body .topic-name").evaluate_all("(all) => all.map(({ title }) => title)")
        assert set(topics) <= set(titles)


@pytest.mark.parametrize(("dark", "size"), LOOKS)
async def test_the_demo_world_fits(visitor: Visitor, shared: Cluster, dark: bool, size: tuple[int, int]) -> None:
    """Connected, and without a token."""
    context = await visitor.context(dark=dark, size=size, touch=size != WIDE)
    origin = f"http://127.0.0.1:{shared.coordinator.port}"
    page = await visitor.visit(
        f"{origin}/demo#token={shared.token('guest', publish=('demo/**',), subscribe=('demo/**',))}", context=context
    )
    await until(lambda: clients_of(shared, 1), 10, "the page has joined", interval=0.05)
    await fits(page, dark)


@pytest.mark.parametrize(("dark", "size"), LOOKS)
async def test_an_application_fits(
    visitor: Visitor, other_site: Site, shared: Cluster, dark: bool, size: tuple[int, int]
) -> None:
    """A page of another site that uses the SDK, under a policy of its own."""
    app = await open_app(visitor, other_site, shared, context=await visitor.context(dark=dark, size=size, touch=size != WIDE))
    await app.connect({"subject": "page"})
    await app.subscribe("fitting")
    await fits(app.page, dark)


async def clients_of(made: Cluster, count: int) -> bool:
    """Whether so many clients are active, on all servers together."""
    return sum([await server.metric("rtcbroker_peers", role="client", state="active") for server in made.servers]) == count


async def fits(page: Page, dark: bool) -> None:
    """Not wider than its window, nor any part of it wider than its place; and of the theme that was asked for."""
    assert await overflow(page) <= 0
    assert await cut(page) == []
    light = await page.evaluate(
        """() => {
            const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
            const shade = (element) => {
                canvas.clearRect(0, 0, 1, 1);
                canvas.fillStyle = getComputedStyle(element).backgroundColor;
                canvas.fillRect(0, 0, 1, 1);
                const [red, green, blue, opaque] = canvas.getImageData(0, 0, 1, 1).data;
                return opaque ? (red + green + blue) / 3 : null;
            };
            return shade(document.body) ?? shade(document.documentElement) ??
                (matchMedia("(prefers-color-scheme: dark)").matches ? 0 : 255);
        }"""
    )
    assert (light < 128) == dark
