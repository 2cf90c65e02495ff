"""A full ICE agent (aioice) that hands its DTLS datagrams over directly and keeps consent in its own way."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

from aioice import Candidate, Connection, TransportPolicy, stun
from aioice.ice import CandidatePair, StunProtocol, get_host_addresses, server_reflexive_candidate

from transport.candidates import IceCandidate, host_candidate, relay_candidate
from transport.fastpath.relay import allocate
from transport.ice_targets import IceTarget
from transport.sockets import bind_all, source_address
from transport.udp import Traffic, UdpSocket

logger = logging.getLogger(__name__)

CONSENT_INTERVAL_S = 5.0
"""Between consent checks (RFC 7675 section 5.1), give or take a fifth."""

CONSENT_RETRANSMISSIONS = 2
"""aioice waits 0.5, 1 and 2 s for answers; without retransmission it would give up on a round trip over 0.5 s."""

GATHER_TIMEOUT_S = 5.0
"""For STUN and TURN servers to answer."""

RELAY_AFTER_S = 0.5
"""A direct way has so long before TURN servers are asked: most links find one, and would only cost these servers an allocation."""


class IceAgent(Connection):
    """aioice's agent for one component, with the remote side's parameters given up front."""

    def __init__(
        self,
        *,
        remote_ufrag: str,
        remote_pwd: str,
        remote_is_lite: bool,
        silence: float,
        receive: Callable[[bytes], object],
        lost: Callable[[], None],
        relay_only: bool = False,
    ) -> None:
        """`receive` is called with each DTLS datagram, `lost` when the way to the peer is gone for good (a relay's end).

        An ICE-lite peer only answers, so then this side controls. `relay_only`: by TURN servers and no other way.
        """
        policy = TransportPolicy.RELAY if relay_only else TransportPolicy.ALL
        super().__init__(ice_controlling=remote_is_lite, transport_policy=policy)
        self.relay_only = relay_only
        self.problems: list[str] = []
        """What STUN and TURN servers did not do; one entry for each at most."""
        self.awaits_servers = False
        """Some may yet bring candidates, so that having none is no reason to give up."""
        self.remote_is_lite = remote_is_lite
        self.remote_username = remote_ufrag
        self.remote_password = remote_pwd
        self._receive = receive
        self._lost = lost
        self._asking: set[asyncio.Task[None]] = set()
        self._spare: list[StunProtocol] = []
        """Relays that were let go, until they have said goodbye."""
        self._farewells: set[asyncio.Task[None]] = set()
        """To TURN servers that were asked and are no longer wanted."""
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
            transport = _StunTransport(sock, StunInlet(protocol, self._from_socket))
            protocol.connection_made(transport)
            protocol.local_candidate = _to_aioice(host_candidate(*transport.address, rank=len(self._protocols)))
            self._protocols.append(protocol)
            found.append(protocol.local_candidate)
        return self._take(found)

    async def gather_servers(
        self, targets: Sequence[IceTarget], tell: Callable[[list[IceCandidate]], None], relay_after: float = 0.0
    ) -> None:
        """Ask STUN servers, and TURN servers `relay_after` seconds later; `tell` is called with what each brings, as soon as it is there.

        One that refuses, or does not answer in time, brings nothing and leaves an entry in :attr:`problems`.
        """
        if not targets:
            return
        self.awaits_servers = True
        try:
            async with asyncio.TaskGroup() as group:
                for rank, target in enumerate(targets):
                    wait = relay_after if target.url.is_turn else 0.0
                    self._asking.add(group.create_task(self._ask(target, rank, wait, tell)))
        finally:
            self._asking.clear()
            self.awaits_servers = False
            # As after the end of remote candidates: it may turn out now that no way is left.
            if self._early_checks_done and not self._check_list_maybe_complete():
                self._check_list_maybe_fail()

    async def _ask(self, target: IceTarget, rank: int, wait: float, tell: Callable[[list[IceCandidate]], None]) -> None:
        await asyncio.sleep(wait)
        try:
            async with asyncio.timeout(GATHER_TIMEOUT_S):
                found = await (self._relayed(target, rank) if target.url.is_turn else self._reflexive(target))
        except Exception as error:  # of the network, of OpenSSL or aioice: this server's alone
            self._note(target, error)
        else:
            if found:
                tell(self._take(found))

    def _note(self, target: IceTarget, error: Exception, what: str = "") -> None:
        problem = f"{target}: {_explained(error)}{what}"
        self.problems.append(problem)
        logger.log(logging.WARNING if target.url.is_turn else logging.INFO, "no way by %s", problem)

    async def _reflexive(self, target: IceTarget) -> list[Candidate]:
        # IPv4 only, as aioice: where there is IPv6 there is no address translation to find out about.
        [(_, _, _, _, address), *_] = await self._loop.getaddrinfo(
            target.url.host, target.url.port, family=socket.AF_INET, type=socket.SOCK_DGRAM
        )
        own = [p for p in self._protocols if p.local_candidate.type == "host" and "." in p.local_candidate.host]
        queries = (server_reflexive_candidate(protocol, (str(address[0]), int(address[1]))) for protocol in own)
        results = await asyncio.gather(*queries, return_exceptions=True)
        answers = [result[0] for result in results if not isinstance(result, BaseException)]
        if own and not answers:
            raise next(result for result in results if isinstance(result, BaseException))
        known = {(c.host, c.port) for c in self._local_candidates}
        return [candidate for candidate in answers if (candidate.host, candidate.port) not in known]

    async def _relayed(self, target: IceTarget, rank: int) -> list[Candidate]:
        protocol = StunProtocol(self)
        inlet, refused = StunInlet(protocol, self._from_socket), partial(self._refused, target, protocol)
        relay = await allocate(target, inlet, refused, self._farewells)
        # Nothing is awaited from here on: whoever is cancelled has nothing, or a relay that `close` knows of.
        protocol.connection_made(relay)
        if self._closing:
            relay.close()
            return []
        # With relays alone our own address is not told to anyone (RFC 9429 section 3.5.3).
        mapped = None if self.relay_only else relay.mapped
        protocol.local_candidate = _to_aioice(relay_candidate(relay.relayed, mapped, rank))
        self._protocols.append(protocol)
        return [protocol.local_candidate]

    def _refused(self, target: IceTarget, protocol: StunProtocol, peer: tuple[str, int], error: stun.TransactionFailed) -> None:
        """The relay does not go to that peer: its check need not be waited for."""
        pairs = [pair for pair in self._check_list if pair.protocol is protocol and pair.remote_addr == peer]
        for pair in pairs:
            if pair.state is CandidatePair.State.IN_PROGRESS:
                self._note(target, error, f" for {peer[0]}")
                if pair.task is not None:
                    pair.task.cancel()
                self.check_state(pair, CandidatePair.State.FAILED)
                self.check_complete(pair)

    def settle(self) -> None:
        """The peer is reached, and is one that leaves the choice of the way to us: let go of relays that are not it, and of those to come."""
        for task in self._asking:
            task.cancel()
        pair = self._nominated.get(1)
        for protocol in list(self._protocols):
            if protocol.local_candidate.type == "relay" and (pair is None or pair.protocol is not protocol):
                self._protocols.remove(protocol)
                self._spare.append(protocol)
                protocol.transport.close()

    async def close(self) -> None:
        """Let go of everything; takes about a second where a TURN server does not answer any more."""
        for protocol in self._protocols:
            protocol.transport.close()  # all at once, where aioice closes one after the other
        await super().close()
        for protocol in self._spare:
            await protocol.close()
        if self._farewells:
            await asyncio.wait(self._farewells)

    def _remote_candidates_expected(self) -> bool:
        # aioice has its own candidates before it looks for theirs; here either may be late, and is worth waiting for.
        return self.awaits_servers or super()._remote_candidates_expected()

    def protocol_lost(self, protocol: StunProtocol) -> None:
        """A socket is closed, or a TURN server gone."""
        pair = self._nominated.get(1)
        if pair is not None and pair.protocol is protocol:
            self._lost()

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
        """What looks like STUN and is none goes nowhere; DTLS comes by :meth:`_from_socket`."""

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


class StunInlet(asyncio.DatagramProtocol):
    """Stands before aioice's protocol: DTLS goes straight on, STUN to aioice, the rest nowhere (RFC 7983)."""

    def __init__(self, protocol: StunProtocol, dtls: Callable[[bytes, tuple[Any, ...]], None]) -> None:
        self._protocol = protocol
        self._dtls = dtls

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """From a peer, by a socket of ours or by a relay."""
        first = data[0] if data else 255
        if 20 <= first <= 63:
            self._dtls(data, addr)
        elif first <= 3:
            try:
                self._protocol.datagram_received(data, addr)
            except Exception as error:  # aioice reads attributes of strangers' messages before it checks them
                logger.debug("a STUN message from %s was dropped: %r", addr[:2], error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing comes any more."""
        self._protocol.connection_lost(exc)


class _StunTransport(asyncio.DatagramTransport):
    """A socket of ours as the transport under aioice's protocol."""

    def __init__(self, sock: socket.socket, inlet: StunInlet) -> None:
        super().__init__()
        self._inlet = inlet
        self._udp = UdpSocket(sock, inlet.datagram_received, Traffic())

    @property
    def address(self) -> tuple[str, int]:
        return self._udp.address

    def sendto(self, data: Any, addr: Any = None) -> None:
        if addr is not None:
            self._udp.send(data, addr)

    def close(self) -> None:
        if not self._udp.is_closed:
            self._udp.close()
            asyncio.get_running_loop().call_soon(self._inlet.connection_lost, None)


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


def _explained(error: Exception) -> str:
    """Why a server is of no use, for people."""
    if isinstance(error, stun.TransactionFailed):
        code, reason = error.response.attributes.get("ERROR-CODE", (0, ""))
        refusal = " (it refuses the user name or the credential)" if code in (401, 441) else ""
        return f"{code} {reason}{refusal}"
    if isinstance(error, TimeoutError | stun.TransactionTimeout):
        return f"no answer within {GATHER_TIMEOUT_S:g} s"
    return str(error) or type(error).__name__


def _from_aioice(c: Candidate) -> IceCandidate:
    return IceCandidate(
        c.foundation, c.component, c.transport, c.priority, c.host, c.port, c.type, c.related_address, c.related_port
    )


def _to_aioice(c: IceCandidate) -> Candidate:
    return Candidate(c.foundation, c.component, c.transport, c.priority, c.host, c.port, c.type, c.related_host, c.related_port)
