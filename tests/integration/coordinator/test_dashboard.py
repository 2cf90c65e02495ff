"""The dashboard's socket: who is shown the cluster, what, how soon, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import aiohttp
import pytest

from coordinator.core.feed import INTERVAL_S
from coordinator.io import dashboard
from coordinator.io.backplane import MemoryCluster
from coordinator.io.dashboard import LIVE_PATH, MAX_VIEWERS
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S, Running, Start, token
from tests.support.poll import until
from tests.support.reports import a_report, as_frame, peer_event

SOON_S = 2.0


class Page:
    """The other end."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self) -> dict[str, Any]:
        """The next document."""
        document = await self.socket.receive_json(timeout=PATIENCE_S)
        assert isinstance(document, dict)
        return document

    async def shows(self, wanted: str, seconds: float = SOON_S) -> dict[str, Any]:
        """The first state in which a Python expression over `state` is true."""
        async with asyncio.timeout(seconds):
            while True:
                state = await self.next()
                if state["type"] == "state" and eval(wanted, {}, {"state": state}):  # an expression of this file
                    return state

    async def end(self) -> tuple[int | None, str]:
        """The code and reason it is closed with, after whatever it is shown before."""
        while True:
            message = await self.socket.receive(timeout=PATIENCE_S)
            if message.type is not aiohttp.WSMsgType.TEXT:
                assert message.type is aiohttp.WSMsgType.CLOSE, message
                return message.data, message.extra or ""


def admin(**changes: Any) -> str:
    return token("operator", TokenRole.ADMIN, **changes)


async def open_page(coordinator: Running, first: object = None, **options: Any) -> Page:
    page = Page(await coordinator.dial(LIVE_PATH, **options))
    if first is not None:
        await page.socket.send_str(first if isinstance(first, str) else json.dumps(first))
    return page


async def admitted(coordinator: Running) -> tuple[Page, dict[str, Any]]:
    """A page that has its hello."""
    page = await open_page(coordinator, {"token": admin()})
    hello = await page.next()
    assert hello["type"] == "hello"
    return page, hello


async def metric(coordinator: Running, name: str, labels: str = "") -> float:
    async with coordinator.http.get("/metrics") as response:
        text = await response.text()
    found = re.findall(rf"(?m)^rtcbroker_coordinator_{name}{labels} (\S+)$", text)
    assert found, f"no {name} in {text}"
    return sum(map(float, found))


async def test_an_administrator_is_shown_the_cluster(coordinator: Running) -> None:
    page, hello = await admitted(coordinator)
    assert hello["auth"] is True
    assert hello["history"] == {}
    assert abs(hello["cluster_started"] - CLOCK.now()) < PATIENCE_S
    state = await page.next()
    assert (state["type"], state["servers"], state["coordinator"]["version"]) == ("state", [], hello["version"])
    assert state["coordinator"]["memory_bytes"] > 1_000_000
    assert state["coordinator"]["cpu"] is None
    later = await page.next()
    assert 0.5 * INTERVAL_S < later["time"] - state["time"] < 5 * INTERVAL_S
    assert later["coordinator"]["cpu"] >= 0
    await page.socket.close()


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"token": "TOKEN OF A CLIENT"}, Code.WRONG_ROLE),
        ({"token": "TOKEN OF A SERVER"}, Code.WRONG_ROLE),
        ({"token": "EXPIRED"}, Code.TOKEN_EXPIRED),
        ({"token": "nonsense"}, Code.AUTH_FAILED),
        ({"token": ""}, Code.AUTH_FAILED),
        ({}, Code.AUTH_FAILED),
        ({"token": 7}, Code.BAD_MESSAGE),
        ("nonsense", Code.BAD_MESSAGE),
        ("[" * 7_000, Code.BAD_MESSAGE),
        ("[]", Code.BAD_MESSAGE),
    ],
)
async def test_nobody_else_is_shown_anything(coordinator: Running, first: Any, code: Code) -> None:
    made = {
        "TOKEN OF A CLIENT": token(),
        "TOKEN OF A SERVER": token(role=TokenRole.COMMUNICATION_SERVER),
        "EXPIRED": admin(now=CLOCK.now() - 200),
    }
    if isinstance(first, dict) and first.get("token") in made:
        first = {"token": made[first["token"]]}
    page = await open_page(coordinator, first)
    message = await page.socket.receive(timeout=PATIENCE_S)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, code)
    assert message.extra
    assert await metric(coordinator, "viewers") == 0


async def test_a_token_in_the_url_opens_nothing(coordinator: Running) -> None:
    page = Page(await coordinator.dial(LIVE_PATH, {"access_token": admin()}))
    await page.socket.send_str("{}")
    assert (await page.end())[0] == Code.AUTH_FAILED


