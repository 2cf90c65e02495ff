"""The dashboard without a mouse: every control is reached in order, and it shows where one is."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from protocol.tokens import TokenRole
from tests.support.browser import NARROW, WIDE, Visitor
from tests.support.cluster import Cluster
from tests.support.dashboard_page import DashboardPage, open_dashboard

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

MOST_STOPS = 60
WITH_TAB = ["skip", "themes", "sign-out", "picture", "log-filters", "log", "foot"]
"""Parts of the page that have something to be reached, by id or class."""

FOCUS = """(parts) => {
    const element = document.activeElement;
    if (element === document.body) return null;
    // What marks it may be drawn on a part of it: whatever it is, it goes when the keyboard goes elsewhere.
    const looks = () => [element, ...element.querySelectorAll("*")].map((part) => {
        const { outline, boxShadow, stroke, strokeWidth, borderColor, backgroundColor } = getComputedStyle(part);
        return [outline, boxShadow, stroke, strokeWidth, borderColor, backgroundColor].join();
    }).join();
    const focused = looks();
    element.blur();
    const marked = looks() !== focused;
    element.focus({ preventScroll: true });
    const box = element.getBoundingClientRect();
    return {
        tag: element.tagName,
        label: element.getAttribute("aria-label") ?? element.textContent.trim().slice(0, 40),
        id: element.id,
        alias: element.dataset.alias ?? null,
        part: parts.find((part) => element.closest(`#${part}, .${part}`)) ?? null,
        marked,
        seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
    };
}"""


async def focus(page: Page) -> dict[str, Any] | None:
    """Where the keyboard is."""
    found: dict[str, Any] | None = await page.evaluate(FOCUS, WITH_TAB)
    return found


async def signed_in(visitor: Visitor, made: Cluster, size: tuple[int, int]) -> DashboardPage:
    """A dashboard that shows the cluster."""
    token = made.token("operator", role=TokenRole.ADMIN)
    board = await open_dashboard(visitor, made, token, context=await visitor.context(size=size))
    await board.live()
    return board


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_the_tabulator_reaches_everything(visitor: Visitor, shared: Cluster, size: tuple[int, int]) -> None:
    """Every stop has a name, can be seen, and is marked; nothing holds the keyboard."""
    page = (await signed_in(visitor, shared, size)).page
    stops: list[dict[str, Any]] = []
    for _ in range(MOST_STOPS):
        await page.keyboard.press("Tab")
        if (stop := await focus(page)) is None:
            break
        stops.append(stop)
    else:
        raise AssertionError(f"the end is never reached: {stops}")
    for quality in ("label", "marked", "seen"):
        assert [stop for stop in stops if not stop[quality]] == [], quality
    assert {stop["part"] for stop in stops} >= set(WITH_TAB), stops


async def test_what_is_reached_can_be_used(visitor: Visitor, shared: Cluster) -> None:
    """The skip link, the servers of the picture by arrows and Enter, a filter of the log, the colours."""
    board = await signed_in(visitor, shared, WIDE)
    page = board.page
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    at = await focus(page)
    assert at is not None
    assert at["id"] == "main"

    aliases = sorted(await board.servers())
    visited = set()
    for _ in range(MOST_STOPS):
        await page.keyboard.press("Tab")
        at = await focus(page)
        assert at is not None
        if at["alias"]:
            break
    for key in ("ArrowRight", "ArrowRight"):
        visited.add(int(at["alias"]))
        await page.keyboard.press(key)
        at = await focus(page)
        assert at is not None
    assert sorted(visited) == aliases
    await page.keyboard.press("Enter")
    assert (await focus(page) or {})["id"] == f"server-{at['alias']}"

    chip = page.locator("#log-filters button").nth(1)
    await chip.focus()
    await page.keyboard.press("Space")
    assert await chip.get_attribute("aria-pressed") == "true"

    dark = page.locator('#themes button[value="dark"]')
    await dark.focus()
    await page.keyboard.press("Space")
    assert await dark.get_attribute("aria-pressed") == "true"
    assert await page.evaluate("() => getComputedStyle(document.documentElement).colorScheme") == "dark"
