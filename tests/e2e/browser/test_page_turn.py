"""A page whose only way is TURN: the browser's own TURN client, credentials of the coordinator, a real coturn."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.support.app_page import PageError, open_app
from tests.support.browser import Visitor
from tests.support.cluster import cluster
from tests.support.coturn import coturn
from tests.support.poll import until
from tests.support.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium", "turnserver")]

KEEP_CONNECTIONS = """
window.connections = [];
const Original = RTCPeerConnection;
window.RTCPeerConnection = class extends Original {
    constructor(config) { super(config); window.connections.push(this); }
};
"""
RELAY = {"iceTransportPolicy": "relay"}


async def ways(page: Page) -> list[str]:
    """The types of the candidates that the pairs in use have on the page's side."""
    found: list[str] = await page.evaluate(
        """async () => {
            const types = [];
            for (const connection of window.connections) {
                const stats = await connection.getStats();
                for (const pair of stats.values())
                    if (pair.type === "candidate-pair" && pair.nominated && pair.state === "succeeded")
                        types.push(stats.get(pair.localCandidateId).candidateType);
            }
            return types;
        }"""
    )
    return found


async def test_a_page_reaches_a_server_by_turn_and_no_other_way(visitor: Visitor, other_site: Site) -> None:
    async with (
        coturn() as turn,
        cluster(1, coordinator=turn.options(allowed_origins=other_site.origin)) as made,
        visitor.until_then(),
    ):
        context = await visitor.context(script=KEEP_CONNECTIONS)
        relayed = await open_app(visitor, other_site, made, context=context)
        direct = await open_app(visitor, other_site, made)
        seen = await relayed.connect(made.token("relayed"), options=RELAY)
        await direct.connect(made.token("direct"))
        await relayed.subscribe("there")
        await direct.call("publish", "there", "by way of coturn")
        [heard] = await relayed.hears(1)
        assert heard.text == "by way of coturn"
        assert await ways(relayed.page) == ["relay"]
        users = turn.users("CHANNEL_BIND") or turn.users("CREATE_PERMISSION")
        assert {user.partition(":")[2] for user in users} == {str(seen.alias)}


async def test_a_wrong_secret_is_told_clearly(visitor: Visitor, other_site: Site) -> None:
    options = {"allowed_origins": other_site.origin}
    async with (
        coturn() as turn,
        cluster(1, coordinator=turn.options(secret="not the secret that coturn has", **options)) as made,
        visitor.until_then(),
    ):
        page = await open_app(visitor, other_site, made)
        with pytest.raises(PageError) as error:
            await page.connect(made.token("relayed"), options={**RELAY, "connectTimeout": 5})
        assert "no TURN server relays for us" in error.value.reason
        assert "401" in error.value.reason
        assert (await page.connect(made.token("direct"))).state == "connected"
        await until(lambda: turn.users("ALLOCATE") == [], 1, "nobody got a relay")
