"""STUN binding messages as ICE uses them: read and written without an object for each attribute. Pure.

Sources: RFC 8489 (STUN), RFC 8445 section 7 (ICE). Whoever floods a port with such messages is to pay more for them than we do, so what
is cheap is looked at first, and only a message whose user is known is worth a digest.
"""

from __future__ import annotations

import hmac
import socket
import struct
from binascii import crc32
from typing import Any, Final, NamedTuple

COOKIE: Final = 0x2112A442
REQUEST: Final = 0x0001
RESPONSE: Final = 0x0101
ERROR: Final = 0x0111

MAX_BYTES: Final = 1_280
"""Binding messages are about 100 bytes; nothing longer is worth a digest."""

_USERNAME: Final = 0x0006
_MESSAGE_INTEGRITY: Final = 0x0008
_ERROR_CODE: Final = 0x0009
_XOR_MAPPED_ADDRESS: Final = 0x0020
_PRIORITY: Final = 0x0024
_USE_CANDIDATE: Final = 0x0025
_FINGERPRINT: Final = 0x8028
_ICE_CONTROLLED: Final = 0x8029

_HEADER: Final = struct.Struct("!HHI12s")
_ATTRIBUTE: Final = struct.Struct("!HH")
_HEADER_BYTES: Final = 20
_SHA1_BYTES: Final = 20
_INTEGRITY_BYTES: Final = 4 + _SHA1_BYTES
_FINGERPRINT_BYTES: Final = 8
_FINGERPRINT_XOR: Final = 0x5354554E
_FAMILIES: Final = {1: socket.AF_INET, 2: socket.AF_INET6}


class Malformed(ValueError):
    """Not a STUN message, or one that is cut or damaged."""


class Binding(NamedTuple):
    """What a message says that matters here. Nothing of it is to be trusted before :func:`is_signed`."""

    kind: int
    """Method and class as one number: REQUEST, RESPONSE, ERROR, or one that is none of ours."""
    transaction: bytes
    username: bytes
    """Empty where there is none."""
    nominates: bool
    """USE-CANDIDATE."""
    is_controlled: bool
    """ICE-CONTROLLED: its sender leaves the choice of the path to us."""
    mapped: tuple[str, int] | None
    """XOR-MAPPED-ADDRESS: where the sender sees us."""
    signed: int
    """Bytes before MESSAGE-INTEGRITY; 0 where there is none."""


def read(data: bytes) -> Binding:
    """Read a message. Raises :class:`Malformed`.

    What follows MESSAGE-INTEGRITY is not signed, and so not looked at, but for FINGERPRINT (RFC 8489 section 14.5).
    """
    end = len(data)
    if not _HEADER_BYTES <= end <= MAX_BYTES:
        raise Malformed("length")
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if cookie != COOKIE or length != end - _HEADER_BYTES or length & 3:
        raise Malformed("header")
    username, mapped, signed = b"", None, 0
    nominates = is_controlled = False
    position = _HEADER_BYTES
    while position < end:
        attribute, size = _ATTRIBUTE.unpack_from(data, position)
        value = position + 4
        following = value + (size + 3 & ~3)
        if following > end:
            raise Malformed("attribute")
        if attribute == _FINGERPRINT:
            _check_fingerprint(data, position, size)
        elif signed:
            pass
        elif attribute == _USERNAME:
            username = data[value : value + size]
        elif attribute == _USE_CANDIDATE:
            nominates = True
        elif attribute == _ICE_CONTROLLED:
            is_controlled = True
        elif attribute == _XOR_MAPPED_ADDRESS:
            mapped = _address(data[value : value + size], transaction)
        elif attribute == _MESSAGE_INTEGRITY:
            if size != _SHA1_BYTES:
                raise Malformed("integrity")
            signed = position
        position = following
    return Binding(kind, transaction, username, nominates, is_controlled, mapped, signed)


