"""Tokens in a page: refused, refused in part, expired, and fetched again in time."""

from __future__ import annotations

import asyncio
import time

import pytest

from protocol.codes import Code
from rtcbroker import Client
from tests.support.app_page import PageError, open_app
from tests.support.browser import Visitor
from tests.support.cluster import Cluster, cluster
from tests.support.poll import until
from tests.support.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

LIFETIME_S = 4.0


@pytest.mark.parametrize("token", [None, "nonsense"], ids=["none", "nonsense"])
async def test_refused(visitor: Visitor, other_site: Site, shared: Cluster, token: str | None) -> None:
    """connect() rejects at once, with an error that says why and that trying again is of no use."""
    visitor.complaints.expect(r"401|/connect")
    page = await open_app(visitor, other_site, shared)
    began = time.monotonic()
    with pytest.raises(PageError) as refused:
        await page.connect(token)
    assert "AuthError" in refused.value.kinds
    assert "RtcBrokerError" in refused.value.kinds
    assert refused.value.code == Code.AUTH_FAILED
    assert refused.value.retry == "do not retry"
    assert time.monotonic() - began < 5


async def test_grants(visitor: Visitor, other_site: Site, shared: Cluster) -> None:
    """A refused topic is named, to subscribe and to publish; what is allowed works."""
    page = await open_app(visitor, other_site, shared)
    await page.connect(shared.token("limited", publish=("page/*",), subscribe=("page/*",)))
    with pytest.raises(PageError) as refused:
        await page.subscribe("page/1", "secret")
    assert "SubscriptionRefused" in refused.value.kinds
    assert refused.value.topics == {"secret": Code.NOT_ALLOWED}
    assert refused.value.retry == "still connected"
    number = await page.subscribe("page/1", "secret", partial=True)
    async with Client(shared.url, token=shared.token("free")) as client, client.subscribe("page/2") as packets:

        async def hears() -> bool:
            await client.publish("secret", b"hidden")
            await client.publish("page/1", b"shown")
            return await page.count(number) > 0

        await until(hears, 10, "the page hears what it may", interval=0.1)
        assert {packet.topic for packet in await page.heard(number)} == {"page/1"}
        await page.call("publish", "secret", "not from me", {"reliable": True})

        async def told() -> bool:
            return any(error["topic"] == "secret" and "RequestRefused" in error["kinds"] for error in await page.errors())

        await until(told, 10, "the refusal names the topic", interval=0.05)

        async def client_hears() -> bool:
            await page.call("publish", "page/2", "from me", {"reliable": True})
            try:
                async with asyncio.timeout(0.1):
                    return (await anext(packets)).body == b"from me"
            except TimeoutError:
                return False

        await until(client_hears, 10, "what it may say is heard")


@pytest.mark.parametrize("skew_s", [3600, -3600])
async def test_a_page_whose_clock_is_wrong_renews_its_token_all_the_same(visitor: Visitor, other_site: Site, skew_s: int) -> None:
    """An hour ahead or behind: asked as often as with the right time, and connected all the while."""
    lifetime_s = 10.0
    allowed = {"auth_leeway": "0", "allowed_origins": other_site.origin}
    subject = f"skewed {skew_s}"
    context = await visitor.context(script=f"const now = Date.now; Date.now = () => now() + {1000 * skew_s};")
    async with cluster(1, auth_leeway="0", coordinator=allowed) as made, visitor.until_then():
        other_site.mint = made.token
        page = await open_app(visitor, other_site, made, context=context)
        await page.connect({"subject": subject, "lifetime_s": lifetime_s})
        began = time.monotonic()
        await until(lambda: time.monotonic() - began > 2 * lifetime_s, 3 * lifetime_s, "two lifetimes are over", interval=0.1)
        assert await page.states() == [], "it was connected all the while"
        assert 3 <= other_site.tokens[subject] <= 4


async def test_an_expired_token_ends_it_and_an_async_function_keeps_it(visitor: Visitor, other_site: Site) -> None:
    """A page with one short token is closed and told why; one that can fetch another never notices, over two lifetimes."""
    visitor.complaints.expect(r"401|/connect")
    allowed = {"auth_leeway": "0", "allowed_origins": other_site.origin}
    async with cluster(1, auth_leeway="0", coordinator=allowed) as made, visitor.until_then():
        other_site.mint = made.token
        once, renewing = await open_app(visitor, other_site, made), await open_app(visitor, other_site, made)
        await once.connect(made.token("once", lifetime_s=LIFETIME_S))
        await renewing.connect({"subject": "renewing", "lifetime_s": LIFETIME_S})
        assert other_site.tokens["renewing"] == 1
        await renewing.subscribe("renewed")
        began = time.monotonic()
        await once.is_in("closed", 4 * LIFETIME_S)
        last = (await once.states())[-1]
        assert last["state"] == "closed"
        assert "AuthError" in last["error"]["kinds"]
        assert last["error"]["code"] in (Code.TOKEN_EXPIRED, Code.AUTH_FAILED)
        assert time.monotonic() - began > LIFETIME_S - 1
        await until(lambda: time.monotonic() - began > 2 * LIFETIME_S, 3 * LIFETIME_S, "two lifetimes are over")
        assert await renewing.states() == [], "it was connected all the while"
        assert other_site.tokens["renewing"] >= 3
        async with Client(made.url, token=made.token("other")) as other:

            async def hears() -> bool:
                await other.publish("renewed", b"still there?")
                return await renewing.count() > 0

            await until(hears, 10, "its subscription works", interval=0.1)
