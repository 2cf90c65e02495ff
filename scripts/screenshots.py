"""Takes the pictures of the documentation: both pages of a real demo, light and dark, on a laptop's screen and on a phone's."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

from playwright.async_api import Browser, Page

from tests.support.browser import NARROW, WIDE, chromium
from tests.support.demo import running_demo

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
BOTS = 60
SERVERS = 3
SETTLE_S = 45.0
"""How long the demo runs before the pictures: the lines of the last minute want something to show."""
WALK_S = 2.0
MAX_BYTES = 150_000
QUALITY = 85


async def page_at(browser: Browser, url: str, *, dark: bool, size: tuple[int, int]) -> Page:
    """A page of its own person."""
    context = await browser.new_context(
        color_scheme="dark" if dark else "light", viewport={"width": size[0], "height": size[1]}, has_touch=size == NARROW
    )
    page = await context.new_page()
    await page.goto(url, wait_until="load")
    return page


async def keep(page: Page, name: str) -> None:
    """Write what the window shows to a file, as small as it may be."""
    session = await page.context.new_cdp_session(page)
    answer = await session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    picture = base64.b64decode(answer["data"])
    if len(picture) > MAX_BYTES:
        raise SystemExit(f"screenshots: {name} has {len(picture)} bytes, at most {MAX_BYTES} are good for a README")
    path = FOLDER / f"{name}.webp"
    path.write_bytes(picture)
    print(f"screenshots: {path.relative_to(FOLDER.parents[1])}, {len(picture) // 1000} kB")


async def main() -> None:
    """Everything, once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with running_demo(BOTS, SERVERS) as links, chromium() as browser:
        print(f"screenshots: the demo runs; pictures in {SETTLE_S:g} s")
        await asyncio.sleep(SETTLE_S)
        for dark in (False, True):
            for size, width in ((WIDE, "wide"), (NARROW, "narrow")):
                suffix = f"{'dark' if dark else 'light'}-{width}"
                for name, url in (("dashboard", links.dashboard), ("demo", links.world)):
                    page = await page_at(browser, url, dark=dark, size=size)
                    await asyncio.sleep(WALK_S)
                    await keep(page, f"{name}-{suffix}")
                    await page.context.close()


if __name__ == "__main__":
    asyncio.run(main())
