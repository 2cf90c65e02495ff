"""A NAT gives a peer another port, or it changes to another network, in the middle of traffic: the listener follows it, and no forger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiortc import RTCDataChannel

from tests.integration.transport.conftest import OpenRtc
from tests.support.nat import Nat
from tests.support.poll import until
from tests.support.rtc import Recorder, answer_with_aiortc
from transport.paths import AMPLIFICATION


@pytest_asyncio.fixture
async def nats() -> AsyncIterator[list[Nat]]:
    made: list[Nat] = []
    yield made
    for nat in made:
        nat.close()


@pytest.mark.parametrize("network", ["127.0.0.1", "127.0.0.9"], ids=["another port", "another network"])
async def test_our_dialer_is_followed_and_nothing_reliable_is_lost(
    open_rtc: OpenRtc, nats: list[Nat], fast: bool, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.ice_lite.QUIET_S", 1e9)  # by its nominations alone
    rtc = await open_rtc(fast=fast, silence=2.0)
    nat = Nat(rtc.listener.port)
    nats.append(nat)
    a, b = Recorder(), Recorder()
    link = rtc.listener.offer(a)
    other = await rtc.dialer.answer(nat.redirected(link.local_sdp), b)
    link.accept(other.local_sdp)
    await a.is_open()
    await b.is_open()
    assert link.remote_address == nat.outside
    sent = 0
    for turn in range(40):
        if turn == 10:
            nat.rebind(network)
        link.send(b"%d" % sent, reliable=True)
        other.send(b"%d" % sent, reliable=True)
        sent += 1
        await asyncio.sleep(0.02)
    await until(lambda: link.remote_address == nat.outside, 5, "the peer is not followed")
    await a.has(sent)
    await b.has(sent)
    expected = [b"%d" % number for number in range(sent)]
    assert a.bodies(reliable=True) == expected
    assert b.bodies(reliable=True) == expected
    assert rtc.listener.stats.address_changes == 1
    assert link.is_proven
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
    connection, answer = await answer_with_aiortc(nat.redirected(link.local_sdp))
    channels: list[RTCDataChannel] = []

    @connection.on("datachannel")
    def take(channel: RTCDataChannel) -> None:
        channels.append(channel)
        channel.on("message", received.append)

    link.accept(answer)
    await a.is_open()
    nat.rebind()
    sent = 0
    while link.remote_address != nat.outside:
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


async def test_who_records_and_replays_from_elsewhere_gets_next_to_nothing(
    open_rtc: OpenRtc, nats: list[Nat], fast: bool
) -> None:
    """All that the client ever sent, again from other addresses, while both sides talk: nobody is moved, nothing is kept."""
    rtc = await open_rtc(fast=fast, silence=2.0)
    nat, forger = Nat(rtc.listener.port, recording=True), Nat(rtc.listener.port)
    nats += [nat, forger]
    a, b = Recorder(), Recorder()
    link = rtc.listener.offer(a)
    other = await rtc.dialer.answer(nat.redirected(link.local_sdp), b)
    link.accept(other.local_sdp)
    await a.is_open()
    await b.is_open()
    assert nat.recorded is not None
    for _ in range(3):
        paths = rtc.listener.ice.paths
        for data in list(nat.recorded):
            forger.inject(data)
            link.send(b"to you", reliable=True)
            other.send(b"to me", reliable=True)
            await asyncio.sleep(0)
        await until(lambda: forger.traffic.datagrams_in > 0, 5, "a recorded check is answered")
        assert rtc.listener.ice.paths == paths
        forger.rebind()
    await until(lambda: len(a.messages) == len(b.messages) > 10, 10, "everything arrives")
    assert link.remote_address == nat.outside
    assert rtc.listener.stats.address_changes == 0
    assert forger.traffic.bytes_in < AMPLIFICATION * forger.traffic.bytes_out
