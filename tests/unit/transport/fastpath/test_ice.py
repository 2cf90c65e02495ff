"""The full ICE agent: which local addresses it takes, and whom it listens to; without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aioice import stun
from aioice.ice import CandidatePair

from protocol.ice import IceServer
from transport.candidates import IceCandidate, host_candidate
from transport.fastpath import ice
from transport.fastpath.ice import IceAgent, local_addresses
from transport.ice_targets import ice_targets

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
    return IceAgent(
        remote_ufrag="them",
        remote_pwd="p" * 24,
        remote_is_lite=lite,
        silence=30.0,
        receive=received.append,
        lost=lambda: received.append(b"lost"),
    )


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


class Protocol:
    """As much of aioice's protocol as is needed here."""

    local_candidate = ice._to_aioice(host_candidate("192.0.2.7", 4000))

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.transport = self  # there is no socket

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.received.append(data)
        if data == b"\x00bad":
            raise KeyError("PRIORITY")

    def connection_lost(self, exc: object) -> None:
        self.received.append(b"lost")

    def close(self) -> asyncio.Future[None]:
        """Of the protocol, which is awaited, and of its transport, which is not."""
        closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        closed.set_result(None)
        return closed


def test_what_comes_in_is_dtls_or_stun_or_nothing() -> None:
    protocol: Any = Protocol()
    dtls: list[tuple[bytes, object]] = []
    inlet = ice.StunInlet(protocol, lambda data, address: dtls.append((data, address)))
    for data in (b"", b"\x00bad", b"\x01stun", b"\x40channel", b"\x80rtp", b"\x17dtls", b"\xff"):
        inlet.datagram_received(data, ("192.0.2.1", 9))
    inlet.connection_lost(None)
    assert protocol.received == [b"\x00bad", b"\x01stun", b"lost"]
    assert dtls == [(b"\x17dtls", ("192.0.2.1", 9))]


async def test_what_only_looked_like_stun_goes_nowhere() -> None:
    received: list[bytes] = []
    own = agent(received)
    own.data_received(b"\x17dtls", 1)
    assert received == []
    await own.close()


async def test_only_the_loss_of_the_way_in_use_is_told() -> None:
    received: list[bytes] = []
    own = agent(received)
    used, other = Protocol(), Protocol()
    own.protocol_lost(used)  # type: ignore[arg-type]  # enough of one
    own._nominated[1] = CandidatePair(used, Protocol.local_candidate)  # type: ignore[arg-type]  # likewise
    own.protocol_lost(other)  # type: ignore[arg-type]  # likewise
    assert received == []
    own.protocol_lost(used)  # type: ignore[arg-type]  # likewise
    assert received == [b"lost"]
    await own.close()


async def test_it_does_not_give_up_while_a_server_may_bring_a_candidate() -> None:
    own = agent([])
    await own.add_candidate(None)
    assert not own._remote_candidates_expected()
    own.awaits_servers = True
    assert own._remote_candidates_expected()
    own.awaits_servers = False
    with pytest.raises(ConnectionError):
        await own.connect()
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

    async def fails(protocol: Any, server: Any) -> None:
        raise OSError("no such host")

    found: list[IceCandidate] = []
    own._protocols.append(Protocol())  # type: ignore[arg-type]  # as much of one as is needed
    monkeypatch.setattr(ice, "server_reflexive_candidate", fails)
    await own.gather_servers(ice_targets([IceServer("stun:192.0.2.99")]), found.extend)
    assert own.problems == ["stun:192.0.2.99: no such host"]
    await own.gather_servers((), found.extend)
    assert found == []
    assert not own.awaits_servers
    await own.close()


async def test_servers_that_say_the_same_bring_one_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    own = agent([])
    mapped = {"192.0.2.98": "203.0.113.9", "192.0.2.99": "203.0.113.9"}

    async def answers(protocol: Any, server: Any) -> Any:
        candidate = IceCandidate("1", 1, "udp", 5, mapped[server[0]], 4000, "srflx", "192.0.2.7", 4000)
        return ice._to_aioice(candidate), None

    own._protocols.append(Protocol())  # type: ignore[arg-type]  # as much of one as is needed
    monkeypatch.setattr(ice, "server_reflexive_candidate", answers)
    found: list[IceCandidate] = []
    await own.gather_servers(ice_targets([IceServer(["stun:192.0.2.98", "stun:192.0.2.99"])]), found.extend)
    assert [candidate.host for candidate in found] == ["203.0.113.9"]
    mapped["192.0.2.98"] = "192.0.2.7"
    own._local_candidates.append(Protocol.local_candidate)
    await own.gather_servers(ice_targets([IceServer("stun:192.0.2.98")]), found.extend)
    assert len(found) == 1, "no translation: the host candidate is the same"
    assert own.problems == []
    await own.close()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError(), "no answer within 5 s"),
        (stun.TransactionTimeout(), "no answer within 5 s"),
        (ConnectionRefusedError(111, "Connection refused"), "[Errno 111] Connection refused"),
        (ConnectionError(), "ConnectionError"),
    ],
)
def test_why_a_server_is_of_no_use(error: Exception, text: str) -> None:
    assert ice._explained(error) == text


@pytest.mark.parametrize(
    ("code", "reason", "text"),
    [
        (401, "Unauthorized", "401 Unauthorized (it refuses the user name or the credential)"),
        (486, "Allocation Quota Reached", "486 Allocation Quota Reached"),
    ],
)
def test_a_servers_own_words(code: int, reason: str, text: str) -> None:
    response = stun.Message(stun.Method.ALLOCATE, stun.Class.ERROR)
    response.attributes["ERROR-CODE"] = (code, reason)
    assert ice._explained(stun.TransactionFailed(response)) == text
