"""A coordinator that is told to stop does so in its time, whatever its ports are busy with, and those it has are told at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from coordinator.app import serve_until
from coordinator.settings import CoordinatorSettings
from protocol.codes import Code
from tests.integration.coordinator.conftest import PATIENCE_S, Peer
from tests.support.poll import until

STOP_S = 3.0
TOLD_S = 1.0
HALF = "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc"
ALL_PORTS: dict[str, Any] = {
    "p2p": ["apprtc", "nextrtc", "gstreamer"],
    "p2p_ports": True,
    "port": 0,
    "apprtc_port": 0,
    "collider_port": 0,
    "gstreamer_port": 0,
}


class Whole:
    """A whole coordinator, with all its ports."""

    def __init__(
        self, ports: dict[str, int], stop: Callable[[], Coroutine[Any, Any, float]], held: contextlib.AsyncExitStack
    ) -> None:
        self.ports = ports
        self.stop = stop
        """Returns how long that took, in seconds."""
        self._held = held

    async def say(self, port: str, text: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """On a connection on which nothing is read."""
        link = socket.socket()
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await asyncio.get_running_loop().sock_connect(link, ("127.0.0.1", self.ports[port]))
        reader, writer = await asyncio.open_connection(sock=link, limit=1_024)
        self._held.callback(writer.close)
        writer.write(text.encode())
        return reader, writer

    def url(self, path: str, port: str = "port") -> str:
        return f"http://127.0.0.1:{self.ports[port]}{path}"


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    ready = tmp_path / "ready.json"
    settings = CoordinatorSettings(host="127.0.0.1", auth="none", ready_file=ready, stop_timeout=STOP_S, **ALL_PORTS)
    stopped = asyncio.Event()
    task = asyncio.create_task(serve_until(stopped, settings))

    async def stop() -> float:
        began = time.monotonic()
        stopped.set()
        async with asyncio.timeout(3 * STOP_S):
            await task
        return time.monotonic() - began

    async with contextlib.AsyncExitStack() as held:
        await until(lambda: ready.exists() or task.done(), PATIENCE_S, "the coordinator is ready")
        yield Whole(json.loads(ready.read_text()), stop, held)
        await stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def told(peer: Peer) -> float:
    """How long it took until a topic peer was, in seconds."""
    began = time.monotonic()
    assert (await peer.end())[0] == Code.COORDINATOR_STOPPING
    return time.monotonic() - began


async def join(whole: Whole, http: aiohttp.ClientSession) -> Peer:
    """A topic peer."""
    peer = Peer(await http.ws_connect(whole.url("/connect")))
    await peer.next()
    return peer


async def test_with_nothing_to_do(whole: Whole) -> None:
    assert await whole.stop() < 1


async def test_with_half_a_request_on_each_port(whole: Whole, http: aiohttp.ClientSession) -> None:
    for port, path in (("port", "/apprtc/a/"), ("apprtc_port", "/a/"), ("collider_port", "/r/c")):
        await whole.say(port, HALF.format(path=path))
    peer = await join(whole, http)
    telling = asyncio.create_task(told(peer))
    assert await whole.stop() < STOP_S
    assert await telling < TOLD_S


async def unread(whole: Whole, http: aiohttp.ClientSession, port: str, prefix: str, room: str) -> None:
    """An answer of six megabytes that nobody takes."""
    async with http.post(whole.url(f"{prefix}/join/{room}", port)) as answer:
        client = json.loads(await answer.text())["params"]["client_id"]
    said = b"\x01" * 1_000_000
    async with http.post(whole.url(f"{prefix}/message/{room}/{client}", port), data=said) as answer:
        assert json.loads(await answer.text()) == {"result": "SUCCESS"}
    reader, _ = await whole.say(port, f"POST {prefix}/join/{room} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


async def test_what_waits_counts_on_all_ports_and_metrics_tell(whole: Whole, http: aiohttp.ClientSession) -> None:
    await unread(whole, http, "port", "/apprtc", "one")
    await unread(whole, http, "apprtc_port", "", "two")
    await whole.say("apprtc_port", HALF.format(path="/a/"))
    await whole.say("collider_port", HALF.format(path="/r/c"))

    async def held() -> dict[str, float]:
        async with http.get(whole.url("/metrics")) as answer:
            families = {family.name: family for family in text_string_to_metric_families(await answer.text())}
        return {sample.labels["what"]: sample.value for sample in families["rtcbroker_coordinator_held_bytes"].samples}

    async def all_count() -> bool:
        found = await held()
        return found["to_send"] > 9_000_000 and found["said"] >= 3 and found["asked"] > 150

    await until(all_count, PATIENCE_S, "answers on two ports, and requests on two")


async def test_with_answers_that_nobody_reads_on_two_ports(whole: Whole, http: aiohttp.ClientSession) -> None:
    await unread(whole, http, "port", "/apprtc", "one")
    await unread(whole, http, "apprtc_port", "", "two")
    peer = await join(whole, http)
    telling = asyncio.create_task(told(peer))
    assert await whole.stop() < STOP_S
    assert await telling < TOLD_S


async def test_with_sockets_of_all_kinds_that_say_nothing(whole: Whole, http: aiohttp.ClientSession) -> None:
    upgrade = "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    for port, path in (("port", "/connect"), ("port", "/dashboard/live"), ("apprtc_port", "/signaling"), ("gstreamer_port", "/")):
        reader, _ = await whole.say(port, upgrade.format(path=path) + key)
        assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
    assert await whole.stop() < STOP_S


async def test_nobody_new_is_let_in_once_peers_are_told(whole: Whole, http: aiohttp.ClientSession) -> None:
    await whole.say("apprtc_port", HALF.format(path="/a/"))
    peer = await join(whole, http)
    stopping = asyncio.create_task(whole.stop())
    await told(peer)
    for name in ("port", "apprtc_port", "collider_port", "gstreamer_port"):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", whole.ports[name])
    assert not stopping.done(), "a request is being answered yet"
    assert await stopping < STOP_S
