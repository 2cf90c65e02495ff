"""The dashboard shows the cluster as it is, at once, and to nobody but administrators."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest

from protocol.tokens import TokenRole
from tests.support.browser import Visitor
from tests.support.cluster import Cluster, cluster
from tests.support.dashboard_page import DashboardPage, open_dashboard
from tests.support.poll import until
from tests.support.talk import clients, heard_by_all

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

SEEN_WITHIN_S = 2.0
PACKETS = 200


def admin(made: Cluster, **more: Any) -> str:
    """An administrator's token."""
    return made.token("operator", role=TokenRole.ADMIN, publish=(), subscribe=(), **more)


async def test_without_an_admin_token_it_shows_nothing(visitor: Visitor, shared: Cluster) -> None:
    """No token, one that is none, a client's: nothing of the cluster leaves the coordinator. An administrator's: all of it."""
    board = await open_dashboard(visitor, shared)
    await board.page.locator("#gate").wait_for(state="visible")
    error = board.page.locator("#gate-error")
    for token, words in (("nonsense", "no token"), ("a.b.c", "refused"), (shared.token("client"), "role is not ADMIN")):
        await board.offer(token)
        await until(partial(contains, error, words), 5, f"it says: {words}", interval=0.03)
        assert not await board.shows_the_cluster()
    assert board.frames == []
    await board.offer(admin(shared))
    await board.live()
    assert len(await board.servers()) == 2
    assert board.frames[0]["type"] == "hello"
    await board.page.locator("#sign-out").click()
    await board.page.locator("#gate").wait_for(state="visible")
    assert not await board.shows_the_cluster()
    assert not await board.page.evaluate("() => Object.values(sessionStorage).join('')"), "the token is forgotten"


async def contains(locator: Any, words: str) -> bool:
    """Whether a part of the page says this."""
    return words in await locator.inner_text()


async def test_the_token_leaves_the_address_bar_and_survives_a_reload(visitor: Visitor, shared: Cluster) -> None:
    """It comes by the fragment, which no server sees, and stays in the tab."""
    board = await open_dashboard(visitor, shared, admin(shared))
    await board.live()
    root = f"http://127.0.0.1:{shared.coordinator.port}/"
    assert board.page.url == root
    await board.page.reload()
    await board.live()
    assert board.page.url == root
    other = await open_dashboard(visitor, shared)
    await other.page.locator("#gate").wait_for(state="visible")


async def test_it_ends_with_its_token(visitor: Visitor) -> None:
    """When the token expires, the coordinator closes the socket, and the page shows nothing any more and says why."""
    async with cluster(0, coordinator={"auth_leeway": "0"}) as made, visitor.until_then():
        board = await open_dashboard(visitor, made, admin(made, lifetime_s=4))
        await board.live()
        error = board.page.locator("#gate-error")
        await until(lambda: contains(error, "expired"), 10, "it says that the token has expired", interval=0.05)
        assert not await board.shows_the_cluster()
        assert board.closes >= 1
        frames = len(board.frames)
        await board.offer(admin(made))
        await board.live()
        assert len(board.frames) > frames


async def test_a_server_that_joins_and_one_that_leaves_are_seen_within_two_seconds(visitor: Visitor) -> None:
    """Also one that is killed with -9; and the coordinator's own end is told, and over when it is back."""
    visitor.complaints.expect("/dashboard/live|ERR_CONNECTION_REFUSED")
    async with cluster(1, auth=False) as made, visitor.until_then():
        board = await open_dashboard(visitor, made)
        await board.live()
        (first,) = await board.servers()
        second = await made.add_server()
        joined = time.monotonic()
        both = await until(lambda: has(board, 2), 10, "the second server is shown", interval=0.02)
        assert time.monotonic() - joined < SEEN_WITHIN_S
        (newcomer,) = both - {first}
        assert made.process_of(newcomer) is second
        assert any(str(newcomer) in line for line in await board.log("server-joined"))
        second.kill()
        killed = time.monotonic()
        assert await until(lambda: has(board, 1), 10, "the killed server is gone", interval=0.02) == {first}
        assert time.monotonic() - killed < SEEN_WITHIN_S
        assert any(str(newcomer) in line for line in await board.log("server-left"))
        made.coordinator.kill()
        await board.page.locator("#banner").wait_for(state="visible")
        assert await board.page.locator("#status-word").inner_text() == "Disconnected"
        made.coordinator.spawn()
        await made.coordinator.ready()
        await made.connected(made.servers[0])
        await board.live(20)
        assert await until(lambda: has(board, 1), 10, "the server is back", interval=0.02) == {first}


