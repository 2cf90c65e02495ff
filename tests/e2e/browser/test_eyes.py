"""The eyes that these tests look with are open: each fault of a page made for it is seen."""

from __future__ import annotations

import pytest

from tests.support.browser import NARROW, WIDE, Inspector, Visitor, overflow
from tests.support.poll import until
from tests.support.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

FAULTS = ["something is wrong", "nobody catches me", "missing.js: status 404", "Content Security Policy"]


async def test_every_complaint_is_heard(visitor: Visitor, other_site: Site) -> None:
    """Console, exception, missing file, broken policy; and the page is too wide for any window."""
    for size in (WIDE, NARROW):
        page = await visitor.visit(f"{other_site.origin}/broken.html", context=await visitor.context(size=size))
        found = visitor.complaints.found
        await until(lambda: all(any(fault in one for one in found) for fault in FAULTS), 5, lambda: f"all faults, of {found}")  # noqa: B023
        assert len(visitor.complaints.unexpected()) == len(found)
        assert await overflow(page) > 0
        found.clear()


async def test_a_leak_is_seen(visitor: Visitor, other_site: Site) -> None:
    """Nodes, listeners and bytes that a page keeps show after garbage collection."""
    visitor.complaints.expect("broken.html|broken.js|missing.js")
    page = await visitor.visit(f"{other_site.origin}/broken.html")
    inspector = await Inspector.attach(page)
    before = await inspector.sample()
    assert (await inspector.sample()).listeners == before.listeners
    await page.evaluate("() => leak(5000)")
    after = await inspector.sample()
    assert after.listeners == before.listeners + 5000
    assert after.nodes >= before.nodes + 5000
    assert after.heap > before.heap + 500_000
