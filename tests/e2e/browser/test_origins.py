"""Whose pages may connect: those of the coordinator's own origin and of the origins on its list, and nobody else's."""

from __future__ import annotations

import pytest

from tests.support.app_page import PageError, open_app
from tests.support.browser import Visitor
from tests.support.cluster import Cluster
from tests.support.site import Site, site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

SOCKET = """(url) => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => { socket.close(); resolve("open"); };
    socket.onerror = () => resolve("refused");
})"""


async def test_another_origin_may_load_the_sdk_but_not_connect(visitor: Visitor, shared: Cluster) -> None:
    """Another port is another origin. The page can load the SDK, which is public, and is refused with or without a good token."""
    visitor.complaints.expect("403|/connect|/dashboard/live")
    async with site() as stranger:
        page = await open_app(visitor, stranger, shared)
        with pytest.raises(PageError) as refused:
            await page.connect(shared.token("page"), options={"connectTimeout": 2})
        assert {"RtcBrokerError"} <= set(refused.value.kinds)
        for path in (f"/connect?access_token={shared.token('page')}", "/dashboard/live"):
            assert await page.page.evaluate(SOCKET, shared.url + path) == "refused"
        assert await shared.coordinator.metric("rtcbroker_coordinator_peers", role="client") == 0


async def test_an_allowed_origin_connects(visitor: Visitor, other_site: Site, shared: Cluster) -> None:
    """The same page from the site that is on the list."""
    page = await open_app(visitor, other_site, shared)
    assert (await page.connect(shared.token("page"))).state == "connected"


async def test_its_own_origin_connects_without_being_on_a_list(visitor: Visitor, shared: Cluster) -> None:
    """A page that the coordinator serves."""
    page = await visitor.visit(f"http://127.0.0.1:{shared.coordinator.port}/")
    url = f"{shared.url}/connect?access_token={shared.token('page')}"
    assert await page.evaluate(SOCKET, url) == "open"


async def test_a_dial_that_the_pages_own_policy_forbids_is_told_as_what_it_may_be(
    visitor: Visitor, other_site: Site, shared: Cluster
) -> None:
    """The browser says so on the console alone: to the page it looks like a coordinator that never answers."""
    visitor.complaints.expect("Content Security Policy")
    page = await open_app(visitor, other_site, shared)
    with pytest.raises(PageError) as error:
        await page.connect(url=f"ws://127.0.0.1:{shared.servers[0].port}", options={"dialTimeout": 0.5, "connectTimeout": 2})
    assert "Content-Security-Policy (connect-src)" in error.value.reason
    assert any("connect-src" in found for found in visitor.complaints.found), "it was the policy"