async def test_who_says_nothing_is_not_waited_for(coordinator: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "TOKEN_TIMEOUT_S", 0.1)
    page = await open_page(coordinator)
    assert await page.end() == (Code.AUTH_TIMEOUT, "no token came within 0.1 s")


async def test_a_frame_too_large_is_not_read(coordinator: Running) -> None:
    page = await open_page(coordinator, "x" * 20_000)
    assert (await page.end())[0] == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_it_ends_with_the_token(start: Start) -> None:
    coordinator = await start(auth_leeway=0)
    page = await open_page(coordinator, {"token": admin(lifetime_s=1)})
    assert (await page.next())["type"] == "hello"
    assert await page.end() == (Code.TOKEN_EXPIRED, Code.TOKEN_EXPIRED.reason)
    await until(lambda: no_viewers(coordinator), SOON_S, "its place is free")


async def no_viewers(coordinator: Running) -> bool:
    return await metric(coordinator, "viewers") == 0


async def test_a_viewer_only_looks(coordinator: Running) -> None:
    page, _ = await admitted(coordinator)
    await page.socket.send_str("{}")
    assert (await page.end())[0] == Code.UNEXPECTED_MESSAGE


async def test_without_authentication_everyone_may_look(start: Start) -> None:
    coordinator = await start(auth="none")
    page = await open_page(coordinator, {})
    assert (await page.next())["auth"] is False
    assert (await page.next())["type"] == "state"
    await page.socket.close()


async def test_servers_that_join_and_leave_are_seen_at_once(coordinator: Running) -> None:
    page, _ = await admitted(coordinator)
    assert (await page.next())["servers"] == []
    server = await coordinator.server()
    state = await page.shows("state['servers']")
    assert [shown["alias"] for shown in state["servers"]] == [str(server.alias)]
    assert [(line["kind"], line["server"]) for line in state["log"]] == [("server-joined", str(server.alias))]
    await server.close()
    state = await page.shows("not state['servers']")
    assert [line["kind"] for line in state["log"]] == ["server-left"]
    await page.socket.close()


async def test_what_a_server_reports_is_shown_and_remembered(coordinator: Running) -> None:
    page, _ = await admitted(coordinator)
    server = await coordinator.server()
    await server.send(as_frame(a_report(10.0, clients=2, packets_in=100)))
    await server.send(as_frame(a_report(11.0, clients=3, packets_in=160, events=[peer_event(pb.PeerEvent.JOINED, 5)])))
    state = await page.shows("state['servers'] and state['servers'][0]['rates']['packets_in']")
    (shown,) = state["servers"]
    assert (shown["clients"], shown["rates"]["packets_in"], shown["totals"]["packets_in"]) == (3, 60, 160)
    assert state["log"][-1]["text"] == f"client 5 joined server {server.alias}"
    _, hello = await admitted(coordinator)
    assert [point["clients"] for point in hello["history"][str(server.alias)]] == [2, 3]
    assert [line["kind"] for line in hello["log"]] == ["server-joined", "joined"]
    assert await metric(coordinator, "reports_total") == 2
    assert await metric(coordinator, "viewers") == 2
    await server.close()


async def test_the_numbers_are_those_of_the_metrics(coordinator: Running) -> None:
    server, client = await coordinator.server(), await coordinator.client()
    for _ in range(3):
        await coordinator.refusal("/connect", "nonsense")
    page, _ = await admitted(coordinator)
    now = (await page.next())["coordinator"]
    assert (now["clients"], now["servers"], now["joins"], now["refusals"]) == (1, 1, 2, 3)
    assert now["clients"] == await metric(coordinator, "peers", '{role="client"}')
    assert now["servers"] == await metric(coordinator, "servers", r"{state=\"\w+\"}")
    assert now["joins"] == await metric(coordinator, "joins_total", r"{role=\"\w+\"}")
    assert now["refusals"] == await metric(coordinator, "refusals_total", r"{.*}")
    await client.close()
    await server.close()


async def test_everyone_sees_the_same_and_each_line_once(coordinator: Running) -> None:
    """Also who comes between two pictures, and who skips some."""
    seen: dict[int, list[int]] = {}
    people = []
    for number in range(3):
        page, hello = await admitted(coordinator)
        seen[number] = [line["id"] for line in hello["log"]]
        people.append(page)
        server = await coordinator.server(f"server {number}")
        await server.close()
    texts: dict[float, set[str]] = {}
    for number, page in enumerate(people):
        while len(seen[number]) < 6:
            state = await page.next()
            seen[number] += [line["id"] for line in state.pop("log")]
            texts.setdefault(state["time"], set()).add(json.dumps(state))
    assert all(ids == [1, 2, 3, 4, 5, 6] for ids in seen.values())
    assert all(len(pictures) == 1 for pictures in texts.values())


