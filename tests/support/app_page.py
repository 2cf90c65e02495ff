"""The page of tests/e2e/browser/pages as a test sees it: an application in a browser that uses the SDK."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from playwright.async_api import BrowserContext, Page

from tests.support.browser import Visitor
from tests.support.cluster import Cluster
from tests.support.poll import until
from tests.support.site import Site


@dataclass
class PageError(Exception):
    """What a call inside the page threw."""

    name: str
    kinds: list[str]
    """Classes of the SDK it is an instance of."""
    code: int
    reason: str
    retry: str | None
    """The verdict of the code."""
    topic: str | None
    topics: dict[str, int] | None


@dataclass(frozen=True)
class Seen:
    """The client of the page."""

    state: str
    alias: int
    server: int
    stats: dict[str, Any]


@dataclass(frozen=True)
class Heard:
    """A packet as the page got it."""

    topic: str
    sender: int
    bytes: list[int]
    text: str
    json: Any
    reliable: bool
    identity: str | None
    role: Any


class AppPage:
    """One tab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def call(self, name: str, *args: Any) -> Any:
        """A function of the page's `app`; raises :class:`PageError` with what it threw."""
        answer = await self.page.evaluate("([name, args]) => window.call(name, args)", [name, args])
        if "error" in answer:
            raise PageError(**answer["error"])
        return answer["value"]

    async def connect(self, token: Any = None, **how: Any) -> Seen:
        """Join, with a token or with ``{"subject": ...}`` as the site's /token takes it."""
        return Seen(**await self.call("connect", {"token": token, **how}))

    async def subscribe(self, *topics: str, **how: Any) -> int:
        """Subscribe; returns the number of the subscription."""
        number: int = await self.call("subscribe", list(topics), how)
        return number

    async def look(self) -> Seen:
        """The client now."""
        return Seen(**await self.page.evaluate("() => window.look()"))

    async def states(self) -> list[dict[str, Any]]:
        """What the client told of its state since it was connected."""
        found: list[dict[str, Any]] = await self.page.evaluate("() => app.states")
        return found

    async def errors(self) -> list[dict[str, Any]]:
        """What it told of its errors."""
        found: list[dict[str, Any]] = await self.page.evaluate("() => app.errors")
        return found

    async def count(self, subscription: int = 0) -> int:
        """Packets of a subscription so far."""
        found: int = await self.page.evaluate("(number) => app.subscriptions[number].count", subscription)
        return found

    async def heard(self, subscription: int = 0) -> list[Heard]:
        """Packets of a subscription so far."""
        found = await self.page.evaluate("(number) => app.subscriptions[number].packets", subscription)
        return [Heard(**packet) for packet in found]

    async def hears(self, count: int, subscription: int = 0, seconds: float = 10.0) -> list[Heard]:
        """Wait for so many packets of a subscription, and return all there are."""

        async def enough() -> bool:
            return await self.count(subscription) >= count

        await until(enough, seconds, f"the page has heard {count} packets", interval=0.03)
        return await self.heard(subscription)

    async def is_in(self, state: str, seconds: float = 10.0) -> Seen:
        """Wait until the client is in a state."""

        async def there() -> Seen | None:
            seen = await self.look()
            return seen if seen.state == state else None

        found = await until(there, seconds, f"the page is {state}", interval=0.03)
        assert found is not None
        return found

    async def joins(self, token: Any, server: int) -> Seen:
        """Join this very server: the choice is the coordinator's and random, so leave and come again until it is so."""
        for _ in range(60):
            seen = await self.connect(token)
            if seen.server == server:
                return seen
            await self.call("close")
        raise AssertionError(f"sixty random choices never hit server {server}")


async def open_app(
    visitor: Visitor, site: Site, made: Cluster, *, ports: Sequence[int] = (), context: BrowserContext | None = None
) -> AppPage:
    """The page, loaded, not yet connected; `ports` are its coordinators'."""
    page = AppPage(await visitor.visit(site.page(*(ports or [made.coordinator.port])), context=context))

    async def loaded() -> bool:
        return bool(await page.page.evaluate("() => 'app' in window"))

    await until(loaded, 10, lambda: f"the page has the SDK; it complains: {visitor.complaints.found}", interval=0.03)
    return page


@contextlib.asynccontextmanager
async def speaking(page: AppPage, topic: str, hz: float, size: int) -> AsyncIterator[None]:
    """Inside, the page publishes `hz` times a second on the unreliable channel."""
    await page.page.evaluate("([topic, hz, size]) => app.beat(topic, hz, size)", [topic, hz, size])
    try:
        yield
    finally:
        await page.page.evaluate("() => app.stop()")