def is_signed(data: bytes, message: Binding, key: bytes) -> bool:
    """Whether MESSAGE-INTEGRITY was made with `key`; one that is missing was not."""
    if not message.signed:
        return False
    found = data[message.signed + 4 : message.signed + _INTEGRITY_BYTES]
    return hmac.compare_digest(found, _digest(data[: message.signed], key))


def request(transaction: bytes, *, username: str = "", key: bytes = b"", priority: int = 0, tie_breaker: int = 0) -> bytes:
    """A request of the controlled side, signed; without a `key` one for a STUN server, with nothing in it."""
    if not key:
        return _message(REQUEST, transaction, b"")
    body = _attribute(_USERNAME, username.encode())
    body += _attribute(_PRIORITY, struct.pack("!I", priority))
    body += _attribute(_ICE_CONTROLLED, struct.pack("!Q", tie_breaker))
    return _sealed(REQUEST, transaction, body, key)


def response(transaction: bytes, key: bytes, address: tuple[Any, ...]) -> bytes:
    """The answer to a request that came from `address`."""
    return _sealed(RESPONSE, transaction, _attribute(_XOR_MAPPED_ADDRESS, _packed(address, transaction)), key)


def refusal(transaction: bytes, key: bytes, code: int, reason: str) -> bytes:
    """The answer to a request that is not granted (RFC 8489 section 14.8)."""
    value = struct.pack("!HBB", 0, code // 100, code % 100) + reason.encode()
    return _sealed(ERROR, transaction, _attribute(_ERROR_CODE, value), key)


def _check_fingerprint(data: bytes, position: int, size: int) -> None:
    if size != 4 or position + _FINGERPRINT_BYTES != len(data):
        raise Malformed("fingerprint")
    if crc32(data[:position]) ^ _FINGERPRINT_XOR != int.from_bytes(data[position + 4 :], "big"):
        raise Malformed("fingerprint")


def _digest(signed: bytes, key: bytes) -> bytes:
    """Over the message up to MESSAGE-INTEGRITY, as if it ended with that (RFC 8489 section 14.5)."""
    length = struct.pack("!H", len(signed) - _HEADER_BYTES + _INTEGRITY_BYTES)
    return hmac.digest(key, signed[:2] + length + signed[4:], "sha1")


def _sealed(kind: int, transaction: bytes, body: bytes, key: bytes) -> bytes:
    """With MESSAGE-INTEGRITY and FINGERPRINT."""
    integrity = _digest(_message(kind, transaction, body), key)
    body += _attribute(_MESSAGE_INTEGRITY, integrity)
    unmarked = _HEADER.pack(kind, len(body) + _FINGERPRINT_BYTES, COOKIE, transaction) + body
    return unmarked + _ATTRIBUTE.pack(_FINGERPRINT, 4) + struct.pack("!I", crc32(unmarked) ^ _FINGERPRINT_XOR)


def _message(kind: int, transaction: bytes, body: bytes) -> bytes:
    return _HEADER.pack(kind, len(body), COOKIE, transaction) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) & 3)


def _packed(address: tuple[Any, ...], transaction: bytes) -> bytes:
    host, port = address[:2]
    family = 2 if ":" in host else 1
    packed = socket.inet_pton(_FAMILIES[family], host.partition("%")[0])
    return struct.pack("!BBH", 0, family, port ^ COOKIE >> 16) + _masked(packed, transaction)


def _address(value: bytes, transaction: bytes) -> tuple[str, int]:
    if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
        raise Malformed("address")
    port = int.from_bytes(value[2:4], "big") ^ COOKIE >> 16
    return socket.inet_ntop(_FAMILIES[value[1]], _masked(value[4:], transaction)), port


def _masked(packed: bytes, transaction: bytes) -> bytes:
    """An address XOR cookie and transaction (RFC 8489 section 14.2), which undoes itself."""
    mask = (COOKIE.to_bytes(4, "big") + transaction)[: len(packed)]
    return (int.from_bytes(packed, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(packed), "big")
