"""What a page lives through: its server is killed, its coordinator is started anew."""

from __future__ import annotations

import time

import pytest

from protocol.codes import Code
from rtcbroker import Client
from tests.support.app_page import AppPage, PageError, open_app
from tests.support.browser import Visitor
from tests.support.cluster import Cluster, cluster
from tests.support.poll import until
from tests.support.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]


async def reached(client: Client, topic: str, page: AppPage, subscription: int = 0) -> None:
    """Publish until the page hears something new."""
    before = await page.count(subscription)

    async def hears() -> bool:
        await client.publish(topic, b"anyone?", reliable=False)
        return await page.count(subscription) > before

    await until(hears, 10, "the page hears the client", interval=0.03)


async def elsewhere(made: Cluster, server: int) -> Client:
    """A Python client that is joined to another server."""
    for _ in range(60):
        client = Client(made.url, token=made.token("python"))
        await client.connect()
        if client.server != server:
            return client
        await client.close()
    raise AssertionError("sixty random choices never hit another server")


async def test_a_page_moves_within_three_seconds_when_its_server_is_killed(visitor: Visitor, other_site: Site) -> None:
    """Killed with -9: the page is on another server, keeps its alias and counters, and its subscription works again."""
    visitor.complaints.expect("/connect")
    async with cluster(2, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then():
        page = await open_app(visitor, other_site, made)
        before = await page.connect(made.token("page"))
        await page.subscribe("mine")
        client = await elsewhere(made, before.server)
        try:
            await reached(client, "mine", page)
            made.process_of(before.server).kill()
            killed = time.monotonic()
            await reached(client, "mine", page)
            assert time.monotonic() - killed < 3.0
            after = await page.look()
            assert (after.state, after.server, after.alias) == ("connected", client.server, before.alias)
            assert (after.stats["joins"], after.stats["reconnects"]) == (2, 1)
            assert [told["state"] for told in await page.states()] == ["reconnecting", "connected"]
            # And it can speak, too.
            async with client.subscribe("yours") as packets:
                await page.call("publish", "yours", "here I am", {"reliable": True})
                assert (await anext(packets)).body == b"here I am"
        finally:
            await client.close()


OUT_OF_REACH = "127.0.0.77"
"""Nobody listens there: as if the way of UDP to a server were blocked."""


async def test_a_server_that_udp_does_not_reach_costs_three_seconds(visitor: Visitor, other_site: Site) -> None:
    """One of two announces an address nobody answers at: whichever the coordinator names first, all of eight tries connect, in time."""
    async with cluster(1, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then():
        (good,) = made.servers
        bad = await made.add_server(announce=OUT_OF_REACH)
        page = await open_app(visitor, other_site, made)
        took = []
        for _ in range(8):
            began = time.monotonic()
            seen = await page.connect(made.token("page"))
            took.append(time.monotonic() - began)
            assert made.process_of(seen.server) is good
            await page.call("close")
        assert max(took) < 3.0 + 2.0, took
        assert bad.process is not None
        assert bad.process.poll() is None, "it was there all the while"


async def test_a_page_moves_past_a_server_that_udp_does_not_reach(visitor: Visitor, other_site: Site) -> None:
    """Its server is killed, and of the two that are left one cannot be reached: three seconds more, if that one is first."""
    visitor.complaints.expect("/connect")
    async with cluster(2, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then():
        await made.add_server(announce=OUT_OF_REACH)
        page = await open_app(visitor, other_site, made)
        before = await page.connect(made.token("page"))
        await page.subscribe("mine")
        made.process_of(before.server).kill()
        killed = time.monotonic()
        await page.is_in("reconnecting", 5)
        after = await page.is_in("connected", 10)
        assert time.monotonic() - killed < 3.0 + 3.0
        assert made.process_of(after.server) is not made.servers[-1]


async def test_where_udp_is_blocked_the_error_says_so(visitor: Visitor, other_site: Site) -> None:
    """The only server cannot be reached, though the coordinator can: not that there are no servers."""
    async with cluster(0, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then():
        await made.add_server(announce=OUT_OF_REACH)
        page = await open_app(visitor, other_site, made)
        with pytest.raises(PageError) as error:
            await page.connect(made.token("page"), options={"connectTimeout": 3})
        assert "ConnectError" in error.value.kinds
        assert error.value.code == Code.TIMEOUT
        assert error.value.reason.endswith("in time: is UDP blocked?")
        assert error.value.retry == "retry"


async def test_a_page_talks_on_while_its_coordinator_is_started_anew(visitor: Visitor, other_site: Site) -> None:
    """Its link lives on without the coordinator, and once that is back, it is under the alias it had: it can move again."""
    visitor.complaints.expect("/connect|ERR_CONNECTION_REFUSED|WebSocket")
    async with cluster(2, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then():
        page = await open_app(visitor, other_site, made)
        before = await page.connect(made.token("page"))
        await page.subscribe("mine")
        client = await elsewhere(made, before.server)
        try:
            await reached(client, "mine", page)
            made.coordinator.kill()
            await reached(client, "mine", page)
            made.coordinator.spawn()
            await made.coordinator.ready()
            for server in made.servers:
                await made.connected(server)

            async def known() -> bool:
                return await made.coordinator.metric("rtcbroker_coordinator_peers", role="client") == 2

            await until(known, 15, "the page and the client are known to the coordinator again", interval=0.05)
            await reached(client, "mine", page)
            assert await page.states() == [], "the link lived on"
            made.process_of(before.server).kill()
            killed = time.monotonic()
            await reached(client, "mine", page)
            assert time.monotonic() - killed < 3.0
            after = await page.look()
            assert (after.alias, after.server) == (before.alias, client.server)
        finally:
            await client.close()


async def test_a_page_comes_back_when_everything_was_away(visitor: Visitor, other_site: Site) -> None:
    """Coordinator and server end; the page goes on trying, and once they are back, it talks."""
    visitor.complaints.expect("/connect|ERR_CONNECTION_REFUSED|WebSocket")
    async with cluster(1, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then():
        page = await open_app(visitor, other_site, made)
        await page.connect(made.token("page"), options={"pingInterval": 1, "linkTimeout": 3})
        await page.subscribe("mine")
        (server,) = made.servers
        for process in (made.coordinator, server):
            process.kill()
        await page.is_in("reconnecting", 25)
        assert await page.page.evaluate("() => app.client.publishNowait('mine', 'x', {reliable: false})") is False
        assert (await page.look()).stats["dropped"]["not_connected"] == 1
        for process in (made.coordinator, server):
            process.spawn()
            await process.ready()
        await page.is_in("connected", 15)
        async with Client(made.url, token=made.token("python")) as client:
            await reached(client, "mine", page)
