"""A new handshake on an association that is up: by anyone (RFC 6347 section 4.2.8), and by the peer itself (renegotiation)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiortc import RTCCertificate
from OpenSSL import SSL

from benchmarks.hostile_packets import client_hello
from tests.support.poll import until
from tests.support.rtc import MemorySession, Recorder, ended, memory_pair
from transport.fastpath.dtls import SharedCertificate
from transport.options import LinkOptions

HANDSHAKE, ALERT = 22, 21


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def options(request: pytest.FixtureRequest) -> LinkOptions:
    return LinkOptions(fast=request.param)


class Renegotiating(SharedCertificate):
    """Of a peer whose OpenSSL would shake hands again at any time."""

    def _create_ssl_context(self, srtp_profiles: list[Any]) -> SSL.Context:
        context = RTCCertificate._create_ssl_context(self, srtp_profiles)
        context.set_max_proto_version(0xFEFD)
        return context


async def opened(
    options: LinkOptions, other: LinkOptions | None = None
) -> tuple[MemorySession, MemorySession, Recorder, Recorder]:
    a, b = Recorder(), Recorder()
    first, second = memory_pair(a, b, options, other)
    await a.is_open()
    await b.is_open()
    return first, second, a, b


def overhear(session: MemorySession) -> list[bytes]:
    """What it sends from now on."""
    sent: list[bytes] = []

    def note(data: bytes) -> bool:
        sent.append(data)
        return False

    session.drop = note
    return sent


async def test_a_hello_out_of_nowhere_is_met_with_silence(options: LinkOptions) -> None:
    first, second, a, b = await opened(options)
    sent = overhear(first)
    for _ in range(100):
        first.datagram(client_hello())
    for _ in range(20):
        await asyncio.sleep(0)
    assert [data for data in sent if data[0] in (HANDSHAKE, ALERT)] == []
    first.send(b"there", reliable=True)
    second.send(b"back", reliable=True)
    await a.has(1)
    await b.has(1)
    await ended(first, second)


async def test_the_peers_own_renegotiation_is_refused_and_the_association_lives_on(options: LinkOptions) -> None:
    """Its hello comes encrypted, so it is its own; the answer is an alert, no_renegotiation, of which the peer may make what it likes."""
    certificate = Renegotiating.generateCertificate()
    first, second, a, _ = await opened(options, LinkOptions(certificate=certificate))
    sent = overhear(first)
    ssl = second.dtls._ssl
    assert ssl.renegotiate()
    with pytest.raises(SSL.WantReadError):
        ssl.do_handshake()
    hello = ssl.bio_read(4_096)
    assert (hello[0], hello[3:5]) == (HANDSHAKE, b"\0\1"), "a handshake record of epoch 1"
    second.drop = lambda data: True  # what it does from here on is no matter
    first.datagram(hello)
    await until(lambda: sent, 2, "it is answered")
    assert [data[0] for data in sent] == [ALERT]
    assert sum(map(len, sent)) <= len(hello)
    for _ in range(100):
        first.datagram(hello)
    first.send(b"we go on", reliable=True)
    assert first.is_open
    assert a.ends == []
    await ended(first, second)
