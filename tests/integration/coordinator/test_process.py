"""The coordinator from its start to its stop, and its pages."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from coordinator.app import serve
from coordinator.settings import CoordinatorSettings
from protocol import signalling
from protocol.codes import Code
from protocol.errors import ConfigError
from protocol.pb import broker_pb2 as pb
from tests.integration.coordinator.conftest import Peer, Running, Start
from tests.support.poll import until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready"
    settings = CoordinatorSettings(auth="none", host="127.0.0.1", port=0, ready_file=ready)
    serving = asyncio.create_task(serve(settings))
    await until(lambda: ready.exists() or serving.done(), 10, "the ready file is written")
    port = json.loads(ready.read_text())["port"]
    async with aiohttp.ClientSession() as http:
        client = Peer(await http.ws_connect(f"http://127.0.0.1:{port}/connect"))
        await client.expect(pb.WelcomeMessage)
        began = time.monotonic()
        os.kill(os.getpid(), number)
        assert (await client.end())[0] == Code.COORDINATOR_STOPPING
        assert await asyncio.wait_for(serving, 10) == 0
        assert time.monotonic() - began < settings.stop_timeout
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.get(f"http://127.0.0.1:{port}/healthz")


async def test_a_port_in_use_is_a_clear_error(coordinator: Running) -> None:
    settings = CoordinatorSettings(auth="none", host="127.0.0.1", port=coordinator.port)
    with pytest.raises(ConfigError, match=rf"--host 127.0.0.1 --port {coordinator.port}: cannot listen there"):
        await serve(settings)


async def test_no_key_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match="--auth none"):
        await serve(CoordinatorSettings(host="127.0.0.1", port=0))


async def test_pages_for_machines(coordinator: Running) -> None:
    for path, text in (("/healthz", "ok"), ("/readyz", "ready")):
        async with coordinator.http.get(path) as response:
            assert response.status == 200
            assert text in await response.text()


async def test_a_stopping_coordinator_is_not_ready(coordinator: Running) -> None:
    await coordinator.driver.close()
    async with coordinator.http.get("/readyz") as response:
        assert response.status == 503
    async with coordinator.http.get("/healthz") as response:
        assert response.status == 200
    status, body, _ = await coordinator.refusal("/connect", headers={"Authorization": "Bearer x"})
    assert status == 401
    assert body["code"] == Code.AUTH_FAILED


async def test_who_comes_while_it_stops_is_told_to_come_again(start: Start) -> None:
    coordinator = await start(auth="none")
    await coordinator.driver.close()
    status, body, headers = await coordinator.refusal("/connect")
    assert (status, body["code"], body["retry"]) == (503, Code.COORDINATOR_STOPPING, "retry")
    assert headers["Retry-After"] == "1"


async def test_metrics_tell_what_happened(coordinator: Running) -> None:
    server, client = await coordinator.server(), await coordinator.client()
    await client.send(signalling.connect(server.alias))
    await server.expect(pb.ConnectMessage)
    await client.send(signalling.connect(99))
    await client.expect(pb.ConnectionRefusedMessage)
    await server.send(signalling.server_status(clients=5, max_clients=5, draining=False, cpu=0.5))
    await client.socket.send_str("x")
    await client.end()
    await server.expect(pb.PeerGoneMessage)
    async with coordinator.http.get("/metrics") as response:
        text = await response.text()
    samples = {
        (sample.name.removeprefix("rtcbroker_coordinator_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    expected = {
        ("peers", "client"): 0,
        ("peers", "server"): 1,
        ("servers", "full"): 1,
        ("servers", "ready"): 0,
        ("joins_total", "client"): 1,
        ("joins_total", "server"): 1,
        ("frames_relayed_total", "connect"): 1,
        ("frames_dropped_total", "connect", "no such peer"): 1,
        ("sockets_closed_total", "4200"): 1,
        ("peer_gone_sent_total",): 1,
        ("outbox_bytes",): 0,
    }
    assert {key: samples.get(key) for key in expected} == expected
    assert samples[("process_cpu_seconds_total",)] > 0
    assert samples[("process_resident_memory_bytes",)] > 1e6
    await server.close()
