"""DTLS datagram by datagram: records as they may come, and the certificate of the process."""

from __future__ import annotations

import datetime

import pytest
from OpenSSL import SSL

from tests.support.poll import until
from tests.support.rtc import MemorySession, Recorder, ended, memory_pair
from transport.fastpath import dtls, records
from transport.fastpath.dtls import MAX_WAITING_DATAGRAMS, DatagramPort, SharedCertificate, process_certificate
from transport.fastpath.records import PublicRecords
from transport.link import LinkEnd
from transport.options import LinkOptions


async def joined() -> tuple[MemorySession, MemorySession, Recorder, Recorder]:
    a, b = Recorder(), Recorder()
    first, second = memory_pair(a, b, LinkOptions())
    await a.is_open()
    await b.is_open()
    return first, second, a, b


def held_back(session: MemorySession) -> list[bytes]:
    """Keep what the session sends from now on."""
    kept: list[bytes] = []

    def keep(data: bytes) -> bool:
        kept.append(data)
        return True

    session.drop = keep
    return kept


async def test_several_records_in_one_datagram() -> None:
    first, second, _, b = await joined()
    kept = held_back(first)
    for number in range(5):
        first.send(b"%d" % number, reliable=False)
    first.drop = None
    second.datagram(b"".join(kept))
    assert sorted(b.bodies(reliable=False)) == [b"0", b"1", b"2", b"3", b"4"]
    await ended(first, second)


async def test_each_datagram_is_through_before_the_next() -> None:
    """Nothing stays inside OpenSSL until another datagram comes."""
    first, second, _, b = await joined()
    kept = held_back(first)
    for number in range(5):
        first.send(b"%d" % number, reliable=False)
        second.datagram(kept.pop())
        assert b.bodies(reliable=False)[-1] == b"%d" % number
    first.drop = None
    await ended(first, second)


async def test_a_record_received_twice_counts_once() -> None:
    first, second, _, b = await joined()
    kept = held_back(first)
    first.send(b"once", reliable=False)
    first.drop = None
    for _ in range(3):
        second.datagram(kept[0])
    assert b.messages == [(b"once", False)]
    await ended(first, second)


async def test_a_changed_record_counts_as_lost() -> None:
    first, second, _, b = await joined()
    kept = held_back(first)
    first.send(b"x", reliable=False)
    first.drop = None
    for position in range(len(kept[0])):
        second.datagram(kept[0][:position] + bytes([kept[0][position] ^ 1]) + kept[0][position + 1 :])
        second.datagram(kept[0][:position])
    assert b.messages == []
    second.datagram(kept[0])
    assert b.messages == [(b"x", False)]
    await ended(first, second)


async def test_openssl_that_fails_to_send_ends_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, a, _ = await joined()

    def fail(data: bytes) -> bytes:
        raise SSL.Error([("SSL routines", "", "made up")])

    monkeypatch.setattr(first.dtls._records, "seal", fail)
    first.send(b"x", reliable=True)
    assert not first.is_open
    assert await a.has_ended() is LinkEnd.FAILED
    await ended(first, second)


async def test_it_works_on_pyopenssls_public_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a version whose inside we do not know falls back to."""
    monkeypatch.setattr(records, "direct", lambda connection: False)
    first, second, a, b = await joined()
    assert isinstance(first.dtls._records, PublicRecords)
    first.send(b"there", reliable=True)
    second.send(b"and back", reliable=False)
    await until(lambda: (a.messages, b.messages) == ([(b"and back", False)], [(b"there", True)]), 5, "both have come")
    await ended(first, second)


async def test_the_port_is_bounded() -> None:
    port = DatagramPort(lambda data: None)
    for _ in range(MAX_WAITING_DATAGRAMS + 3):
        port.put(b"x")
    assert port.overflowed == 3
    assert len(port.drain()) == MAX_WAITING_DATAGRAMS
    assert port.drain() == []


def test_the_certificate_of_the_process_is_made_again_before_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtls._Process, "certificate", None)
    first = process_certificate()
    assert process_certificate() is first

    class Expiring(SharedCertificate):
        @property
        def expires(self) -> datetime.datetime:
            return datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(hours=23)

    monkeypatch.setattr(dtls._Process, "certificate", Expiring.generateCertificate())
    assert process_certificate().expires > datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(days=2)
