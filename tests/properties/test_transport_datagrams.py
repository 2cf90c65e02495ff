"""The ICE-lite core and the SCTP guard on bytes of every kind; the core also against a naive model."""

from __future__ import annotations

import struct
from typing import Any

from aioice import stun
from aiortc.rtcsctptransport import parse_packet
from google_crc32c import value as crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from transport.ice_lite import MAX_PATHS, IceLite, IcePeer, Path, Reply
from transport.sctp_guard import ProtocolViolation, check_packet

PWD = "p" * 24
SECRET = b"s" * 16
UFRAGS = ("one", "two", "three")
paths = st.builds(lambda index, port: (index, ("192.0.2.1", port)), st.integers(0, 1), st.integers(1, 12))


def request(ufrag: str, pwd: str = PWD, *, nominate: bool = False) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{ufrag}:them"
    if nominate:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(pwd.encode())
    return bytes(message)


def state(ice: IceLite) -> list[Any]:
    return [(p.ufrag, p.heard, p.selected, list(p.routes)) for p in ice._peers.values()] + [dict(ice._routes), ice.requests]


def core() -> IceLite:
    ice = IceLite(30.0, SECRET)
    for ufrag in UFRAGS:
        ice.add(ufrag, PWD, 0.0)
    ice.datagram(request("one"), (0, ("192.0.2.1", 1)), 0.0)
    return ice


@given(st.binary(max_size=200), paths)
def test_bytes_that_are_no_dtls_change_nothing(data: bytes, path: Path) -> None:
    ice = core()
    before = state(ice)
    if data and 20 <= data[0] <= 63:
        data = b"\0" + data[1:]
    assert ice.datagram(data, path, 1.0) is None
    assert state(ice) == before
    assert ice.dropped.total() == 1


@given(st.binary(max_size=100), st.integers(0, 0xFFFF))
def test_attributes_of_every_kind_change_nothing(body: bytes, kind: int) -> None:
    body = struct.pack("!HH", kind, len(body)) + body + bytes(-len(body) % 4)
    ice = core()
    before = state(ice)
    data = struct.pack("!HHI", 1, len(body), stun.COOKIE) + bytes(12) + body
    assert ice.datagram(data, (0, ("192.0.2.1", 2)), 1.0) is None
    assert state(ice) == before


@given(st.data(), st.booleans())
def test_a_request_with_anything_signed_replaced_changes_nothing(data: st.DataObject, nominate: bool) -> None:
    good = request("two", nominate=nominate)
    signed = len(good) - 8  # FINGERPRINT comes after
    start = data.draw(st.integers(0, signed - 1))
    size = data.draw(st.integers(1, min(8, signed - start)))
    bad = good[:start] + data.draw(st.binary(min_size=size, max_size=size)) + good[start + size :]
    ice = core()
    before = state(ice)
    answer = ice.datagram(bad, (1, ("192.0.2.1", 3)), 1.0)
    if bad != good:
        assert answer is None
        assert state(ice) == before


class Model:
    """The rules of set-up in their simplest form: an address belongs to whom it was first; nomination or the first address selects."""

    def __init__(self) -> None:
        self.owner: dict[Path, str] = {}
        self.selected: dict[str, Path] = {}

    def bind(self, ufrag: str, path: Path, nominate: bool) -> None:
        if self.owner.setdefault(path, ufrag) == ufrag and (nominate or ufrag not in self.selected):
            self.selected[ufrag] = path

    def remove(self, ufrag: str) -> None:
        self.owner = {path: owner for path, owner in self.owner.items() if owner != ufrag}
        self.selected.pop(ufrag, None)


steps = st.lists(
    st.tuples(st.sampled_from(["bind", "nominate", "dtls", "wrong", "remove"]), st.sampled_from(UFRAGS), paths), max_size=60
)


@settings(max_examples=200)
@given(steps)
def test_against_a_naive_model(steps: list[tuple[str, str, Path]]) -> None:
    ice, model = IceLite(30.0, SECRET), Model()
    peers = {ufrag: ice.add(ufrag, PWD, 0.0) for ufrag in UFRAGS}
    for number, (action, ufrag, path) in enumerate(steps):
        now = number / 1000  # within QUIET_S: only requests move a peer
        known = len([p for p, o in model.owner.items() if o == ufrag]) < MAX_PATHS or path in model.owner
        if action in ("bind", "nominate") and ufrag in peers and known:
            reply = ice.datagram(request(ufrag, nominate=action == "nominate"), path, now)
            assert isinstance(reply, Reply)
            assert reply.peer is peers[ufrag]
            model.bind(ufrag, path, action == "nominate")
        elif action == "dtls":
            found = ice.datagram(b"\x17" + bytes(20), path, now)
            owner = model.owner.get(path)
            assert found is (None if owner is None else peers[owner])
        elif action == "wrong":
            assert ice.datagram(request(ufrag, "q" * 24), path, now) is None
        elif action == "remove" and ufrag in peers:
            ice.remove(peers.pop(ufrag))
            model.remove(ufrag)
        check(ice, model, peers)


def check(ice: IceLite, model: Model, peers: dict[str, IcePeer]) -> None:
    assert {path: route.peer.ufrag for path, route in ice._routes.items()} == model.owner
    for ufrag, peer in peers.items():
        assert set(peer.routes) == {path for path, owner in model.owner.items() if owner == ufrag}
        assert peer.selected == model.selected.get(ufrag)
        assert len(peer.routes) <= MAX_PATHS


chunks = st.lists(
    st.tuples(st.integers(0, 255), st.binary(max_size=60)).map(
        lambda chunk: struct.pack("!BBH", chunk[0], 0, 4 + len(chunk[1])) + chunk[1] + bytes(-len(chunk[1]) % 4)
    ),
    max_size=12,
).map(b"".join)


@given(st.binary(max_size=300) | chunks)
def test_what_the_guard_passes_aiortc_parses_to_an_end(body: bytes) -> None:
    """Without the guard some of these never end (parameters of length 0)."""
    header = struct.pack("!HHL", 5000, 5000, 1)
    data = header + struct.pack("<L", crc32c(header + bytes(4) + body)) + body
    try:
        check_packet(data)
    except ProtocolViolation:
        return
    try:
        parse_packet(data)
    except (ValueError, struct.error):
        return
