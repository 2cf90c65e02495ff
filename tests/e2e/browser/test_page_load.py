"""A page with a lot to do: thousands of topics, more packets than fit, and a minute among fifty others without a leak."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import struct
import time
from collections.abc import AsyncIterator, Callable

import pytest

from rtcbroker import Client
from tests.support.app_page import AppPage, open_app, speaking
from tests.support.browser import Inspector, Sample, Visitor
from tests.support.cluster import Cluster, cluster
from tests.support.poll import until
from tests.support.site import Site
from tests.support.talk import clients

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

MESSAGE_BYTES = 65_536
"""The largest message a comm server takes."""

SPY = """
// Notes how large the messages are that the page sends.
window.sizes = [];
const send = RTCDataChannel.prototype.send;
RTCDataChannel.prototype.send = function (data) {
    window.sizes.push([this.label, data.byteLength ?? data.length, this.bufferedAmount]);
    return send.call(this, data);
};
"""

BOTS = 50
HZ = 20.0
BODY_BYTES = 64
WARM_UP_S = 8.0
SECONDS = 60.0
LEAST_HEARD = 0.95
"""Of what was said. It is unreliable, and some of it is still on its way when it is counted."""


async def test_a_set_of_topics_too_large_for_a_message_goes_as_gzip(visitor: Visitor, other_site: Site, shared: Cluster) -> None:
    """Five thousand topics, several times a message as text: acknowledged, and each is really subscribed."""
    topics = [f"large/set/of/topics/with/quite/long/names/number/{number}" for number in range(5000)]
    assert len(" ".join(topics)) > 3 * MESSAGE_BYTES
    page = await open_app(visitor, other_site, shared, context=await visitor.context(script=SPY))
    await page.connect(shared.token("page"))
    await page.subscribe(*topics)
    assert max(size for _, size, _ in await page.page.evaluate("() => sizes")) < MESSAGE_BYTES
    async with Client(shared.url, token=shared.token("python")) as client:

        async def all_heard() -> bool:
            for number in (0, 2500, 4999):
                await client.publish(topics[number], b"x")
            return {packet.topic for packet in await page.heard()} == {topics[0], topics[2500], topics[4999]}

        await until(all_heard, 15, "three of the topics are heard", interval=0.2)


async def test_what_does_not_fit_is_dropped_and_counted(visitor: Visitor, other_site: Site, shared: Cluster) -> None:
    """Far more at once than the unreliable channel's buffer takes: every packet is either sent or counted, and the buffer has a bound."""
    page = await open_app(visitor, other_site, shared, context=await visitor.context(script=SPY))
    await page.connect(shared.token("page"))
    asked, size = 500, 16_000
    taken = await page.call("flood", "flood/out", asked, size, {"reliable": False})
    assert 0 < taken < asked
    stats = (await page.look()).stats
    assert stats["dropped"] == {"send_buffer": asked - taken}
    assert stats["sent"] == taken
    # In the middle of a flood a packet that waits is not lost: it waits for room.
    await page.call("publish", "flood/out", "patient", {"reliable": True})
    taken = await page.call("flood", "flood/out", asked, size, {"reliable": True})
    assert 0 < taken < asked
    await page.call("publish", "flood/out", "patient", {"reliable": True})
    buffered = dict.fromkeys(("reliable", "unreliable"), 0)
    for label, _, amount in await page.page.evaluate("() => sizes"):
        buffered[label] = max(buffered[label], amount)
    assert buffered["unreliable"] <= 64 * 1024 + MESSAGE_BYTES
    assert buffered["reliable"] <= 256 * 1024 + MESSAGE_BYTES


async def test_a_reader_that_is_busy_loses_the_oldest(visitor: Visitor, other_site: Site, shared: Cluster) -> None:
    """A queue of ten for a hundred packets: the newest ten are there, the others are counted."""
    page = await open_app(visitor, other_site, shared)
    await page.connect(shared.token("page"))
    await page.call("queue", "flood/queue", 10)
    async with Client(shared.url, token=shared.token("python")) as client:
        for number in range(100):
            await client.publish("flood/queue", str(number))

        async def all_came() -> bool:
            return bool((await page.look()).stats["received"] == 100)

        await until(all_came, 10, "a hundred packets have come", interval=0.05)
        assert await page.call("queued") == 90
        assert (await page.look()).stats["dropped"] == {"queue": 90}
        assert await page.call("read", 10) == [str(number) for number in range(90, 100)]