async def test_so_many_may_look(coordinator: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "MAX_VIEWERS", 2)
    first, _ = await admitted(coordinator)
    await admitted(coordinator)
    page = await open_page(coordinator, {"token": admin()})
    code, reason = await page.end()
    assert (code, Code(code or 0).retry.value) == (Code.SERVER_FULL, "retry elsewhere")
    assert "dashboards are open" in reason
    await first.socket.close()
    await until(lambda: one_viewer(coordinator), SOON_S, "a place is free")
    await admitted(coordinator)
    assert MAX_VIEWERS == 32


async def one_viewer(coordinator: Running) -> bool:
    return await metric(coordinator, "viewers") == 1


async def test_strangers_do_not_take_the_places(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "MAX_WAITING", 3)
    coordinator = await start(trusted_proxies=["127.0.0.1"])
    from_afar = await open_page(coordinator, headers={"X-Forwarded-For": "192.0.2.7"})
    strangers = [await open_page(coordinator) for _ in range(2)]
    await admitted(coordinator)
    assert (await strangers[0].end())[0] == Code.SERVER_FULL, "the oldest of those who came from where most are"
    for _ in range(10):
        strangers.append(await open_page(coordinator))
        await admitted(coordinator)
    assert [(await stranger.end())[0] for stranger in strangers[1:9]] == [Code.SERVER_FULL] * 8
    await from_afar.socket.send_json({"token": admin()})
    assert (await from_afar.next())["type"] == "hello", "who shares the address with nobody is left alone"


async def test_a_viewer_that_does_not_read_is_cut_and_disturbs_nobody(
    coordinator: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(dashboard, "SEND_TIMEOUT_S", 0.5)
    monkeypatch.setattr(dashboard, "INTERVAL_S", 0.01)
    server = await coordinator.server()
    drops = [pb.ReasonCount(reason=f"{n:064}") for n in range(32)]
    await server.send(as_frame(a_report(links=dict.fromkeys(range(1, 500), 10**9), drops=drops)))
    lazy, _ = await admitted(coordinator)
    transport = lazy.socket._response.connection.transport  # type: ignore[union-attr]  # it is connected
    assert isinstance(transport, asyncio.Transport)
    transport.pause_reading()
    reading, _ = await admitted(coordinator)
    while await metric(coordinator, "viewers") == 2:
        await reading.next()
    assert "closed: 4002" in caplog.text
    assert (await reading.next())["type"] == "state"
    await reading.socket.close()
    transport.abort()


async def test_a_viewer_that_is_gone_without_a_word_is_noticed(coordinator: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "PING_INTERVAL_S", 0.2)
    page = Page(await coordinator.dial(LIVE_PATH, autoping=False))
    await page.socket.send_str(json.dumps({"token": admin()}))
    await until(lambda: one_viewer(coordinator), SOON_S, "it is a viewer")
    await until(lambda: no_viewers(coordinator), 2 * SOON_S, "it is none any more")


async def test_a_stopping_coordinator_says_so(coordinator: Running) -> None:
    page, _ = await admitted(coordinator)
    waiting = await open_page(coordinator)
    stopping = asyncio.ensure_future(coordinator.stop())
    for each in (page, waiting):
        assert (await each.end())[0] == Code.COORDINATOR_STOPPING
    await asyncio.wait_for(stopping, 3)


async def test_every_coordinators_dashboard_shows_all_servers(start: Start) -> None:
    cluster = MemoryCluster()
    here, there = await start(backplane=cluster.backplane()), await start(backplane=cluster.backplane())
    page, _ = await admitted(here)
    server = await there.server()
    await server.send(as_frame(a_report(clients=7)))
    state = await page.shows("state['servers'] and state['servers'][0]['clients']")
    assert (state["servers"][0]["clients"], state["coordinator"]["joins"]) == (7, 0)


async def test_a_plain_request_is_told_to_upgrade(coordinator: Running) -> None:
    async with coordinator.http.get(LIVE_PATH) as response:
        assert response.status == 426


async def test_a_failure_is_told_and_ends_nobody_else(
    coordinator: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = await coordinator.client()
    page, _ = await admitted(coordinator)
    monkeypatch.setattr(coordinator.driver.core.overview, "state", lambda *_: 1 / 0)
    assert (await page.end())[0] == Code.INTERNAL
    assert "could not be made" in caplog.text
    monkeypatch.undo()
    again, _ = await admitted(coordinator)
    assert (await again.next())["type"] == "state"
    assert client.socket.closed is False


async def test_no_token_is_ever_logged(coordinator: Running, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        good, bad = admin(), token()
        page = await open_page(coordinator, {"token": good})
        await page.next()
        await (await open_page(coordinator, {"token": bad})).end()
    assert "4214" in caplog.text
    for text in (good, bad):
        assert text.split(".")[2] not in caplog.text
