"""Where the peer-to-peer protocols are served, and where they are seen: prefixes of the main port, ports of their own, pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from coordinator.app import serve_until
from coordinator.core.guests import CALL_REQUESTS, REQUESTS_PER_S
from coordinator.p2p.app import JSON_BYTES
from coordinator.settings import CoordinatorSettings
from protocol.errors import ConfigError
from protocol.limits import KIB
from protocol.tokens import TokenRole
from tests.integration.coordinator.conftest import PATIENCE_S, Running, Start, token
from tests.support.poll import until
from tests.support.strangers import NO_HTTP, heads, say

ALL = ["apprtc", "nextrtc", "gstreamer"]
ANY_PORT = {"port": 0, "apprtc_port": 0, "collider_port": 0, "gstreamer_port": 0}


@asynccontextmanager
async def serving(tmp_path: Path, **options: Any) -> AsyncIterator[dict[str, int]]:
    """A whole coordinator, signals aside; the ports it has."""
    ready = tmp_path / "ready.json"
    settings = CoordinatorSettings(host="127.0.0.1", auth="none", ready_file=ready, **{**ANY_PORT, **options})
    stopped = asyncio.Event()
    task = asyncio.create_task(serve_until(stopped, settings))
    try:
        await until(lambda: ready.exists() or task.done(), PATIENCE_S, "the coordinator is ready")
        if task.done():
            task.result()
        yield json.loads(ready.read_text())
    finally:
        stopped.set()
        await asyncio.wait_for(task, PATIENCE_S)


async def first_words(http: aiohttp.ClientSession, url: str, say: str) -> str:
    """What a socket there answers."""
    async with http.ws_connect(url) as socket:
        await socket.send_str(say)
        return await socket.receive_str(timeout=PATIENCE_S)


async def test_nothing_is_on_unless_it_is_said(start: Start) -> None:
    coordinator = await start(auth="none")
    for path in ("/apprtc/params", "/collider/status", "/signaling", "/gstreamer"):
        async with coordinator.http.get(path) as response:
            assert response.status == 404, path
    async with coordinator.http.get("/healthz") as response:
        assert await response.text() == "ok\n"


async def test_below_prefixes_of_the_main_port(start: Start) -> None:
    coordinator = await start(auth="none", p2p=ALL)
    http = coordinator.http
    async with http.get("/apprtc/params") as response:
        assert response.status == 200
    async with http.get("/collider/status") as response:
        assert (await response.json())["openws"] == 0
    async with http.get("/apprtc/") as response:
        assert response.status == 200
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        page = await response.text()
        assert "var loadingParams = {" in page
        assert "roomId" not in page
    async with http.get("/apprtc/r/room") as response:
        assert '"roomId": "room"' in await response.text()
    async with http.get("/apprtc/js/loopback.js") as response:
        assert response.status == 200
        assert "setupLoopback" in await response.text()
    url = f"http://127.0.0.1:{coordinator.port}"
    assert await first_words(http, f"{url}/gstreamer", "HELLO me") == "HELLO"
    assert await first_words(http, f"{url}/gstreamer/any/path", "HELLO me") == "HELLO"
    assert json.loads(await first_words(http, f"{url}/signaling", '{"signal":"create"}'))["signal"] == "created"
    assert json.loads(await first_words(http, f"{url}/collider/ws", '{"cmd":"send"}'))["error"] == "Client not registered"


async def test_at_the_root_of_ports_of_their_own(tmp_path: Path) -> None:
    async with serving(tmp_path, p2p=ALL, p2p_ports=True) as ports, aiohttp.ClientSession() as http:
        assert set(ports) == {"pid", *ANY_PORT}
        room_server, collider, gstreamer = (
            f"http://127.0.0.1:{ports[f'{name}_port']}" for name in ("apprtc", "collider", "gstreamer")
        )
        async with http.post(f"{room_server}/join/room1") as response:
            params = json.loads(await response.text())["params"]
        assert params["wss_url"] == f"{room_server.replace('http', 'ws')}/collider/ws"
        register = json.dumps({"cmd": "register", "roomid": "room1", "clientid": params["client_id"]})
        async with http.ws_connect(params["wss_url"]) as socket:
            await socket.send_str(register)
            async with http.post(f"{collider}/room1/other", data="hello") as response:
                assert await response.text() == "OK\n"
            assert json.loads(await socket.receive_str(timeout=PATIENCE_S)) == {"msg": "hello", "error": ""}
        assert json.loads(await first_words(http, f"{room_server}/signaling", '{"signal":"create"}'))["signal"] == "created"
        assert await first_words(http, gstreamer, "HELLO me") == "HELLO"
        assert await first_words(http, f"{gstreamer}/whatever", "HELLO me") == "HELLO"
        async with http.get(f"{gstreamer}/health") as response:
            assert await response.text() == "OK\n"


async def test_errors_there_are_as_closed_as_on_the_main_port(tmp_path: Path) -> None:
    async with serving(tmp_path, p2p=ALL, p2p_ports=True) as ports, aiohttp.ClientSession() as http:
        for name, path in (("apprtc", "/nowhere"), ("collider", "/no/such/path"), ("gstreamer", "/")):
            async with http.get(f"http://127.0.0.1:{ports[f'{name}_port']}{path}") as response:
                assert response.status >= 400
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert "default-src 'none'" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("what", NO_HTTP)
async def test_answers_to_what_is_no_http_are_as_closed(tmp_path: Path, what: str) -> None:
    async with serving(tmp_path, p2p=ALL, p2p_ports=True) as ports:
        for name in ANY_PORT:
            for head in heads(await say(ports[name], NO_HTTP[what])):
                if b" 200 " not in head:
                    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in head, (name, head)
                    assert b"\r\nContent-Security-Policy: default-src 'none'" in head, (name, head)


async def test_a_line_that_is_too_long_is_answered_as_closed(tmp_path: Path) -> None:
    async with serving(tmp_path) as ports:
        (head,) = heads(await say(ports["port"], b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert head.startswith(b"HTTP/1.0 400 ")
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in head


async def test_gstreamers_port_without_tls_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path, p2p=ALL, p2p_ports=True):
        (warned,) = [record.getMessage() for record in caplog.records if "--gstreamer-port" in record.getMessage()]
        assert "--tls-cert" in warned


async def test_only_the_ports_of_what_is_on(tmp_path: Path) -> None:
    async with serving(tmp_path, p2p=["nextrtc"], p2p_ports=True) as ports, aiohttp.ClientSession() as http:
        assert set(ports) == {"pid", "port", "apprtc_port"}
        async with http.get(f"http://127.0.0.1:{ports['apprtc_port']}/params") as response:
            assert response.status == 404


async def test_a_port_that_is_taken_is_told_by_its_option(tmp_path: Path) -> None:
    async with serving(tmp_path) as ports:
        with pytest.raises(ConfigError, match=f"--gstreamer-port {ports['port']}"):
            async with serving(tmp_path / "other", p2p=["gstreamer"], p2p_ports=True, gstreamer_port=ports["port"]):
                pass


async def test_sockets_on_all_ports_are_closed_when_it_stops(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        async with serving(tmp_path, p2p=ALL, p2p_ports=True) as ports:
            urls = [f"http://127.0.0.1:{ports['apprtc_port']}/signaling", f"http://127.0.0.1:{ports['gstreamer_port']}"]
            sockets = [await http.ws_connect(url) for url in urls]
        for socket in sockets:
            message = await socket.receive(timeout=PATIENCE_S)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)


async def test_metrics_health_and_dashboard_show_them(start: Start) -> None:
    coordinator = await start(auth="none", p2p=ALL)
    url = f"http://127.0.0.1:{coordinator.port}"
    async with coordinator.http.ws_connect(f"{url}/gstreamer") as one, coordinator.http.ws_connect(f"{url}/gstreamer") as two:
        for name, socket in (("one", one), ("two", two)):
            await socket.send_str(f"HELLO {name}")
            await socket.receive_str(timeout=PATIENCE_S)
        await one.send_str("SESSION nobody")
        await one.receive_str(timeout=PATIENCE_S)
        await one.send_str("SESSION two")
        await one.receive_str(timeout=PATIENCE_S)
        await one.send_str("hello")
        assert await two.receive_str(timeout=PATIENCE_S) == "hello"
        async with coordinator.http.get("/metrics") as response:
            text = await response.text()
        async with coordinator.http.get("/healthz") as response:
            health = await response.text()
        async with coordinator.http.ws_connect(f"{url}/dashboard/live") as page:
            await page.send_str("{}")
            await page.receive_str(timeout=PATIENCE_S)
            state = json.loads(await page.receive_str(timeout=PATIENCE_S))
    own = [line for line in text.splitlines() if line.startswith("rtcbroker_coordinator_p2p_") and '"gstreamer"' in line]
    named = {line.rsplit(" ", 1)[0].removeprefix("rtcbroker_coordinator_p2p_"): float(line.rsplit(" ", 1)[1]) for line in own}
    assert named['members{protocol="gstreamer"}'] == 2
    assert named['sockets{protocol="gstreamer"}'] == 2
    assert named['joins_total{protocol="gstreamer"}'] == 2
    assert named['messages_total{protocol="gstreamer"}'] == 1
    assert sum(value for name, value in named.items() if name.startswith("errors_total")) == 1
    assert "gstreamer: 1 rooms, 2 members\n" in health
    shown = {row["protocol"]: row for row in state["coordinator"]["p2p"]}
    assert list(shown) == ALL
    assert shown["gstreamer"] == {"protocol": "gstreamer", "rooms": 1, "members": 2, "messages": 1, "errors": 1}


async def test_a_client_of_ours_has_the_right_token_for_them(start: Start) -> None:
    coordinator = await start(p2p=ALL)
    async with coordinator.http.post("/apprtc/join/room1") as response:
        assert response.status == 401
    async with coordinator.http.post("/apprtc/join/room1", params={"access_token": token()}) as response:
        params = json.loads(await response.text())["params"]
    assert "access_token=" in params["wss_url"]
    async with coordinator.http.ws_connect(params["wss_url"]) as socket:
        await socket.send_str(json.dumps({"cmd": "register", "roomid": "room1", "clientid": params["client_id"]}))
        async with coordinator.http.post(f"/collider/room1/{params['client_id']}", data="hi") as response:
            assert response.status == 200, "the pair of room and client is what counts here"
    async with coordinator.http.post("/collider/room1/12345678", data="hi") as response:
        assert response.status == 401


@pytest.mark.parametrize("path", ["/signaling", "/gstreamer", "/collider/ws"])
async def test_who_is_disconnected_is_disconnected_there_too(start: Start, path: str) -> None:
    coordinator = await start(p2p=ALL)
    mallory, alice = [await coordinator.dial(path, {"access_token": token(name)}) for name in ("mallory", "alice")]
    admin = {"Authorization": f"Bearer {token('admin', TokenRole.ADMIN)}"}
    body = {"subject": "mallory", "seconds": 60}
    async with coordinator.http.post("/api/v1/revocations", json=body, headers=admin) as response:
        assert response.status in (200, 201)
    message = await mallory.receive(timeout=PATIENCE_S)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await coordinator.dial(path, {"access_token": token("mallory")})
    assert refused.value.status == 401
    assert not alice.closed


async def test_the_sockets_and_places_of_an_address_are_an_option(start: Start) -> None:
    coordinator = await start(auth="none", p2p=ALL, p2p_sockets_per_address=1)
    for room, result in (("one", "SUCCESS"), ("two", "ERROR")):
        async with coordinator.http.post(f"/apprtc/join/{room}") as response:
            assert json.loads(await response.text())["result"] == result
    async with coordinator.http.get("/metrics") as response:
        assert 'p2p_errors_total{protocol="apprtc",reason="address_full"} 1.0' in await response.text()
    url = f"http://127.0.0.1:{coordinator.port}/signaling"
    async with coordinator.http.ws_connect(url):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await coordinator.http.ws_connect(url)
    assert refused.value.status == 429


async def test_the_requests_of_an_address_are_options(start: Start) -> None:
    burst = CALL_REQUESTS  # the least there can be
    coordinator = await start(auth="none", p2p=ALL, p2p_requests_per_s=0.001, p2p_requests_burst=burst)

    async def asked() -> int:
        async with coordinator.http.get("/apprtc/params") as response:
            return response.status

    assert [await asked() for _ in range(burst + 1)] == [200] * burst + [429]
    await asyncio.sleep(5 / REQUESTS_PER_S)  # in which by default five more would be let in
    assert await asked() == 429


async def test_the_deliveries_of_an_address_are_options(start: Start) -> None:
    """Of 3,000 answers the burst comes at once, and then one a second. With either default all of them would come at once, or within two."""
    burst, sent, spare = 1_000, 3_000, 100
    deliveries = {"p2p_deliveries_per_s": 1, "p2p_deliveries_burst": burst}
    coordinator = await start(auth="none", p2p=ALL, p2p_messages_per_s=100_000, p2p_messages_burst=100_000, **deliveries)
    async with coordinator.http.ws_connect(f"http://127.0.0.1:{coordinator.port}/signaling") as socket:
        say = asyncio.create_task(_all_of(socket, '{"signal":"upperCase","content":"x"}', sent))
        for _ in range(burst - spare):
            await socket.receive_str(timeout=PATIENCE_S)
        answers = burst - spare
        with suppress(TimeoutError):
            while answers < sent:  # pings are among them
                await socket.receive_str(timeout=0.9)
                answers += 1
        await say
    assert answers < burst + spare


async def test_the_messages_of_a_socket_are_options(start: Start) -> None:
    burst, sent = 30, 300
    coordinator = await start(auth="none", p2p=ALL, p2p_messages_per_s=1, p2p_messages_burst=burst)
    async with coordinator.http.ws_connect(f"http://127.0.0.1:{coordinator.port}/signaling") as socket:
        await _all_of(socket, '{"signal":"upperCase","content":"x"}', sent)
        answers = 0
        with suppress(TimeoutError):
            while answers < sent:
                await socket.receive_str(timeout=0.9 if answers >= burst else PATIENCE_S)
                answers += 1
    assert burst <= answers < 2 * burst


BIG, MIB = 500_000, 1_024 * KIB


async def _kept(coordinator: Running, address: str, count: int) -> int:
    """How many of so many big messages that an address leaves in rooms of its own are taken."""
    taken, headers = 0, {"X-Forwarded-For": address}
    for number in range(count):
        async with coordinator.http.post(f"/apprtc/join/{address.replace('.', '_')}-{number}", headers=headers) as response:
            params = json.loads(await response.text())["params"]
        path = f"/apprtc/message/{params['room_id']}/{params['client_id']}"
        async with coordinator.http.post(path, data=b"x" * BIG, headers=headers) as response:
            taken += "SUCCESS" in await response.text()
    return taken


async def test_what_is_kept_for_one_address_is_an_option(start: Start) -> None:
    share = 4 * MIB
    coordinator = await start(auth="none", p2p=["apprtc"], p2p_max_waiting_per_address=share)
    assert 4 <= await _kept(coordinator, "127.0.0.1", 12) <= share // BIG


async def test_what_is_kept_for_all_addresses_is_an_option(start: Start) -> None:
    whole, addresses = 8 * MIB, [f"192.0.2.{number}" for number in range(1, 9)]
    waiting = {"p2p_max_waiting": whole, "p2p_max_waiting_per_address": 4 * MIB, "trusted_proxies": ["127.0.0.1"]}
    coordinator = await start(auth="none", p2p=["apprtc"], **waiting)
    taken = [await _kept(coordinator, address, 4) for address in addresses]
    assert taken[0] == 4
    assert sum(taken) <= whole // BIG < 4 * len(addresses)


@pytest.mark.parametrize(("path", "is_json"), [("/signaling", True), ("/collider/ws", True), ("/gstreamer", False)])
async def test_what_is_parsed_as_a_whole_is_shorter(start: Start, path: str, is_json: bool) -> None:
    coordinator = await start(auth="none", p2p=ALL)
    longest = JSON_BYTES if is_json else MIB
    async with coordinator.http.ws_connect(path) as socket:
        if is_json:
            await socket.send_str("{}".ljust(longest))
        else:
            await socket.send_str("HELLO me")
            await socket.send_str("x" * longest)
        await socket.ping()
        await socket.send_str("x" * (longest + 1))
        while (message := await socket.receive(timeout=PATIENCE_S)).type is aiohttp.WSMsgType.TEXT:
            assert is_json or message.data == "HELLO"
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)


async def test_the_longest_message_is_an_option_there_too(start: Start) -> None:
    coordinator = await start(auth="none", p2p=ALL, p2p_max_message=16 * KIB)
    for path in ("/signaling", "/collider/ws", "/gstreamer"):
        async with coordinator.http.ws_connect(path) as socket:
            await socket.send_str("x" * (16 * KIB + 1))
            while (message := await socket.receive(timeout=PATIENCE_S)).type is aiohttp.WSMsgType.TEXT:
                pass
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)


async def _all_of(socket: aiohttp.ClientWebSocketResponse, message: str, count: int) -> None:
    for _ in range(count):
        await socket.send_str(message)


async def test_open_to_everyone(start: Start) -> None:
    coordinator = await start(p2p=ALL, p2p_open=True)
    async with coordinator.http.post("/apprtc/join/room1") as response:
        assert response.status == 200
