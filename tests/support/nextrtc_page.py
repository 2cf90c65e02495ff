"""The page of a NextRTC peer as a test sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import Page

from tests.support.browser import Visitor
from tests.support.cluster import Cluster
from tests.support.poll import until
from tests.support.site import Site

PATIENCE_S = 30.0
"""Connections of several pages come up on two cores, which also make and show the pictures."""


@dataclass(frozen=True)
class PeerSeen:
    """The peer now."""

    id: str
    conversation: dict[str, str] | None
    heard: list[dict[str, Any]]
    """All messages but pings and candidates."""
    pings: int
    candidates: dict[str, int]
    """How many came, by the member they are from."""
    failures: list[str]
    states: dict[str, str]
    """Of its connections, by member."""


class PeerPage:
    """One tab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def call(self, name: str, *args: Any) -> Any:
        """A method of the page's peer."""
        return await self.page.evaluate("([name, args]) => peer[name](...args)", [name, args])

    async def look(self) -> PeerSeen:
        """The peer now; it has failed at nothing."""
        seen = PeerSeen(**await self.call("look"))
        assert seen.failures == []
        return seen

    async def id(self) -> str:
        """Its member id, which the first message tells."""

        async def known() -> str:
            return (await self.look()).id

        return await until(known, PATIENCE_S, "the peer knows its id", interval=0.05)

    async def signals(self, sender: str) -> list[str]:
        """What it heard from another member, by name, in order."""
        return [each["signal"] for each in (await self.look()).heard if each["from"] == sender]

    async def hears(self, **message: Any) -> None:
        """Wait for a message that has these values."""

        async def heard() -> bool:
            return any(message.items() <= each.items() for each in (await self.look()).heard)

        await until(heard, PATIENCE_S, f"the peer hears {message}", interval=0.05)

    async def frames(self) -> dict[str, int]:
        """Video frames decoded so far, by member."""
        found: dict[str, int] = await self.call("frames")
        return found

    async def enters(self, conversation: str, kind: str = "") -> dict[str, str]:
        """Create a conversation of that kind or, without one, join it."""
        await self.call("create" if kind else "join", conversation, *([kind] if kind else []))

        async def inside() -> dict[str, str] | None:
            return (await self.look()).conversation

        entered = await until(inside, PATIENCE_S, "the peer is in", interval=0.05)
        assert entered is not None
        return entered


async def open_peer(visitor: Visitor, site: Site, made: Cluster, *, media: bool = True) -> PeerPage:
    """A page of somebody else's site, with its socket open; `media`: with a camera."""
    page = await visitor.visit(f"{site.origin}/nextrtc.html?{urlencode({'port': made.coordinator.port})}")

    async def loaded() -> bool:
        return bool(await page.evaluate("() => 'peer' in window"))

    await until(loaded, PATIENCE_S, "the page has its peer", interval=0.05)
    peer = PeerPage(page)
    await peer.call("open", f"{made.url}/signaling?{urlencode({'access_token': made.token('peer')})}", media)
    return peer


async def frames_advance(receivers: dict[PeerPage, set[str]]) -> None:
    """Wait until each has shown a dozen pictures more of each of these members; of nobody else does it show any."""
    before = {peer: await peer.frames() for peer in receivers}
    now = dict(before)

    async def advanced() -> bool:
        for peer, senders in receivers.items():
            now[peer] = await peer.frames()
            if any(now[peer].get(sender, 0) < before[peer].get(sender, 0) + 12 for sender in senders):
                return False
        return True

    await until(advanced, PATIENCE_S, lambda: f"video advances: {list(before.values())} -> {list(now.values())}", interval=0.1)
    for peer, senders in receivers.items():
        assert {sender for sender, count in now[peer].items() if count} == senders