async def has(board: DashboardPage, count: int) -> set[int]:
    """The servers shown, when there are so many, else none."""
    shown = await board.servers()
    return shown if len(shown) == count else set()


async def test_its_numbers_agree_with_the_metrics_of_the_servers(visitor: Visitor) -> None:
    """Clients, topics, subscriptions, totals and drops of each server, when all is said."""
    async with cluster(2, packets_per_second="50", packets_burst="100") as made, visitor.until_then():
        board = await open_dashboard(visitor, made, admin(made))
        await board.live()
        async with (
            clients(made, 5) as people,
            people[0].subscribe("numbers/1", "numbers/2") as reader,
            people[1].subscribe("numbers/1") as other,
        ):
            await heard_by_all(people[2], "numbers/1", [reader, other])
            for number in range(PACKETS):  # more at once than a client may send: some are dropped
                for person in people[1:]:
                    await person.publish("numbers/1", bytes(50), reliable=number % 2 == 0)
            found: list[str] = []

            async def agrees() -> bool:
                found[:] = await disagreements(board, made)
                return not found

            await until(agrees, 10, lambda: f"all numbers agree: {found}", interval=0.2)
            assert sum(server["clients"] for server in board.state["servers"]) == 5
            drops = sum(drop["count"] for server in board.state["servers"] for drop in server["drops"])
            assert drops > 0
            assert sum(server["totals"]["records"] for server in board.state["servers"]) + drops >= 4 * PACKETS
            assert {topic["topic"] for topic in board.state["topics"]} <= {"numbers/1", "numbers/2"}
        await until(lambda: nobody(board), 5, "it shows that all have left", interval=0.1)
        assert len(await board.log("left")) >= 5


METRICS: dict[tuple[str, str], tuple[str, dict[str, str]]] = {
    ("totals", "packets_in"): ("rtcbroker_packets_total", {"direction": "in"}),
    ("totals", "packets_out"): ("rtcbroker_packets_total", {"direction": "out"}),
    ("totals", "bytes_in"): ("rtcbroker_bytes_total", {"direction": "in"}),
    ("totals", "bytes_out"): ("rtcbroker_bytes_total", {"direction": "out"}),
    ("totals", "records"): ("rtcbroker_records_relayed_total", {}),
    ("totals", "deliveries"): ("rtcbroker_deliveries_total", {}),
    ("", "clients"): ("rtcbroker_peers", {"role": "client", "state": "active"}),
    ("", "topics"): ("rtcbroker_topics", {}),
    ("", "subscriptions"): ("rtcbroker_subscriptions", {}),
    ("drops", "rate limit"): ("rtcbroker_dropped_packets_total", {"reason": "rate limit"}),
    ("drops", ""): ("rtcbroker_dropped_packets_total", {}),
}
"""Where a number stands in the feed, and which metric it is."""

ON_THE_CARD = {"clients": "Clients", "topics": "Topics", "subscriptions": "Subscriptions"}


async def disagreements(board: DashboardPage, made: Cluster) -> list[str]:
    """Every number of every server that is another in the feed, on the page and in its metrics; totals go on while packets do."""
    found = []
    for shown in board.state["servers"]:
        alias = int(shown["alias"])
        server = made.process_of(alias)
        for (part, name), (metric, labels) in METRICS.items():
            if part == "drops":
                told = sum(drop["count"] for drop in shown["drops"] if name in ("", drop["reason"]))
            else:
                told = (shown[part] if part else shown)[name]
            measured = await server.metric(metric, **labels)
            if told != measured:
                found.append(f"{alias} {name}: the dashboard was told {told}, {metric} is {measured:g}")
            if name in ON_THE_CARD and await board.fact(alias, ON_THE_CARD[name]) != measured:
                found.append(f"{alias} {name}: the page shows another number than {measured:g}")
    return found


async def nobody(board: DashboardPage) -> bool:
    """Whether no server has a client."""
    return all([await board.fact(alias, "Clients") == 0 for alias in await board.servers()])
