"""The dashboard shows the peer-to-peer protocols that are on, also where there is no comm server."""

from __future__ import annotations

import aiohttp
import pytest

from tests.support.browser import SMALL, Visitor, cut, overflow
from tests.support.cluster import cluster
from tests.support.dashboard_page import DashboardPage, open_dashboard
from tests.support.poll import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]


async def rows(board: DashboardPage) -> list[list[str]]:
    """What the table says."""
    lines = await board.page.locator("#p2p-body tr").all()
    return [(await line.inner_text()).split() for line in lines]


async def test_rooms_and_members_are_seen_at_once(visitor: Visitor) -> None:
    visitor.complaints.expect("/dashboard/live|ERR_CONNECTION_REFUSED")  # the cluster ends before the page
    async with cluster(0, coordinator={"p2p": "gstreamer,apprtc", "auth": "none"}) as made, aiohttp.ClientSession() as http:
        board = await open_dashboard(visitor, made)
        await board.page.locator("#p2p").wait_for(state="visible")
        assert await rows(board) == [["AppRTC", "0", "0", "0", "0"], ["GStreamer", "0", "0", "0", "0"]]
        async with http.ws_connect(f"http://127.0.0.1:{made.coordinator.port}/gstreamer") as socket:
            await socket.send_str("HELLO me")
            await socket.send_str("ROOM plaza")

            async def seen() -> bool:
                return (await rows(board))[1] == ["GStreamer", "1", "1", "0", "0"]

            await until(seen, 3, "the room is there")
            assert (await overflow(board.page), await cut(board.page)) == (0, [])
            await board.page.set_viewport_size({"width": SMALL[0], "height": SMALL[1]})
            assert (await overflow(board.page), await cut(board.page)) == (0, [])


async def test_nothing_of_it_where_none_is_on(visitor: Visitor) -> None:
    visitor.complaints.expect("/dashboard/live|ERR_CONNECTION_REFUSED")  # the cluster ends before the page
    async with cluster(0, coordinator={"auth": "none"}) as made:
        board = await open_dashboard(visitor, made)
        await board.live()
        assert not await board.page.locator("#p2p").is_visible()
