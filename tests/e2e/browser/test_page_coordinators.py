"""A page that knows several coordinators: one may be away when it comes, and one may go while it is there."""

from __future__ import annotations

import socket

import pytest

from rtcbroker import Client
from tests.support.app_page import open_app
from tests.support.browser import Visitor
from tests.support.poll import until
from tests.support.several import several
from tests.support.site import Site

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.needs("chromium"),
    pytest.mark.needs("redis-server"),
    pytest.mark.timeout(150),
]


def a_port_nobody_has() -> int:
    """Just now, at least."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_a_page_comes_back_by_the_other_coordinator(visitor: Visitor, other_site: Site) -> None:
    """The first URL leads nowhere; the coordinator it has is killed. It stays on its server meanwhile, and can move again."""
    visitor.complaints.expect("/connect|ERR_CONNECTION_REFUSED|WebSocket")
    async with several(2, allowed_origins=other_site.origin) as made, visitor.until_then():
        ports = [coordinator.port for coordinator in made.coordinators]
        away = a_port_nobody_has()
        page = await open_app(visitor, other_site, made, ports=[*ports, away])
        urls = [f"ws://127.0.0.1:{port}" for port in (away, *ports)]
        before = await page.connect(made.token("page"), url=urls)
        await page.subscribe("mine")
        (its,) = [each for each in made.coordinators if await each.metric("rtcbroker_coordinator_peers", role="client") == 1]
        its.kill()

        async def is_back() -> bool:
            return await made.peers("client") == 1

        await until(is_back, 20, "the page is known to the other coordinator", interval=0.05)
        assert await page.states() == [], "its link lived on"
        await made.all_know(2)
        made.process_of(before.server).kill()
        await page.is_in("reconnecting", 10)
        after = await page.is_in("connected", 15)
        assert (after.server != before.server, after.alias) == (True, before.alias)
        (living,) = made.living()
        async with Client(made.url_of(living), token=made.token("python")) as client:

            async def hears() -> bool:
                await client.publish("mine", b"anyone?")
                return await page.count() > 0

            await until(hears, 10, "its subscription works", interval=0.05)
