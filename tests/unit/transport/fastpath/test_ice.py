"""The full ICE agent: which local addresses it takes, and whom it listens to; without a socket."""

from __future__ import annotations

from typing import Any

import pytest

from transport.candidates import IceCandidate, host_candidate
from transport.fastpath import ice
from transport.fastpath.ice import IceAgent, local_addresses

ROUTES = {"203.0.113.1": "192.0.2.7", "203.0.113.2": "192.0.2.7", "2001:db8::1": "2001:db8::7", "127.0.0.1": "127.0.0.1"}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    own = ["192.0.2.7", "198.51.100.7"]
    monkeypatch.setattr(ice, "source_address", lambda host, port: ROUTES.get(host))
    monkeypatch.setattr(ice, "get_host_addresses", lambda use_ipv4, use_ipv6: own)
    return own


def remote(*hosts: str) -> list[IceCandidate]:
    return [host_candidate(host, 4000, rank) for rank, host in enumerate(hosts)]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["203.0.113.1"], ["192.0.2.7"]),
        (["203.0.113.1", "203.0.113.2"], ["192.0.2.7"]),
        (["203.0.113.1", "2001:db8::1"], ["192.0.2.7", "2001:db8::7"]),
        (["127.0.0.1"], ["127.0.0.1"]),
        (["203.0.113.99", "127.0.0.1"], ["127.0.0.1"]),
        (["203.0.113.99"], ["192.0.2.7", "198.51.100.7"]),
        (["name.local"], ["192.0.2.7", "198.51.100.7"]),
        ([], ["192.0.2.7", "198.51.100.7"]),
    ],
)
def test_for_a_lite_peer_the_way_to_it_is_enough(hosts: list[str], expected: list[str]) -> None:
    assert local_addresses(remote(*hosts), remote_is_lite=True) == expected


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([], ["192.0.2.7", "198.51.100.7"]),
        (["203.0.113.1"], ["192.0.2.7", "198.51.100.7"]),
        (["127.0.0.1"], ["127.0.0.1", "192.0.2.7", "198.51.100.7"]),
    ],
)
def test_for_a_full_peer_all_addresses_are_added(hosts: list[str], expected: list[str]) -> None:
    assert local_addresses(remote(*hosts), remote_is_lite=False) == expected


@pytest.mark.parametrize("lite", [True, False])
def test_a_machine_with_loopback_alone(machine: list[str], lite: bool) -> None:
    machine.clear()
    assert local_addresses([], remote_is_lite=lite) == ["127.0.0.1"]


def test_what_cannot_be_used_shows_no_way() -> None:
    tcp = IceCandidate("1", 1, "tcp", 5, "203.0.113.1", 9, "host")
    assert local_addresses([tcp], remote_is_lite=True) == ["192.0.2.7", "198.51.100.7"]


def agent(received: list[bytes], *, lite: bool = True) -> IceAgent:
    return IceAgent(remote_ufrag="them", remote_pwd="p" * 24, remote_is_lite=lite, silence=30.0, receive=received.append)


async def test_a_lite_peer_is_controlled() -> None:
    assert agent([], lite=True).ice_controlling
    assert not agent([], lite=False).ice_controlling


async def test_only_the_peers_addresses_are_heard() -> None:
    received: list[bytes] = []
    own = agent(received)
    await own.add_candidate(host_candidate("203.0.113.1", 4000))
    own.heard = 0.0
    own._from_socket(b"stranger", ("203.0.113.1", 4001))
    assert received == []
    assert own.heard == 0.0
    own._from_socket(b"peer", ("203.0.113.1", 4000))
    assert received == [b"peer"]
    assert own.heard > 0.0
    await own.add_candidate(host_candidate("203.0.113.2", 4000, 1))
    own._from_socket(b"known later", ("203.0.113.2", 4000, 0, 0))
    assert received == [b"peer", b"known later"]
    await own.close()


async def test_what_a_relay_brings_is_dtls_or_nothing() -> None:
    received: list[bytes] = []
    own = agent(received)
    for data in (b"", b"\x00", b"\x80rtp", b"\x17dtls"):
        own.data_received(data, 1)
    assert received == [b"\x17dtls"]
    await own.close()


async def test_candidates_that_cannot_be_used_are_passed_over() -> None:
    own = agent([])
    await own.add_candidate(IceCandidate("1", 1, "tcp", 5, "203.0.113.1", 9, "host"))
    await own.add_candidate(IceCandidate("1", 2, "udp", 5, "203.0.113.1", 9, "host"))
    assert own.remote_candidates == []
    await own.add_candidate(None)
    await own.add_candidate(None)
    await own.add_candidate(host_candidate("203.0.113.1", 4000))
    assert own.remote_candidates == []
    await own.close()


async def test_nothing_is_sent_before_a_pair_is_nominated() -> None:
    own = agent([])
    own.send_datagram(b"\x16")
    await own.close()


async def test_a_server_that_fails_adds_no_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    own = agent([])

    class Protocol:
        local_candidate = ice._to_aioice(host_candidate("192.0.2.7", 4000))
        closed = False

        async def close(self) -> None:
            self.closed = True

    async def fails(protocol: Any, server: Any) -> None:
        raise OSError("no such host")

    own._protocols.append(Protocol())  # type: ignore[arg-type]  # as much of one as is needed
    monkeypatch.setattr(ice, "server_reflexive_candidate", fails)
    assert await own.gather_servers({"stun_server": ("192.0.2.99", 3478)}) == []
    assert await own.gather_servers({}) == []
    await own.close()
