"""The main port with TLS: who trusts its certificate talks to it, and a new one is for new handshakes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from coordinator.app import serve
from coordinator.settings import CoordinatorSettings
from protocol import signalling
from protocol.codes import Code
from protocol.errors import ConfigError
from protocol.pb import broker_pb2 as pb
from tests.integration.coordinator.conftest import Peer
from tests.support.certificates import put, put_pair, shown_at, trusting
from tests.support.poll import until

PATIENCE_S = 10.0


@contextlib.asynccontextmanager
async def serving(folder: Path, **options: Any) -> AsyncIterator[int]:
    """A coordinator with the pair in that folder; gives its port."""
    ready = folder / "ready"
    settings = CoordinatorSettings(
        auth="none",
        host="127.0.0.1",
        port=0,
        ready_file=ready,
        tls_cert=folder / "cert.pem",
        tls_key=folder / "key.pem",
        **options,
    )
    task = asyncio.create_task(serve(settings))
    try:
        await until(lambda: ready.exists() or task.done(), PATIENCE_S, "the ready file is written")
        yield json.loads(ready.read_text())["port"]
    finally:
        task.cancel()
        await asyncio.wait([task])


async def refused(client: Peer) -> None:
    """The coordinator answers this peer."""
    await client.send(signalling.connect(1))
    assert (await client.expect(pb.ConnectionRefusedMessage)).code == Code.PEER_NOT_FOUND


async def joined(http: aiohttp.ClientSession, port: int, folder: Path) -> Peer:
    peer = Peer(await http.ws_connect(f"wss://localhost:{port}/connect", ssl=trusting(folder)))
    await peer.expect(pb.WelcomeMessage)
    return peer


async def test_a_renewed_certificate_is_shown_to_who_comes_and_does_not_disturb_who_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.tls.POLL_S", 0.02)
    first = put_pair(tmp_path)
    async with serving(tmp_path) as port, aiohttp.ClientSession() as http:
        old = await joined(http, port, tmp_path)
        assert await shown_at(port) == first.certificate
        put(tmp_path / "key.pem", b"half of")
        await asyncio.sleep(0.1)  # it is looked at
        assert await shown_at(port) == first.certificate
        renewed = put_pair(tmp_path)

        async def is_shown() -> bool:
            return await shown_at(port) == renewed.certificate

        await until(is_shown, PATIENCE_S, "the new certificate is shown")
        new = await joined(http, port, tmp_path)
        for peer in (old, new):
            await refused(peer)
            await peer.close()


async def test_pages_are_served_over_tls_and_not_without(tmp_path: Path) -> None:
    put_pair(tmp_path)
    async with serving(tmp_path) as port, aiohttp.ClientSession() as http:
        async with http.get(f"https://localhost:{port}/healthz", ssl=trusting(tmp_path)) as response:
            assert response.status == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.get(f"https://localhost:{port}/healthz")
        with pytest.raises(aiohttp.ClientError):
            await http.get(f"http://localhost:{port}/healthz")


async def test_the_main_port_may_stay_plain(tmp_path: Path) -> None:
    put_pair(tmp_path)
    async with (
        serving(tmp_path, tls_listeners=["gstreamer"]) as port,
        aiohttp.ClientSession() as http,
        http.get(f"http://localhost:{port}/healthz") as response,
    ):
        assert response.status == 200


async def test_a_pair_of_no_use_is_a_clear_error(tmp_path: Path) -> None:
    put_pair(tmp_path)
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    with pytest.raises(ConfigError, match=r"^--tls-key: is missing"):
        await serve(CoordinatorSettings(auth="none", host="127.0.0.1", port=0, tls_cert=cert))
    put(key, b"nonsense")
    with pytest.raises(ConfigError, match=f"^--tls-key {key}: holds no private key"):
        await serve(CoordinatorSettings(auth="none", host="127.0.0.1", port=0, tls_cert=cert, tls_key=key))
