"""A page whose comm server is stopped, or drained by the API: it is on another one before that ends, and has lost nothing."""

from __future__ import annotations

import asyncio

import pytest

from rtcbroker import Client, Subscription
from tests.support.app_page import AppPage, open_app
from tests.support.browser import Visitor
from tests.support.cluster import cluster
from tests.support.poll import until
from tests.support.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

SPEECH = 150
PACE_S = 0.02


WARM_UP = "can you hear me?"


async def both_hear(page: AppPage, client: Client) -> None:
    """Until each hears the other: both servers know both subscriptions then."""

    async def page_hears() -> bool:
        await client.publish("mine", WARM_UP.encode())
        return await page.count() > 0

    async def client_hears() -> bool:
        await page.call("publish", "yours", WARM_UP, {"reliable": True})
        return client.stats.received > 0

    await until(page_hears, 10, "the page hears the client", interval=0.05)
    await until(client_hears, 10, "the client hears the page", interval=0.05)


async def heard_by(page: AppPage) -> list[str]:
    """What the page heard of the speech."""
    return [packet.text for packet in await page.heard() if packet.text != WARM_UP]


async def heard_from(packets: Subscription, count: int) -> list[str]:
    """So many packets of the speech."""
    texts: list[str] = []
    while len(texts) < count:
        text = (await anext(packets)).body.decode()
        if text != WARM_UP:
            texts.append(text)
    return texts


async def test_a_page_that_is_asked_to_go_loses_no_reliable_packet_either_way(visitor: Visitor, other_site: Site) -> None:
    async with cluster(2, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then():
        page = await open_app(visitor, other_site, made)
        before = await page.connect(made.token("page"))
        await page.subscribe("mine")
        async with Client(made.url, token=made.token("python")) as client, client.subscribe("yours") as packets:
            await both_hear(page, client)
            stopping = None
            for number in range(SPEECH):
                await client.publish("mine", b"%d" % number)
                await page.call("publish", "yours", str(number), {"reliable": True})
                if number == SPEECH // 3:
                    stopping = asyncio.create_task(made.process_of(before.server).terminate())
                await asyncio.sleep(PACE_S)
            assert stopping is not None
            assert await stopping == 0
            said = [str(number) for number in range(SPEECH)]

            async def all_heard() -> bool:
                return len(await heard_by(page)) >= SPEECH

            await until(all_heard, 10, "the page has heard the speech", interval=0.03)
            async with asyncio.timeout(10):
                assert await heard_from(packets, SPEECH) == said
        after = await page.look()
        assert after.server != before.server
        assert (after.stats["moves"], after.stats["reconnects"], after.alias) == (1, 0, before.alias)
        assert await page.states() == [], "it noticed nothing"
        assert await heard_by(page) == said, "each once, in order, and nothing after it"


async def test_where_there_is_no_other_server_a_page_stays_until_it_is_sent_away(visitor: Visitor, other_site: Site) -> None:
    # It may be asking the coordinator for another server at the moment when it is sent away, and begins afresh then.
    visitor.complaints.expect("closed before the connection is established")
    async with cluster(1, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then():
        page = await open_app(visitor, other_site, made)
        before = await page.connect(made.token("page"))
        stopping = asyncio.create_task(made.servers[0].terminate())
        await asyncio.sleep(2.0)
        assert (await page.look()).state == "connected"
        assert await stopping == 0
        await page.is_in("reconnecting")
        await made.add_server()

        async def is_back() -> bool:
            return (await page.look()).state == "connected"

        await until(is_back, 20, "the page is back", interval=0.05)
        assert (await page.look()).server != before.server
