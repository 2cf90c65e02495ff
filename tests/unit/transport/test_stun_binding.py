"""Our STUN against aioice's, and what is wrong with messages."""

from __future__ import annotations

import struct

import pytest
from aioice import stun

from transport import stun_binding as binding

KEY = b"k" * 24
ID = bytes(range(12))


def theirs(kind: stun.Class = stun.Class.REQUEST, **attributes: object) -> bytes:
    message = stun.Message(stun.Method.BINDING, kind, ID)
    message.attributes.update({name.replace("_", "-"): value for name, value in attributes.items()})
    message.add_message_integrity(KEY)
    return bytes(message)


def test_reads_what_aioice_writes() -> None:
    data = theirs(USERNAME="ours:theirs", PRIORITY=5, USE_CANDIDATE=None, ICE_CONTROLLING=7)
    message = binding.read(data)
    assert (message.kind, message.transaction, message.username) == (binding.REQUEST, ID, b"ours:theirs")
    assert (message.nominates, message.is_controlled, message.mapped) == (True, False, None)
    assert binding.is_signed(data, message, KEY)
    assert not binding.is_signed(data, message, b"another")
    assert binding.read(theirs(ICE_CONTROLLED=1)).is_controlled


@pytest.mark.parametrize("address", [("192.0.2.7", 4001), ("2001:db8::7", 65_535)])
def test_addresses_both_ways(address: tuple[str, int]) -> None:
    data = theirs(stun.Class.RESPONSE, XOR_MAPPED_ADDRESS=address)
    assert binding.read(data).mapped == address
    ours = stun.parse_message(binding.response(ID, KEY, (*address, 0, 0)))
    assert ours.message_class == stun.Class.RESPONSE
    assert ours.transaction_id == ID
    assert ours.attributes["XOR-MAPPED-ADDRESS"] == address
    assert ours.check_message_integrity(KEY)
    assert "FINGERPRINT" in ours.attributes


def test_the_scope_of_an_address_stays_here() -> None:
    data = binding.response(ID, KEY, ("fe80::1%eth0", 9, 0, 2))
    assert stun.parse_message(data).attributes["XOR-MAPPED-ADDRESS"] == ("fe80::1", 9)


def test_aioice_reads_what_we_ask_and_refuse() -> None:
    asked = stun.parse_message(binding.request(ID, username="them:us", key=KEY, priority=9, tie_breaker=3))
    assert asked.check_message_integrity(KEY)
    expected = {"USERNAME": "them:us", "PRIORITY": 9, "ICE-CONTROLLED": 3}
    assert expected.items() <= asked.attributes.items()
    refused = stun.parse_message(binding.refusal(ID, KEY, 487, "Role Conflict"))
    assert (refused.error_code, refused.message_class) == (487, stun.Class.ERROR)
    assert refused.check_message_integrity(KEY)
    plain = stun.parse_message(binding.request(ID))
    assert (plain.message_method, plain.attributes) == (stun.Method.BINDING, {})


def test_what_is_not_signed_is_not_looked_at() -> None:
    data = theirs(USERNAME="a:b")[:-8] + struct.pack("!HH", 0x0025, 0)  # USE-CANDIDATE in place of FINGERPRINT
    data = data[:2] + struct.pack("!H", len(data) - 20) + data[4:]
    message = binding.read(data)
    assert binding.is_signed(data, message, KEY)
    assert not message.nominates


def test_without_integrity_nothing_is_signed() -> None:
    data = binding.request(ID)
    assert not binding.is_signed(data, binding.read(data), b"")


GOOD = theirs(USERNAME="ours:theirs", XOR_MAPPED_ADDRESS=("192.0.2.7", 4001))


@pytest.mark.parametrize("size", range(len(GOOD)))
def test_cut_at_every_length(size: int) -> None:
    with pytest.raises(binding.Malformed):
        binding.read(GOOD[:size])


@pytest.mark.parametrize("position", range(len(GOOD)))
def test_a_bit_flipped_anywhere(position: int) -> None:
    bad = bytearray(GOOD)
    bad[position] ^= 0x10
    try:
        message = binding.read(bytes(bad))
    except binding.Malformed:
        return
    assert position in (len(GOOD) - 8, len(GOOD) - 7), "only what says that a fingerprint follows may change unnoticed"
    assert binding.is_signed(bytes(bad), message, KEY)


def attribute(kind: int, value: bytes, size: int | None = None) -> bytes:
    body = struct.pack("!HH", kind, len(value) if size is None else size) + value
    return struct.pack("!HHI12s", 1, len(body), binding.COOKIE, ID) + body


@pytest.mark.parametrize(
    "data",
    [
        attribute(0x0006, b"abcd", 9),
        attribute(0x0006, b"", 4),
        attribute(0x0008, b"x" * 16),
        attribute(0x0020, b"\0\1" + bytes(18)),
        attribute(0x0020, b"\0\2" + bytes(6)),
        attribute(0x0020, b"\0\3" + bytes(10)),
        attribute(0x8028, bytes(8)),
        attribute(0x0006, bytes(binding.MAX_BYTES)),
    ],
)
def test_attributes_that_are_broken(data: bytes) -> None:
    with pytest.raises(binding.Malformed):
        binding.read(data)
