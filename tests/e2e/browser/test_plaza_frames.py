"""What a frame of the demo world costs with a full plaza: the page's own code as it is served, a crowd made up beside it, no cluster."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest

from tests.support.browser import Visitor
from tests.support.cluster import Cluster
from tests.support.plaza import Plaza, page_url
from tests.support.poll import until
from tests.support.site import PAGES

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

CROWD = 150
WARM_UP_S = 2.0
SECONDS = 6.0

FRAME_MS = 1000 / 60
MOST_DRAWING_MS = 8.0
"""Half of what a frame has, on the slower machine: the other half is the browser's, to put it on the screen."""
MOST_BUSY_MS = 12.0

SPY = """
// How long each frame's own work takes, and how many sprites it puts.
window.drawn = [];
let sprites = 0;
const { drawImage } = CanvasRenderingContext2D.prototype;
CanvasRenderingContext2D.prototype.drawImage = function (...what) {
    sprites += 1;
    return drawImage.apply(this, what);
};
const ask = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => ask((now) => {
    sprites = 0;
    const began = performance.now();
    callback(now);
    window.drawn.push([performance.now() - began, sprites]);
});
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_a_full_plaza_leaves_most_of_a_frame_free(
    visitor: Visitor, shared: Cluster, measured: Callable[[str], None], dark: bool
) -> None:
    """A hundred and fifty around you, all in the picture: how long a frame is drawn, whoever else wants the processors meanwhile."""
    context = await visitor.context(dark=dark, script=SPY)
    await context.route("**/sdk/rtcbroker.js", lambda route: route.fulfill(path=PAGES / "crowd_sdk.js"))
    plaza = Plaza(await visitor.visit(f"{page_url(shared)}/demo#token=none", context=context))
    await plaza.joined()
    await until(lambda: everyone(plaza), 10, "all are around", interval=0.1)
    await plaza.page.wait_for_timeout(1000 * WARM_UP_S)
    session = await context.new_cdp_session(plaza.page)
    # Processor time of the main thread: what it waits for others is none of its own.
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def busy() -> float:
        answer = await session.send("Performance.getMetrics")
        return next(float(metric["value"]) for metric in answer["metrics"] if metric["name"] == "TaskDuration")

    await plaza.page.evaluate("() => { drawn.length = 0; }")
    before = await busy()
    await plaza.page.wait_for_timeout(1000 * SECONDS)
    spent = await busy() - before
    drawn = await plaza.page.evaluate("() => drawn")
    times = sorted(time for time, _ in drawn)
    median, slow = statistics.median(times), times[len(times) * 95 // 100]
    told = (
        f"the plaza with {CROWD} in the picture, {'dark' if dark else 'light'}: drawn in {median:.1f} ms (p95 {slow:.1f} ms), "
        f"{1000 * spent / len(times):.1f} ms of the main thread a frame, {len(times) / SECONDS:.0f} frames a second"
    )
    measured(told)
    assert statistics.median(sprites for _, sprites in drawn) > CROWD, "everyone is drawn"
    assert median < MOST_DRAWING_MS, told
    assert 1000 * spent / len(times) < MOST_BUSY_MS < FRAME_MS, told


async def everyone(plaza: Plaza) -> bool:
    """Whether all of the crowd are known to the page."""
    return await plaza.number("others") == CROWD
