"""What `rtcbroker demo` prints works in a browser: both links, and moving over when a server is ended as it says."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterable

import aiohttp
import psutil
import pytest

from tests.support.browser import Inspector, Visitor
from tests.support.dashboard_page import DashboardPage
from tests.support.demo import running_demo
from tests.support.plaza import Plaza
from tests.support.poll import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

BOTS = 60
"""As many as two cores serve beside a browser without a graphics processor; what 150 avatars cost is test_plaza_frames.py's."""
FRAME_SECONDS = 8.0
MOVE_S = 30.0
"""Thirty bots move at the same time, on two cores with a browser: the figure is reported. How soon a lone client moves is judged by
test_page_failover."""
LEAST_FPS = 15.0
"""That it moves at all: servers, bots and a browser without a graphics processor share two cores here. What a frame costs, whoever
else is busy, is test_plaza_frames.py's; the figure of this whole machine is reported."""


@pytest.mark.timeout(240)
async def test_both_links_among_bots(visitor: Visitor, measured: Callable[[str], None]) -> None:
    """The world goes on smoothly among them, the dashboard counts them, and one ended server is survived by both."""
    visitor.complaints.expect("/connect")
    async with running_demo(BOTS) as links, visitor.until_then():
        board = DashboardPage(await visitor.page())
        await board.page.goto(links.dashboard)
        await board.live()
        await until(lambda: counts(board, BOTS), 90, "the dashboard counts the bots", interval=0.2)
        plaza = Plaza(await visitor.visit(links.world))
        before = await plaza.joined()
        await until(lambda: surrounded(plaza), 15, "bots are around", interval=0.1)
        inspector = await Inspector.attach(plaza.page)
        busy, began = await inspector.metrics(), time.monotonic()
        frames = sorted(await plaza.frame_times(FRAME_SECONDS))
        spent = (await inspector.metrics())["TaskDuration"] - busy["TaskDuration"]
        fps = 1000 * len(frames) / sum(frames)
        measured(
            f"the demo world with {BOTS} bots, {await plaza.number('others'):.0f} of them around: {fps:.0f} frames a second, "
            f"{statistics.median(frames):.1f} ms a frame, p95 {frames[len(frames) * 95 // 100]:.1f} ms; "
            f"its main thread is busy for {spent / (time.monotonic() - began):.0%}"
        )
        assert fps > LEAST_FPS

        os.kill(await process_of(before, links.servers), signal.SIGKILL)
        killed = time.monotonic()

        async def moved() -> bool:
            return await plaza.text("state") == "connected" and await plaza.server() not in (0, before)

        await until(moved, MOVE_S, "the page is on another server", interval=0.02)
        measured(
            f"when a server of {BOTS} bots was killed, the page was on the other one after {time.monotonic() - killed:.1f} s"
        )
        await until(lambda: surrounded(plaza), 15, "bots are around again", interval=0.1)
        await until(lambda: one_server(board), 5, "the dashboard shows the one that is left", interval=0.05)


async def counts(board: DashboardPage, clients: int) -> bool:
    """Whether its servers have at least so many clients together."""
    return sum([await board.fact(alias, "Clients") for alias in await board.servers()]) >= clients


async def surrounded(plaza: Plaza) -> bool:
    """Whether a tenth of the bots are shown; in nine cells of thirty-six there should be a quarter."""
    return await plaza.number("others") >= BOTS / 10


async def one_server(board: DashboardPage) -> bool:
    """Whether one server is left."""
    return len(await board.servers()) == 1


async def process_of(alias: int, processes: Iterable[int]) -> int:
    """Which of the comm servers has this alias: each says so in its metrics."""
    async with aiohttp.ClientSession() as session:
        for pid in processes:
            listening = [found for found in psutil.Process(pid).net_connections("tcp") if found.status == psutil.CONN_LISTEN]
            async with session.get(f"http://127.0.0.1:{listening[0].laddr.port}/metrics") as response:
                if f'alias="{alias}"' in await response.text():
                    return pid
    raise AssertionError(f"no process is {alias}")
