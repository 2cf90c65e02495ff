"""A real Chromium for end-to-end tests: how it is started, what its pages complain of, and what it says of itself."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from playwright.async_api import Browser, BrowserContext, CDPSession, ConsoleMessage, Page, Request, Response, async_playwright

FLAGS = (
    # Without a user namespace of its own, as in most containers and for root, Chromium has no sandbox to offer.
    "--no-sandbox",
    # Nothing that the tests did not ask for leaves the browser, and no name is looked up.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    # To hide the machine's addresses from a page, Chromium announces invented names by multicast to the network it is in. That a
    # server copes with such names is tested in test_hidden_addresses.py, which sends no multicast.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)

WIDE = (1280, 800)
NARROW = (390, 844)
SMALL = (320, 568)
"""Width and height of a window: of a laptop, of a phone, of the smallest phone."""


@contextlib.asynccontextmanager
async def chromium(*more: str) -> AsyncIterator[Browser]:
    """The system's Chromium, headless; `more` are flags of its command line."""
    path = shutil.which("chromium")
    assert path is not None, "the tests that use this say that they need it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*FLAGS, *more])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Complaints:
    """What pages complained of: errors and warnings on the console, exceptions nobody caught, requests that failed."""

    found: list[str] = field(default_factory=list)
    _expected: list[re.Pattern[str]] = field(default_factory=list)

    def expect(self, pattern: str) -> None:
        """Complaints that match are part of the test."""
        self._expected.append(re.compile(pattern))

    def watch(self, page: Page) -> None:
        """Listen to a page that has loaded nothing yet."""
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.found.append(f"{page.url}: uncaught {error}"))
        page.on("crash", lambda _: self.found.append(f"{page.url}: crashed"))
        page.on("requestfailed", self._on_failed)
        page.on("response", self._on_response)

    def unexpected(self) -> list[str]:
        """Those that no test said it expects."""
        return [found for found in self.found if not any(pattern.search(found) for pattern in self._expected)]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.found.append(f"{message.location.get('url')}: console {message.type}: {message.text}")

    def _on_failed(self, request: Request) -> None:
        self.found.append(f"{request.url}: {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.found.append(f"{response.url}: status {response.status}")


@dataclass
class Visitor:
    """A person with a browser. Each page has a context of its own, as if it were another person's, unless one is given."""

    browser: Browser
    complaints: Complaints = field(default_factory=Complaints)
    _contexts: list[BrowserContext] = field(default_factory=list)

    async def context(
        self, *, dark: bool = False, size: tuple[int, int] = WIDE, touch: bool = False, script: str = ""
    ) -> BrowserContext:
        """A browser of one person; `script` runs in each page before the page's own."""
        context = await self.browser.new_context(
            color_scheme="dark" if dark else "light", viewport={"width": size[0], "height": size[1]}, has_touch=touch
        )
        self._contexts.append(context)
        if script:
            await context.add_init_script(script)
        return context

    async def page(self, context: BrowserContext | None = None) -> Page:
        """An empty page that is listened to."""
        page = await (context or await self.context()).new_page()
        self.complaints.watch(page)
        return page

    async def visit(self, url: str, *, context: BrowserContext | None = None) -> Page:
        """A page at this address, loaded with everything it asks for at once."""
        page = await self.page(context)
        response = await page.goto(url, wait_until="load")
        assert response is not None
        assert response.status == 200, f"{url}: status {response.status}"
        return page

    @contextlib.asynccontextmanager
    async def until_then(self) -> AsyncIterator[None]:
        """Close all pages at the end of this, before what they are connected to goes."""
        try:
            yield
        finally:
            await self.leave()

    async def leave(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            await context.close()
        self._contexts.clear()


async def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wider: int = await page.evaluate("() => document.scrollingElement.scrollWidth - document.documentElement.clientWidth")
    return wider


async def cut(page: Page) -> list[str]:
    """Elements of which a part cannot be seen, since it is wider than its place; those left out that scroll.

    Names that end in an ellipsis are among them, but for that of a button, which opens to the whole of it, and texts that stick out
    of a cell of a table, on whichever side.
    """
    found: list[str] = await page.evaluate(
        """async () => {
            const name = (element) => `${element.tagName.toLowerCase()}#${element.id}.${[...element.classList].join(".")}`;
            const may = (element, { overflowX, textOverflow, clipPath }) =>
                overflowX === "auto" || overflowX === "scroll" || clipPath !== "none" ||
                (textOverflow === "ellipsis" && element.closest("button") !== null);
            const sticksOut = (cell) => {
                const range = document.createRange();
                range.selectNodeContents(cell);
                const [text, place] = [range.getBoundingClientRect(), cell.getBoundingClientRect()];
                const { paddingLeft, paddingRight } = getComputedStyle(cell);
                const room = place.width - parseFloat(paddingLeft) - parseFloat(paddingRight);
                return Math.ceil(text.width - room - 0.5);
            };
            const found = [];
            for (const element of document.body.querySelectorAll("*")) {
                if (!(element instanceof HTMLElement) || element.clientWidth === 0) continue;
                const isCell = element.matches("th, td");
                const wider = Math.max(element.scrollWidth - element.clientWidth, isCell ? sticksOut(element) : 0);
                if (wider > 0 && !may(element, getComputedStyle(element))) found.push(`${name(element)}: ${wider} px: ${element.textContent}`);
            }
            return found;
        }"""
    )
    return found


@dataclass(frozen=True)
class Sample:
    """What a page holds, garbage collected. Bytes, and counts."""

    heap: float
    listeners: int
    nodes: int
    documents: int


class Inspector:
    """Looks into a page by the protocol of the developer tools."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session

    @classmethod
    async def attach(cls, page: Page) -> Inspector:
        """For one page."""
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable")
        await session.send("HeapProfiler.enable")
        return cls(session)

    async def sample(self) -> Sample:
        """What is left when all garbage is gone: collected twice, since what a finalizer lets go of is garbage of the second time."""
        for _ in range(2):
            await self._session.send("HeapProfiler.collectGarbage")
        metrics = await self.metrics()
        return Sample(
            metrics["JSHeapUsedSize"], int(metrics["JSEventListeners"]), int(metrics["Nodes"]), int(metrics["Documents"])
        )

    async def metrics(self) -> dict[str, float]:
        """All numbers of Performance.getMetrics, by name."""
        answer = await self._session.send("Performance.getMetrics")
        return {metric["name"]: metric["value"] for metric in answer["metrics"]}
