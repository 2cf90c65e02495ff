"""Records straight through OpenSSL are those that pyOpenSSL's methods make, and its private parts are where we take them to be."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from aiortc.rtcdtlstransport import SRTP_PROFILES
from OpenSSL import SSL

from transport.fastpath.dtls import process_certificate
from transport.fastpath.records import RECORD_BYTES, DirectRecords, PublicRecords, Records, direct, records_of

Make = Callable[[SSL.Connection], Records]
KINDS: list[Make] = [DirectRecords, PublicRecords]


def shaken() -> tuple[SSL.Connection, SSL.Connection]:
    """Both ends of a connection after the handshake."""
    context = process_certificate()._create_ssl_context(SRTP_PROFILES)
    ends = SSL.Connection(context), SSL.Connection(context)
    ends[0].set_connect_state()
    ends[1].set_accept_state()
    for _ in range(4):
        for this, other in (ends, ends[::-1]):
            with contextlib.suppress(SSL.WantReadError):
                this.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                while True:
                    other.bio_write(this.bio_read(RECORD_BYTES))
    return ends


def test_this_pyopenssl_is_as_we_know_it() -> None:
    """If this fails, a new version changed its inside: everything works on, more slowly, until DirectRecords knows it."""
    one, _ = shaken()
    assert direct(one)
    assert isinstance(records_of(one), DirectRecords)


@pytest.mark.parametrize("missing", ["_lib", "_ffi"])
def test_without_the_private_parts_the_public_methods_do(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = shaken()
    monkeypatch.delattr(SSL, missing)
    assert not direct(one)
    assert isinstance(records_of(one), PublicRecords)


@pytest.mark.parametrize("sender", KINDS)
@pytest.mark.parametrize("receiver", KINDS)
def test_what_is_sealed_is_opened(sender: Make, receiver: Make) -> None:
    one, other = shaken()
    sealed, opened = sender(one), receiver(other)
    for body in (b"x", b"y" * 1200, bytes(range(256)) * 5):
        record = sealed.seal(body)
        assert record[0] == 23
        assert len(body) < 100 or body[:100] not in record
        opened.put(record)
        assert opened.open() == body
        with pytest.raises(SSL.WantReadError):
            opened.open()


@pytest.mark.parametrize("kind", KINDS)
def test_records_wait_until_they_are_opened(kind: Make) -> None:
    one, other = shaken()
    sealed, opened = kind(one), kind(other)
    opened.put(sealed.seal(b"first") + sealed.seal(b"second"))
    assert [opened.open(), opened.open()] == [b"first", b"second"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_record_is_dropped_and_the_next_one_read(kind: Make) -> None:
    one, other = shaken()
    sealed, opened = kind(one), kind(other)
    broken = bytearray(sealed.seal(b"broken"))
    broken[-1] ^= 1
    opened.put(bytes(broken))
    with pytest.raises(SSL.WantReadError):
        opened.open()
    opened.put(sealed.seal(b"whole"))
    assert opened.open() == b"whole"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_too_long_for_a_record_of_ours_is_not_sealed_in_part(kind: Make) -> None:
    one, _ = shaken()
    with pytest.raises(SSL.Error):
        kind(one).seal(b"x" * RECORD_BYTES)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_sealed_after_the_end(kind: Make) -> None:
    one, _ = shaken()
    sealed = kind(one)
    one.shutdown()
    one.bio_read(RECORD_BYTES)
    with pytest.raises(SSL.Error):
        sealed.seal(b"late")


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_sides_end_is_told(kind: Make) -> None:
    one, other = shaken()
    opened = kind(other)
    one.shutdown()
    opened.put(one.bio_read(RECORD_BYTES))
    with pytest.raises(SSL.ZeroReturnError):
        opened.open()


def test_two_connections_share_nothing() -> None:
    """Each has its buffer: what one reads is not under the other's feet."""
    (one, other), (third, fourth) = shaken(), shaken()
    first, second = DirectRecords(other), DirectRecords(fourth)
    first.put(DirectRecords(one).seal(b"a" * 100))
    second.put(DirectRecords(third).seal(b"b" * 100))
    mine = first.open()
    assert second.open() == b"b" * 100
    assert mine == b"a" * 100
