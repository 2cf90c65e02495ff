"""A page's token is revoked by its `jti`, from a backend: with another one it goes on, without one it is told why it may not."""

from __future__ import annotations

import pytest

from protocol.codes import Code
from rtcbroker import Client
from tests.support.api import backend
from tests.support.app_page import PageError, open_app
from tests.support.browser import Visitor
from tests.support.cluster import cluster
from tests.support.poll import until
from tests.support.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

FOR_S = 120


async def test_a_page_goes_on_with_another_token(visitor: Visitor, other_site: Site) -> None:
    """Its token function gives one that is not revoked: it is never closed, and hears what it subscribed to. So a second time."""
    visitor.complaints.expect("/connect")
    async with cluster(1, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then(), backend(made) as api:
        other_site.mint = made.token
        page = await open_app(visitor, other_site, made)
        await page.connect({"subject": "revoked", "token_id": "page"})
        await page.subscribe("mine")
        async with Client(made.url, token=made.token("python")) as client:
            for _ in range(2):
                present = other_site.tokens["revoked"]
                assert (await api("POST", "/revocations", {"jti": f"page-{present}", "seconds": FOR_S})).status == 201

                async def renewed(present: int = present) -> bool:
                    return other_site.tokens["revoked"] > present and (await page.look()).state == "connected"

                await until(renewed, 10, "the page is there with another token", interval=0.05)
                before = await page.count()

                async def hears(before: int = before) -> bool:
                    await client.publish("mine", b"still there?")
                    return await page.count() > before

                await until(hears, 10, "its subscription works", interval=0.05)
        assert {told["state"] for told in await page.states()} <= {"reconnecting", "connected"}
        assert await page.errors() == []


async def test_a_page_with_one_token_is_told_why(visitor: Visitor, other_site: Site) -> None:
    """It closes, with the code, does not show that token again, and says so to whoever asks something of it."""
    visitor.complaints.expect("/connect")
    async with cluster(1, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then(), backend(made) as api:
        page = await open_app(visitor, other_site, made)
        await page.connect(made.token("fixed", token_id="only"))
        refusals = await made.coordinator.metric("rtcbroker_coordinator_refusals_total")
        assert (await api("POST", "/revocations", {"jti": "only", "seconds": FOR_S})).status == 201
        await page.is_in("closed")
        (told,) = [told for told in await page.states() if told["state"] == "closed"]
        assert "AuthError" in told["error"]["kinds"]
        assert (told["error"]["code"], told["error"]["retry"]) == (Code.TOKEN_REVOKED, "do not retry")
        assert told["error"]["reason"] == "the token was revoked"
        with pytest.raises(PageError) as closed:
            await page.call("publish", "mine", "x", {})
        assert "ClientClosed" in closed.value.kinds
        assert closed.value.code == Code.TOKEN_REVOKED
        assert await made.coordinator.metric("rtcbroker_coordinator_refusals_total") == refusals