async def test_a_page_keeps_up_with_a_burst(visitor: Visitor, other_site: Site, shared: Cluster) -> None:
    """Ten thousand reliable packets as fast as they come: all of them, in order, while the page stays alive."""
    packets = 10_000
    page = await open_app(visitor, other_site, shared)
    await page.connect(shared.token("page"))
    await page.subscribe("flood/in")
    async with Client(shared.url, token=shared.token("python")) as client:

        async def hears() -> bool:
            await client.publish("flood/in", b"first")
            return await page.count() > 0

        await until(hears, 10, "the page hears the client", interval=0.1)
        for number in range(packets):
            await client.publish("flood/in", struct.pack("<I", number))
            if number == packets // 2:
                assert 0 < await page.call("ping") < 5, "in the middle of it"

        async def all_there() -> bool:
            last: list[int] = await page.page.evaluate("() => app.subscriptions[0].packets.at(-1).bytes")
            return bytes(last) == struct.pack("<I", packets - 1)

        await until(all_there, 20, "the last has come", interval=0.1)
        numbers = await page.page.evaluate(
            "() => app.subscriptions[0].packets.filter((p) => p.bytes.length === 4)"
            ".map((p) => new DataView(Uint8Array.from(p.bytes).buffer).getUint32(0, true))"
        )
        assert numbers == list(range(packets))
        assert (await page.look()).stats["dropped"] == {}


@pytest.mark.timeout(150)
async def test_a_minute_among_fifty_bots_leaves_nothing_behind(
    visitor: Visitor, other_site: Site, measured: Callable[[str], None]
) -> None:
    """Twenty packets a second from each of fifty, and twenty of its own: heap, listeners and nodes are as before the minute."""
    async with cluster(1, coordinator={"allowed_origins": other_site.origin}) as made, visitor.until_then():
        other_site.mint = made.token
        page = await open_app(visitor, other_site, made)
        await page.connect({"subject": "page"})
        await page.subscribe("crowd", keep=False)
        inspector = await Inspector.attach(page.page)
        async with clients(made, BOTS) as bots, crowd(bots), speaking(page, "crowd/page", HZ, BODY_BYTES):
            await until(functools.partial(flowing, page, WARM_UP_S), 6 * WARM_UP_S, "the crowd is heard", interval=0.2)
            before, began = await inspector.sample(), time.monotonic()
            heard, said = -await page.count(), -spoken(bots)
            samples = [before]
            while (passed := time.monotonic() - began) < SECONDS:
                await asyncio.sleep(min(10.0, SECONDS - passed))
                samples.append(await inspector.sample())
            heard, said = heard + await page.count(), said + spoken(bots)
        # How often fifty clients in one process really speak is the machine's to say; what they say arrives.
        told = f"{heard / SECONDS:.0f} of {said / SECONDS:.0f} packets a second"
        assert heard > LEAST_HEARD * said, told
        assert said > BOTS * HZ * SECONDS / 4, f"{told}: too few to say anything of a crowd"
        stats = (await page.look()).stats
        assert stats["sent"] > HZ * SECONDS / 2
        assert stats["dropped"] == {}
        assert stats["joins"] == 1
        measured(f"heap after garbage collection, a minute among {BOTS} bots, {told}: {describe(samples)}")
        assert_stable(samples)


async def flowing(page: AppPage, seconds: float) -> bool:
    """Whether as much has been heard as everyone is to say in so long."""
    return await page.count() > BOTS * HZ * seconds * 0.8


def spoken(bots: list[Client]) -> int:
    """Packets that have left so far, all bots together."""
    return sum(bot.stats.sent for bot in bots)


@contextlib.asynccontextmanager
async def crowd(bots: list[Client]) -> AsyncIterator[None]:
    """Inside, each of them publishes HZ times a second."""

    async def speak(bot: Client, offset: float) -> None:
        next_time = time.monotonic() + offset
        while True:
            await asyncio.sleep(next_time - time.monotonic())
            bot.publish_nowait("crowd", bytes(BODY_BYTES), reliable=False)
            next_time = max(next_time + 1 / HZ, time.monotonic() - 1)

    speakers = [asyncio.create_task(speak(bot, number / HZ / len(bots))) for number, bot in enumerate(bots)]
    try:
        yield
    finally:
        for speaker in speakers:
            speaker.cancel()
        await asyncio.gather(*speakers, return_exceptions=True)


def describe(samples: list[Sample]) -> str:
    """As a person reads it."""
    return "; ".join(f"{s.heap / 1e6:.2f} MB, {s.listeners} listeners, {s.nodes} nodes" for s in samples)


def assert_stable(samples: list[Sample]) -> None:
    """Listeners, nodes and documents do not grow, and the heap no more than a warmed up one does by itself."""
    first, last = samples[0], samples[-1]
    told = describe(samples)
    assert last.listeners <= first.listeners, told
    assert last.nodes <= first.nodes, told
    assert last.documents <= first.documents, told
    # A leak of a packet's 64 bytes alone would be 4 MB after the minute's 60 000 packets.
    assert last.heap - first.heap < 500_000, told
