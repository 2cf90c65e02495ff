"""A full ICE agent (aioice) that hands its DTLS datagrams over directly and keeps consent in its own way."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Iterable
from typing import Any, cast

from aioice import Candidate, Connection, stun
from aioice.ice import StunProtocol, get_host_addresses, server_reflexive_candidate

from transport.candidates import IceCandidate, host_candidate
from transport.sockets import bind_all, source_address
from transport.udp import Traffic, UdpSocket

logger = logging.getLogger(__name__)

CONSENT_INTERVAL_S = 5.0
"""Between consent checks (RFC 7675 section 5.1), give or take a fifth."""

CONSENT_RETRANSMISSIONS = 2
"""aioice waits 0.5, 1 and 2 s for answers; without retransmission it would give up on a round trip over 0.5 s."""

GATHER_TIMEOUT_S = 5.0
"""For STUN and TURN servers to answer."""


class IceAgent(Connection):
    """aioice's agent for one component, with the remote side's parameters given up front."""

    def __init__(
        self, *, remote_ufrag: str, remote_pwd: str, remote_is_lite: bool, silence: float, receive: Callable[[bytes], None]
    ) -> None:
        """`receive` is called with each DTLS datagram. An ICE-lite peer only answers, so then this side controls."""
        super().__init__(ice_controlling=remote_is_lite)
        self.remote_is_lite = remote_is_lite
        self.remote_username = remote_ufrag
        self.remote_password = remote_pwd
        self._receive = receive
        self._interval = min(CONSENT_INTERVAL_S, silence / 4)
        self._peers: set[tuple[str, int]] = set()
        self._loop = asyncio.get_running_loop()
        self._local_candidates_start = self._local_candidates_end = True  # gathering is done by the methods below
        self.heard = self._loop.time()
        """When the peer was heard last: a DTLS datagram, or an answer to a check."""

    # gathering

    def gather_host(self, addresses: Iterable[str]) -> list[IceCandidate]:
        """A socket, and so a host candidate, for each local address that has none yet and can be bound."""
        used = {protocol.local_candidate.host for protocol in self._protocols}
        found = []
        for address in addresses:
            if address in used:
                continue
            try:
                [sock] = bind_all([address], 0)
            except OSError as error:
                logger.debug("no candidate on %s: %s", address, error)
                continue
            protocol = StunProtocol(self)
            transport = _StunTransport(sock, protocol, self._from_socket)
            protocol.connection_made(transport)
            protocol.local_candidate = _to_aioice(host_candidate(*transport.address, rank=len(self._protocols)))
            self._protocols.append(protocol)
            found.append(protocol.local_candidate)
        return self._take(found)

    async def gather_servers(self, servers: dict[str, Any]) -> list[IceCandidate]:
        """Candidates by way of a STUN and a TURN server (`servers`: the arguments aioice has for them).

        A server that does not answer in time adds none.
        """
        found: list[Candidate] = []
        stun_server = servers.get("stun_server")
        if stun_server is not None:
            queries = [server_reflexive_candidate(p, stun_server) for p in self._protocols if "." in p.local_candidate.host]
            for result in await asyncio.gather(*(_within(query) for query in queries)):
                found += [] if result is None else [result[0]]
        for name, value in servers.items():
            if name.startswith("turn_"):
                setattr(self, name, value)
        if self.turn_server is not None:
            found += await self.get_component_candidates(1, [], timeout=int(GATHER_TIMEOUT_S))
        return self._take(found)

    def _take(self, found: list[Candidate]) -> list[IceCandidate]:
        self._local_candidates += found
        for remote in self._remote_candidates:
            self._pair_remote_candidate(remote)
        self.sort_check_list()
        return [_from_aioice(candidate) for candidate in found]

    async def add_candidate(self, candidate: IceCandidate | None) -> None:
        """A remote candidate, None for their end; what cannot be used (TCP, say) is passed over."""
        if candidate is None:
            if not self._remote_candidates_end:
                await self.add_remote_candidate(None)
        elif candidate.is_usable and not self._remote_candidates_end:
            await self.add_remote_candidate(_to_aioice(candidate))

    # the way of a datagram

    def send_datagram(self, data: bytes) -> None:
        """Send by the nominated pair; lost before there is one."""
        pair = self._nominated.get(1)
        if pair is not None:
            pair.protocol.transport.sendto(data, pair.remote_addr)

    def data_received(self, data: bytes, component: int) -> None:
        """By way of a relay: aioice has told it apart from STUN."""
        if data and 20 <= data[0] <= 63:
            self.heard = self._loop.time()
            self._receive(data)

    def _from_socket(self, data: bytes, address: tuple[Any, ...]) -> None:
        """A DTLS datagram; from anyone but an address the peer is known by it is dropped."""
        peer = address[:2]
        if peer not in self._peers:
            self._peers = {(c._network_host, c.port) for c in self._remote_candidates}
            if peer not in self._peers:
                return
        self.heard = self._loop.time()
        self._receive(data)

    # consent

    async def query_consent(self) -> None:
        """Check the nominated pair for ever; :attr:`heard` tells how that goes.

        In place of aioice's, which waits 30 s and closes the agent by itself. To an ICE-lite peer each check nominates again, so
        that it follows at once when a NAT has given us another port.
        """
        while True:
            await asyncio.sleep(self._interval * random.uniform(0.8, 1.2))
            pair = self._nominated.get(1)
            if pair is None:
                return
            request = self.build_request(pair, nominate=self.remote_is_lite and self.ice_controlling)
            key = cast("str", self.remote_password).encode()
            try:
                await pair.protocol.request(request, pair.remote_addr, key, retransmissions=CONSENT_RETRANSMISSIONS)
            except stun.TransactionError:
                continue
            self.heard = self._loop.time()


class _StunTransport(asyncio.DatagramTransport):
    """The transport under aioice's protocol: DTLS goes straight on, STUN to aioice, the rest nowhere (RFC 7983)."""

    def __init__(self, sock: socket.socket, protocol: StunProtocol, dtls: Callable[[bytes, tuple[Any, ...]], None]) -> None:
        super().__init__()
        self._protocol = protocol
        self._dtls = dtls
        self._udp = UdpSocket(sock, self._received, Traffic())

    @property
    def address(self) -> tuple[str, int]:
        return self._udp.address

    def sendto(self, data: Any, addr: Any = None) -> None:
        if addr is not None:
            self._udp.send(data, addr)

    def close(self) -> None:
        if not self._udp.is_closed:
            self._udp.close()
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def _received(self, data: bytes, address: tuple[Any, ...]) -> None:
        first = data[0] if data else 255
        if 20 <= first <= 63:
            self._dtls(data, address)
        elif first <= 3:
            try:
                self._protocol.datagram_received(data, address)
            except Exception as error:  # aioice reads attributes of strangers' messages before it checks them
                logger.debug("a STUN message from %s was dropped: %r", address[:2], error)


