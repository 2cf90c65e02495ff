"""Datagrams that no honest peer sends: made by kind, from a seed, some of them out of what a real peer has sent. Pure."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from OpenSSL import SSL

from transport import stun_binding as stun

MAX_BYTES = 1_200


@dataclass(frozen=True, slots=True)
class Recording:
    """What was overheard of one real peer."""

    username: str
    """``ours:theirs``, as it stands in the peer's checks."""
    datagrams: Sequence[bytes]
    """Those it has sent, in their order; a binding request and a DTLS record at least."""

    @property
    def requests(self) -> list[bytes]:
        """Its binding requests, each with a valid integrity."""
        return [data for data in self.datagrams if data[:1] == b"\0"]

    @property
    def records(self) -> list[bytes]:
        """Its DTLS datagrams."""
        return [data for data in self.datagrams if data and 20 <= data[0] <= 63]


Make = Callable[[random.Random], bytes]


def kinds(recording: Recording) -> dict[str, Make]:
    """How to make a datagram of each kind."""
    requests, records = recording.requests, recording.records
    hello = client_hello()
    return {
        "empty": lambda rng: b"",
        "random bytes": lambda rng: rng.randbytes(rng.randrange(MAX_BYTES)),
        "STUN, unknown user": lambda rng: _request(rng, f"{rng.randbytes(4).hex()}:them"),
        "STUN, wrong integrity": lambda rng: _request(rng, recording.username),
        "STUN, cut": lambda rng: _cut(rng, rng.choice(requests)),
        "STUN, damaged": lambda rng: _damaged(rng, rng.choice(requests)),
        "STUN, replayed": lambda rng: rng.choice(requests),
        "STUN, answers to nothing": lambda rng: stun.response(rng.randbytes(12), rng.randbytes(24), ("192.0.2.1", 9)),
        "DTLS, hello": lambda rng: hello[:15] + rng.randbytes(32) + hello[47:],
        "DTLS, epoch 0": lambda rng: _record(rng, 0),
        "DTLS, epoch 1": lambda rng: _record(rng, 1),
        "DTLS, cut": lambda rng: _cut(rng, rng.choice(records)),
        "DTLS, damaged": lambda rng: _damaged(rng, rng.choice(records)),
        "DTLS, replayed": lambda rng: rng.choice(records),
    }


def client_hello() -> bytes:
    """One that a DTLS server would answer."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    connection = SSL.Connection(context)
    connection.set_connect_state()
    with suppress(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(4_096)


def _request(rng: random.Random, username: str) -> bytes:
    """Signed with a password of nobody's."""
    return stun.request(rng.randbytes(12), username=username, key=rng.randbytes(24), priority=rng.getrandbits(31))


def _record(rng: random.Random, epoch: int) -> bytes:
    """A record of a known type: change cipher spec, alert, handshake, application data."""
    body = rng.randbytes(rng.randrange(1, MAX_BYTES))
    return struct.pack("!BHH6sH", rng.choice((20, 21, 22, 23)), 0xFEFD, epoch, rng.randbytes(6), len(body)) + body


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _damaged(rng: random.Random, data: bytes) -> bytes:
    """One byte is another one."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]
