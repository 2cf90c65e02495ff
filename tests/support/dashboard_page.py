"""The dashboard as a test sees it: what it shows, and what came over its socket."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.async_api import BrowserContext, Page, WebSocket

from tests.support.browser import Visitor
from tests.support.cluster import Cluster
from tests.support.poll import until


class DashboardPage:
    """One tab with the dashboard."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[dict[str, Any]] = []
        """What the coordinator sent, oldest first."""
        self.closes = 0
        page.on("websocket", self._on_socket)

    def _on_socket(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._on_frame)
        socket.on("close", self._on_close)

    def _on_frame(self, payload: str | bytes) -> None:
        self.frames.append(json.loads(payload))

    def _on_close(self, _: WebSocket) -> None:
        self.closes += 1

    @property
    def state(self) -> dict[str, Any]:
        """The newest state frame."""
        return next(frame for frame in reversed(self.frames) if frame["type"] == "state")

    async def shows_the_cluster(self) -> bool:
        """Whether anything of the cluster can be seen."""
        return await self.page.locator("#cluster").is_visible()

    async def live(self, seconds: float = 10.0) -> None:
        """Wait until it shows the cluster as it is now."""

        async def is_live() -> bool:
            return await self.shows_the_cluster() and await self.page.locator("#status-word").inner_text() == "Live"

        await until(is_live, seconds, "the dashboard is live", interval=0.03)

    async def servers(self) -> set[int]:
        """Aliases of the servers that have a card and a place in the picture."""
        cards = await self.page.locator("#cards .card").evaluate_all("(all) => all.map((card) => card.id)")
        nodes = await self.page.locator("#picture .node").evaluate_all("(all) => all.map((node) => node.dataset.alias)")
        return {int(card.removeprefix("server-")) for card in cards} & {int(alias) for alias in nodes}

    async def fact(self, alias: int, name: str) -> int:
        """A number of a server's card."""
        text = await self.page.locator(f"#server-{alias} .fact", has_text=name).locator(".fact-value").inner_text()
        return int(re.sub(r"\D", "", text))

    async def row(self, alias: int, name: str) -> str:
        """A measured value of a server's card, as it is written."""
        return await self.page.locator(f"#server-{alias} .row", has_text=name).locator(".row-value").inner_text()

    async def log(self, kind: str) -> list[str]:
        """Lines of the log that are of this kind, newest first."""
        return await self.page.locator(f'#log [data-kind="{kind}"] .log-text').all_inner_texts()

    async def offer(self, token: str) -> None:
        """Give it a token, by the keyboard."""
        await self.page.locator("#token").fill(token)
        await self.page.keyboard.press("Enter")


async def open_dashboard(
    visitor: Visitor, made: Cluster, token: str | None = None, *, context: BrowserContext | None = None
) -> DashboardPage:
    """The page at the coordinator's root; a token goes by the fragment of its address."""
    page = DashboardPage(await visitor.page(context))
    fragment = "" if token is None else f"#token={token}"
    response = await page.page.goto(f"http://127.0.0.1:{made.coordinator.port}/{fragment}", wait_until="load")
    assert response is not None
    assert response.status == 200
    return page
