"""A NAT gives a peer another port in the middle of traffic: the listener follows it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiortc import RTCDataChannel

from tests.integration.transport.conftest import OpenRtc
from tests.support.poll import until
from tests.support.rtc import Recorder, answer_with_aiortc
from transport.udp import Traffic, UdpSocket


class Nat:
    """Stands between one client and the listener; :meth:`rebind` gives the client another port, and the old one is gone."""

    def __init__(self, server_port: int) -> None:
        self._server = ("127.0.0.1", server_port)
        self._client: tuple[Any, ...] | None = None
        self._inside = self._socket(self._from_client)
        self._outside = self._socket(self._from_server)
        self.port = self._inside.address[1]
        self.lost = 0

    def rebind(self) -> None:
        self._outside.close()
        self._outside = self._socket(self._from_server)

    @property
    def outside_port(self) -> int:
        return self._outside.address[1]

    def close(self) -> None:
        self._inside.close()
        self._outside.close()

    def _socket(self, receive: Any) -> UdpSocket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        return UdpSocket(sock, receive, Traffic())

    def _from_client(self, data: bytes, address: tuple[Any, ...]) -> None:
        self._client = address
        self._outside.send(data, self._server)

    def _from_server(self, data: bytes, address: tuple[Any, ...]) -> None:
        if self._client is not None:
            self._inside.send(data, self._client)


@pytest_asyncio.fixture
async def nats() -> AsyncIterator[list[Nat]]:
    made: list[Nat] = []
    yield made
    for nat in made:
        nat.close()


async def test_our_dialer_is_followed_and_nothing_reliable_is_lost(
    open_rtc: OpenRtc, nats: list[Nat], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.ice_lite.QUIET_S", 1e9)  # by its nominations alone
    rtc = await open_rtc(fast=fast, silence=2.0)
    nat = Nat(rtc.listener.port)
    nats.append(nat)
    a, b = Recorder(), Recorder()
    link = rtc.listener.offer(a)
    other = await rtc.dialer.answer(link.local_sdp.replace(f" {rtc.listener.port} typ", f" {nat.port} typ"), b)
    link.accept(other.local_sdp)
    await a.is_open()
    await b.is_open()
    assert link.remote_address == ("127.0.0.1", nat.outside_port)
    sent = 0
    for turn in range(40):
        if turn == 10:
            nat.rebind()
        link.send(b"%d" % sent, reliable=True)
        other.send(b"%d" % sent, reliable=True)
        sent += 1
        await asyncio.sleep(0.02)
    await until(lambda: link.remote_address == ("127.0.0.1", nat.outside_port), 5, "the peer is not followed")
    await a.has(sent)
    await b.has(sent)
    expected = [b"%d" % number for number in range(sent)]
    assert a.bodies(reliable=True) == expected
    assert b.bodies(reliable=True) == expected
    assert rtc.listener.stats.address_changes == 1
    assert rtc.listener.stats.dropped["dtls_unknown_address"] > 0, "until the first check from there, it is a stranger's"


async def test_a_peer_that_never_nominates_again_is_followed(
    open_rtc: OpenRtc, nats: list[Nat], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", 0.3)  # 5 s, of which a test can do without the most
    monkeypatch.setattr("transport.ice_lite.QUIET_S", 0.4)
    rtc = await open_rtc()
    nat = Nat(rtc.listener.port)
    nats.append(nat)
    a = Recorder()
    received: list[bytes] = []
    link = rtc.listener.offer(a)
    connection, answer = await answer_with_aiortc(link.local_sdp.replace(f" {rtc.listener.port} typ", f" {nat.port} typ"))
    channels: list[RTCDataChannel] = []

    @connection.on("datachannel")
    def take(channel: RTCDataChannel) -> None:
        channels.append(channel)
        channel.on("message", received.append)

    link.accept(answer)
    await a.is_open()
    nat.rebind()
    sent = 0
    while link.remote_address != ("127.0.0.1", nat.outside_port):
        link.send(b"%d" % sent, reliable=True)
        sent += 1
        assert sent < 500, "the peer is not followed"
        await asyncio.sleep(0.02)
        # It answers what it gets, and says something itself, as any peer that is alive does.
        channels[0].send(b"here")
    await until(lambda: len(received) == sent, 20, lambda: f"{len(received)} of {sent} came")
    assert received == [b"%d" % number for number in range(sent)]
    await connection.close()
    await a.has_ended()
