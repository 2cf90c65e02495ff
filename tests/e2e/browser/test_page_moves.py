"""A page whose address changes while it talks: Chromium proves its new one, and goes on."""

from __future__ import annotations

import asyncio
import json

import pytest

from rtcbroker import Client
from tests.support.app_page import open_app
from tests.support.browser import Visitor
from tests.support.cluster import cluster
from tests.support.nat import Nat
from tests.support.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]


async def test_a_page_behind_a_nat_that_gives_it_another_port_loses_no_reliable_packet(
    visitor: Visitor, other_site: Site
) -> None:
    nat = Nat(0)
    async with cluster(0, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then():
        server = await made.add_server(announce=f"127.0.0.1:{nat.port}")
        nat.server_port = json.loads(server.ready_file.read_text())["udp_port"]
        page = await open_app(visitor, other_site, made)
        await page.connect(made.token("page"))
        await page.subscribe("mine")
        async with Client(made.url, token=made.token("python")) as client:
            sent = 0
            while sent < 100 or await server.metric("rtcbroker_peer_moves_total") < 2:
                if sent == 30:
                    nat.rebind()
                await client.publish("mine", b"%d" % sent, reliable=True)
                sent += 1
                assert sent < 1_500, "they are not followed"
                await asyncio.sleep(0.02)

            async def heard() -> bool:
                return await page.count(0) >= sent

            deadline = asyncio.get_running_loop().time() + 20
            while not await heard():
                assert asyncio.get_running_loop().time() < deadline, f"{await page.count(0)} of {sent} came"
                await asyncio.sleep(0.05)
        assert await page.count(0) == sent
        assert await page.states() == [], "the link lived on"
    nat.close()
