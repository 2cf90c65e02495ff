"""Peers of NextRTC see each other in a browser: everybody everybody in a mesh, all of them one in a broadcast."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.browser import Visitor
from tests.support.camera import chromium_with_camera
from tests.support.cluster import Cluster, cluster
from tests.support.nextrtc_page import PeerPage, frames_advance, open_peer
from tests.support.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def camera_browser() -> AsyncIterator[Browser]:
    """One with a camera."""
    async with chromium_with_camera() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def signalling(other_site: Site) -> AsyncIterator[Cluster]:
    """A coordinator that speaks NextRTC, with authentication on: peers bring a token in the URL."""
    async with cluster(0, coordinator={"p2p": "nextrtc", "allowed_origins": other_site.origin}) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def people(camera_browser: Browser) -> AsyncIterator[Visitor]:
    """Somebody with a camera."""
    made = Visitor(camera_browser)
    yield made
    await made.leave()
    assert made.complaints.unexpected() == []


async def everybody_sees_everybody(peers: list[PeerPage]) -> None:
    """A mesh, and no connection beyond."""
    ids = {peer: await peer.id() for peer in peers}
    await frames_advance({peer: {ids[other] for other in peers if other is not peer} for peer in peers})
    for peer in peers:
        seen = await peer.look()
        assert set(seen.states) == {ids[other] for other in peers if other is not peer}
        assert set(seen.candidates) == set(seen.states), "each way was offered from both ends"


async def test_three_in_a_mesh(people: Visitor, other_site: Site, signalling: Cluster) -> None:
    """Six directions; who goes is let go of and can come again."""
    peers = [await open_peer(people, other_site, signalling) for _ in range(3)]
    ann, bob, cid = peers
    room = await ann.enters("", "MESH")
    assert room["type"] == "MESH"
    await asyncio.gather(bob.enters(room["id"]), cid.enters(room["id"]))
    await everybody_sees_everybody(peers)
    await ann.call("text", "<b>hello</b>")
    for other in (bob, cid):
        await other.hears(signal="text", content="&lt;b&gt;hello&lt;/b&gt;", **{"from": await ann.id()})

    await bob.call("leave")
    for other in (ann, cid):
        await other.hears(signal="left", **{"from": await bob.id()})
    await everybody_sees_everybody([ann, cid])
    await bob.enters(room["id"])
    await everybody_sees_everybody(peers)

    gone = await cid.id()
    await cid.page.close()
    for other in (ann, bob):
        await other.hears(signal="left", **{"from": gone})
    await everybody_sees_everybody([ann, bob])


async def test_listeners_see_the_broadcaster_and_nobody_else(people: Visitor, other_site: Site, signalling: Cluster) -> None:
    """Listeners without a camera; when the broadcaster goes, it is over for all."""
    speaker = await open_peer(people, other_site, signalling)
    listeners = [await open_peer(people, other_site, signalling, media=False) for _ in range(2)]
    assert await speaker.enters("show", "BROADCAST") == {"id": "show", "type": "BROADCAST"}
    for listener in listeners:
        await listener.enters("show")
    await frames_advance({speaker: set(), **{listener: {await speaker.id()} for listener in listeners}})
    for listener in listeners:
        assert set((await listener.look()).states) == {await speaker.id()}
        assert await listener.signals(await speaker.id()) == ["newJoined", "answerRequest"]
    assert set((await speaker.look()).states) == {await listener.id() for listener in listeners}
    speaker_id = await speaker.id()
    await speaker.page.close()
    for listener in listeners:
        await listener.hears(signal="end", content="show")
        assert await listener.signals(speaker_id) == ["newJoined", "answerRequest", "left", "end"]
        assert (await listener.look()).states == {}
    await listeners[0].enters("show", "MESH")
    assert (await listeners[1].enters("show"))["id"] == "show"