def local_addresses(remote: Iterable[IceCandidate], *, remote_is_lite: bool) -> list[str]:
    """The local addresses worth a socket: those from which the kernel would send to the remote candidates.

    That is one for a server with a public address, and loopback for one on loopback. A full agent may have candidates yet to
    come, so for it all addresses of the machine are added; on a machine that has none, loopback.
    """
    usable = [c for c in remote if c.is_usable and c.address is not None]
    routed = [source for c in usable if (source := source_address(c.host, c.port)) is not None]
    if not (remote_is_lite and routed):
        routed += get_host_addresses(use_ipv4=True, use_ipv6=True) or ["127.0.0.1"]
    return list(dict.fromkeys(routed))


async def _within(query: Any) -> Any:
    try:
        return await asyncio.wait_for(query, GATHER_TIMEOUT_S)
    except (TimeoutError, OSError, stun.TransactionError):
        return None


def _from_aioice(c: Candidate) -> IceCandidate:
    return IceCandidate(
        c.foundation, c.component, c.transport, c.priority, c.host, c.port, c.type, c.related_address, c.related_port
    )


def _to_aioice(c: IceCandidate) -> Candidate:
    return Candidate(c.foundation, c.component, c.transport, c.priority, c.host, c.port, c.type, c.related_host, c.related_port)
