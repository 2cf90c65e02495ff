"""Slow, dead and impatient peers: nobody else waits for them."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
import time

import pytest

from coordinator.io.websocket import CUT_S
from protocol import signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from tests.integration.coordinator.conftest import PATIENCE_S, Running, Start, token
from tests.support.poll import until

BIG = "v=0" + " " * 60_000


async def deaf_client(coordinator: Running) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that reads its WELCOME and then nothing more, with as small a buffer as the system gives; also its alias."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", coordinator.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1_024)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /connect?v=2&access_token={token('deaf')} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    _, size = await reader.readexactly(2)
    welcome = signalling.decode_signal(await reader.readexactly(size))
    assert isinstance(welcome, pb.WelcomeMessage)
    return welcome.alias, reader, writer


def served() -> int:
    """Peers whose handler runs."""
    return sum(task.get_name() == "peer-writer" for task in asyncio.all_tasks())


async def test_a_peer_that_does_not_read_delays_nobody_and_is_closed(start: Start) -> None:
    coordinator = await start(outbox_bytes=256 * 1024)
    server, quick = await coordinator.server(), await coordinator.client("quick")
    alias, _, writer = await deaf_client(coordinator)
    slowest, frames = 0.0, 0
    closed = coordinator.driver.core.stats.closed
    while not closed:
        assert frames < 2_000, "the deaf peer was never closed"
        await server.send(signalling.offer(alias, BIG))
        began = time.monotonic()
        await server.send(signalling.offer(quick.alias, "v=0"))
        await quick.expect(pb.WebRtcMessage)
        slowest = max(slowest, time.monotonic() - began)
        frames += 1
    assert closed == {Code.SLOW_CONSUMER: 1}
    assert slowest < 1.0
    # It does not take the close frame either, so its connection is cut.
    await until(lambda: served() == 2, CUT_S + 2, "its handler ends")
    writer.close()
    await quick.close()
    await server.close()


async def test_stopping_does_not_wait_for_a_peer_that_does_not_read(start: Start) -> None:
    coordinator = await start(outbox_bytes=16 * 1024 * 1024)
    server = await coordinator.server()
    alias, _, writer = await deaf_client(coordinator)
    for _ in range(100):
        await server.send(signalling.offer(alias, BIG))
    await until(lambda: coordinator.driver.core.outbox_bytes() > 0, PATIENCE_S, "frames wait for the deaf peer")
    began = time.monotonic()
    await coordinator.stop()
    assert time.monotonic() - began < CUT_S + 1.0
    assert (await server.end())[0] == Code.COORDINATOR_STOPPING
    writer.close()


async def test_a_peer_that_closes_without_reading_is_let_go(start: Start) -> None:
    coordinator = await start(ping_interval=0.5, ping_timeout=0.5, outbox_bytes=16 * 1024 * 1024)
    server = await coordinator.server()
    pongs = asyncio.create_task(server.next())
    alias, _, writer = await deaf_client(coordinator)
    for _ in range(100):
        await server.send(signalling.offer(alias, BIG))
    await until(lambda: coordinator.driver.core.outbox_bytes() > 0, PATIENCE_S, "frames wait for the deaf peer")
    writer.write(b"\x88\x80" + b"mask")
    await until(lambda: served() == 1, 1.0 + CUT_S + 2, "its handler ends")
    writer.close()
    pongs.cancel()
    await asyncio.gather(pongs, return_exceptions=True)
    await server.close()


async def test_a_dead_peer_is_found_by_its_silence(start: Start) -> None:
    coordinator = await start(ping_interval=0.1, ping_timeout=0.2)
    client = await coordinator.client("alive")
    dead = await coordinator.server(autoping=False)
    await client.send(signalling.connect(dead.alias))
    began = time.monotonic()
    assert (await client.expect(pb.PeerGoneMessage)).alias == dead.alias
    assert time.monotonic() - began < 5.0
    kinds = []
    while (message := await dead.socket.receive(timeout=PATIENCE_S)).type.name != "CLOSE":
        kinds.append(message.type.name)
    assert message.data == Code.TIMEOUT
    assert kinds[-1] == "PING"
    assert list((await coordinator.client("bob")).welcome.available_servers) == []
    await client.close()


async def test_a_living_peer_answers_and_stays(start: Start) -> None:
    coordinator = await start(ping_interval=0.05, ping_timeout=1.0)
    server, client = await coordinator.server(autoping=False), await coordinator.client(autoping=False)
    for _ in range(2):
        for peer in (server, client):
            message = await peer.socket.receive(timeout=PATIENCE_S)
            assert message.type.name == "PING"
            await peer.socket.pong(message.data)
    assert not coordinator.driver.core.stats.closed
    await client.close()
    await server.close()


@pytest.mark.parametrize("abruptly", [True, False])
async def test_a_peer_that_goes_is_forgotten_at_once(coordinator: Running, abruptly: bool) -> None:
    server, client = await coordinator.server(), await coordinator.client()
    await client.send(signalling.connect(server.alias))
    await server.expect(pb.ConnectMessage)
    began = time.monotonic()
    if abruptly:
        transport = server.socket.get_extra_info("socket")
        transport.shutdown(socket.SHUT_RDWR)
    else:
        await server.close()
    assert (await client.expect(pb.PeerGoneMessage)).alias == server.alias
    assert time.monotonic() - began < 2.0
    await server.close()
    await client.close()


async def test_who_leaves_during_the_upgrade_leaves_nothing_behind(coordinator: Running) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", coordinator.port)
        writer.write(
            f"GET /connect?access_token={token()} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        writer.transport.abort()
    client = await coordinator.client()
    await client.close()
    await until(lambda: sum(coordinator.driver.core.peer_counts.values()) == 0, PATIENCE_S, "everyone is forgotten")


async def test_a_peer_that_is_gone_before_its_upgrade_is_answered_is_no_error(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    coordinator = await start()
    request = (
        f"GET /connect?v=2&access_token={token('hasty')} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()
    for _ in range(50):
        raw = socket.create_connection(("127.0.0.1", coordinator.port))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close sends RST
        raw.sendall(request)
        raw.close()
    client = await coordinator.client("patient")  # whatever those left behind was handled before this one
    assert client.alias
    await until(lambda: served() == 1, PATIENCE_S, "only the patient client is served")
    assert [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []
