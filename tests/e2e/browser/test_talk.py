"""Pages talk: with each other, through one server and across two, and with a Python client."""

from __future__ import annotations

import json

import pytest

from protocol.tokens import TokenRole
from rtcbroker import Client
from tests.support.app_page import AppPage, Heard, PageError, open_app
from tests.support.browser import Visitor
from tests.support.cluster import Cluster
from tests.support.poll import until
from tests.support.site import Site
from tests.support.talk import collect

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

PACKETS = 50


async def two_pages(visitor: Visitor, site: Site, made: Cluster, *, one_server: bool) -> tuple[AppPage, AppPage]:
    """Two people, joined to one server or to two."""
    ann, bob = await open_app(visitor, site, made), await open_app(visitor, site, made)
    first = await ann.connect(made.token("ann"))
    if one_server:
        await bob.joins(made.token("bob"), first.server)
        return ann, bob
    seen = first
    for _ in range(60):
        seen = await bob.connect(made.token("bob"))
        if seen.server != first.server:
            return ann, bob
        await bob.call("close")
    raise AssertionError("sixty random choices never hit the other server")


async def heard_by(speaker: AppPage, topic: str, listener: AppPage) -> int:
    """Publish until the listener hears: from then on interest has spread. Returns how many it has heard by then."""

    async def hears() -> bool:
        await speaker.call("publish", topic, "anyone?", {"reliable": True})
        return await listener.count() > 0

    await until(hears, 10, "the page hears the other one", interval=0.1)
    await speaker.call("publish", topic, "now", {"reliable": True})

    async def settled() -> bool:
        return any(packet.text == "now" for packet in await listener.heard())

    await until(settled, 10, "the last of these has come", interval=0.03)
    return await listener.count()


@pytest.mark.parametrize("one_server", [True, False], ids=["one-server", "two-servers"])
async def test_two_pages_talk_on_both_channels(visitor: Visitor, other_site: Site, shared: Cluster, one_server: bool) -> None:
    """Each packet once, on the channel it was sent on, in order on the reliable one; nobody hears itself."""
    pair = await two_pages(visitor, other_site, shared, one_server=one_server)
    topic = f"talk/{one_server}"
    for page in pair:
        await page.subscribe(topic)
    for speaker, listener in (pair, pair[::-1]):
        before = await heard_by(speaker, topic, listener)
        own = await speaker.count()
        for number in range(PACKETS):
            await speaker.call("publish", topic, f"r{number}", {"reliable": True})
            await speaker.call("publish", topic, f"u{number}", {"reliable": False})
        heard = (await listener.hears(before + 2 * PACKETS))[before:]
        assert {(packet.topic, packet.sender) for packet in heard} == {(topic, (await speaker.look()).alias)}
        assert [packet.text for packet in heard if packet.reliable] == [f"r{number}" for number in range(PACKETS)]
        assert sorted(packet.text for packet in heard if not packet.reliable) == sorted(f"u{n}" for n in range(PACKETS))
        assert await speaker.count() == own, "a page does not hear itself"
    assert 0.0 < await pair[0].call("ping") < 1.0, "seconds there and back"


async def test_a_page_and_a_python_client_say_all_there_is_to_say(visitor: Visitor, other_site: Site, shared: Cluster) -> None:
    """Text, JSON and bytes that are neither, with and without a verified identity, both ways."""
    page = await open_app(visitor, other_site, shared)
    await page.connect(shared.token("page"))
    text, value, data = "grüß dich, 世界 🌍", {"x": 1.5, "to": ["all", None]}, bytes(range(256))
    async with Client(shared.url, token=shared.token("python")) as client, client.subscribe("mixed/to-python") as packets:
        await page.subscribe("mixed/to-page")

        async def page_hears() -> bool:
            await client.publish("mixed/to-page", b"", reliable=True)
            return await page.count() > 0

        await until(page_hears, 10, "the page hears the client", interval=0.1)
        await client.publish("mixed/to-page", text)
        await client.publish("mixed/to-page", json.dumps(value), identity=True)
        await client.publish("mixed/to-page", data, reliable=False)

        async def all_there() -> list[Heard]:
            found = [packet for packet in await page.heard() if packet.bytes]
            return found if len(found) == 3 else []

        said = await until(all_there, 10, "three packets", interval=0.03)
        plain, signed = [packet for packet in said if packet.reliable]
        (raw,) = [packet for packet in said if not packet.reliable]
        assert (plain.text, plain.identity, plain.role) == (text, None, None)
        assert (signed.json, signed.identity, signed.role) == (value, "python", TokenRole.CLIENT.value)
        assert (bytes(raw.bytes), raw.identity) == (data, None)
        assert {packet.sender for packet in await page.heard()} == {client.alias}

        await page.call("publish", "mixed/to-python", text, {"reliable": True})
        await page.call("publishJson", "mixed/to-python", value, {"reliable": True, "identity": True})
        first, second = await collect(packets, 2)
        assert (first.body.decode(), first.identity, first.reliable) == (text, None, True)
        assert (json.loads(second.body), second.identity, second.role) == (value, "page", TokenRole.CLIENT)
        await page.call("publishBytes", "mixed/to-python", list(data), {"reliable": False})
        (third,) = await collect(packets, 1)
        assert (third.body, third.reliable) == (data, False)
        assert {packet.sender for packet in (first, second, third)} == {(await page.look()).alias}


async def test_subscriptions_change_and_end(visitor: Visitor, other_site: Site, shared: Cluster) -> None:
    """Topics come and go one by one; what was closed is not heard any more; a grammar error names the topic."""
    page = await open_app(visitor, other_site, shared)
    await page.connect(shared.token("page"))
    number = await page.subscribe("changing/1", "changing/2")
    async with Client(shared.url, token=shared.token("python")) as client:
        await page.call("update", number, {"add": ["changing/3"], "remove": ["changing/1"]})
        assert sorted(await page.call("topics", number)) == ["changing/2", "changing/3"]

        async def says(*topics: str) -> set[str]:
            for topic in topics:
                await client.publish(topic, topic)
            return {packet.topic for packet in await page.heard(number)}

        async def both() -> bool:
            return await says("changing/1", "changing/2", "changing/3") >= {"changing/2", "changing/3"}

        await until(both, 10, "both topics are heard", interval=0.1)
        other = await page.subscribe("changing/4")
        before = await page.count(number)
        assert {packet.topic for packet in await page.heard(number)} == {"changing/2", "changing/3"}
        await page.call("unsubscribe", number)
        settled = await page.count(number)
        await client.publish("changing/2", b"unheard")

        async def hears_the_other() -> bool:
            await client.publish("changing/4", b"heard")
            return await page.count(other) > 0

        await until(hears_the_other, 10, "the other subscription lives on", interval=0.1)
        assert await page.count(number) == settled >= before
    with pytest.raises(PageError) as wrong:
        await page.subscribe("not a topic")
    assert "TopicError" in wrong.value.kinds
