"""Takes the pictures of the documentation: both pages of a real demo, light and dark, on a laptop's screen and on a phone's."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, CDPSession, Page

from tests.support.browser import NARROW, WIDE, chromium
from tests.support.demo import running_demo

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
BOTS = 60
SERVERS = 3
SETTLE_S = {"dashboard": 70.0, "demo": 20.0}
"""How long a page is open before its pictures: the dashboard's lines of the last minute want to be full of what is usual, and a browser
that starts is not; in the plaza somebody wants to say something."""
REDRAW_S = 2.0
SIZES = {"dashboard": ((WIDE[0], 1120), NARROW), "demo": (WIDE, NARROW)}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MAX_BYTES = 150_000
QUALITY = 85


async def pictures(browser: Browser, name: str, url: str) -> None:
    """All pictures of one page: a laptop and a phone look at it for the same time."""
    looks = [await look(browser, url, size) for size in SIZES[name]]
    await asyncio.sleep(SETTLE_S[name])
    for theme in THEMES:
        for width, (page, session) in zip(("wide", "narrow"), looks, strict=True):
            await page.bring_to_front()
            await page.emulate_media(color_scheme=theme)
            await asyncio.sleep(REDRAW_S)
            await keep(session, f"{name}-{theme}-{width}")
    for page, _ in looks:
        await page.context.close()


async def look(browser: Browser, url: str, size: tuple[int, int]) -> tuple[Page, CDPSession]:
    """The page on a screen of that size, a phone's with a finger for a mouse."""
    phone = size == NARROW
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=phone, is_mobile=phone)
    page = await context.new_page()
    await page.goto(url, wait_until="load")
    return page, await context.new_cdp_session(page)


async def keep(session: CDPSession, name: str) -> None:
    """Write what the window shows to a file, as small as it may be."""
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
        for name, url in (("dashboard", links.dashboard), ("demo", links.world)):
            print(f"screenshots: {name}, in {SETTLE_S[name]:g} s")
            await pictures(browser, name, url)


if __name__ == "__main__":
    asyncio.run(main())
