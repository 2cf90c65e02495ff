"""The listening side: one UDP socket for each bound address, shared by all peers, and a link for each offer.

Decisions are :mod:`transport.ice_lite`'s; this module moves datagrams and keeps one timer.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from protocol.errors import CandidateError, SdpError
from protocol.limits import MAX_CANDIDATES
from protocol.signalling import CandidateInit
from transport.announce import read_words
from transport.announcer import Announcer, check_stun_urls, shown
from transport.candidates import IceCandidate, from_init
from transport.fastpath.dtls import SharedCertificate
from transport.ice_lite import Address, Drop, IceLite, IcePeer, Path
from transport.link import LinkEnd, LinkHandler
from transport.options import LinkOptions
from transport.sdp import Description, Fingerprint, build, parse_answer
from transport.session import Session
from transport.sockets import bind_all, local_addresses
from transport.udp import Traffic, Turn, UdpSocket

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0

MAX_HELD = 4
"""Datagrams: a flight of a DTLS handshake has one or two."""

_ICE_CHARS = string.ascii_letters + string.digits + "+/"


@dataclass(slots=True)
class ListenerStats(Traffic):
    """Counters since the listener opened."""

    binding_requests: int = 0
    """Valid ones."""
    address_changes: int = 0
    """Times a peer was followed to another address."""
    links: int = 0
    """Links that have not ended, now."""
    dropped: dict[str, int] = field(default_factory=dict)
    """By reason: :class:`transport.ice_lite.Drop`."""


class ListenerLink(Session):
    """A link that this side offered."""

    def __init__(self, listener: Listener, peer: IcePeer, handler: LinkHandler, options: LinkOptions, pwd: str) -> None:
        super().__init__(handler, options, f"link {peer.ufrag}")
        self._listener = listener
        self._peer = peer
        self._remote: Description | None = None
        self._candidates = 0
        self.held_back: list[bytes] = []
        """Datagrams of the handshake that wait until more has come from an address that has not proven itself."""
        self._pwd = pwd

    @cached_property
    def local_sdp(self) -> str:
        """The offer for the peer, with what is announced when it is first asked for."""
        offer = Description(
            ufrag=self._peer.ufrag,
            pwd=self._pwd,
            fingerprints=(Fingerprint("sha-256", self._certificate.sha256),),
            setup="actpass",
            ice_lite=True,
            max_message_size=self._options.max_message,
            candidates=self._listener.candidates,
            end_of_candidates=True,
        )
        return build(offer, secrets.randbits(62))

    @property
    def remote_address(self) -> tuple[str, int] | None:
        """Where the peer is reached just now; None before its first valid binding request."""
        path = self._peer.selected
        return None if path is None else (path[1][0], path[1][1])

    @property
    def is_proven(self) -> bool:
        """The peer has shown that it receives what is sent there."""
        return self._peer.route is not None and self._peer.route.proven

    def accept(self, answer_sdp: str) -> None:
        """Take the peer's answer; set-up goes on by itself. Does nothing on a link that has ended.

        Raises :class:`~protocol.errors.SdpError` for an answer that cannot be used, and for a second one; the link is unchanged.
        """
        if self._end is not None:
            return
        if self._remote is not None:
            raise SdpError("a second answer")
        remote = parse_answer(answer_sdp)
        if remote.ice_lite:
            raise SdpError("a=ice-lite in the answer: both sides would wait for the other's checks")
        self._remote = remote
        self._listener.ice.answered(self._peer, remote.ufrag, remote.pwd)
        self.start_if_ready()

    def add_candidate(self, init: CandidateInit | None) -> None:
        """Check a remote candidate; an ICE-lite agent has no use for it (RFC 8445 section 2.5).

        Raises :class:`~protocol.errors.CandidateError` for what does not parse, and for too many.
        """
        if from_init(init) is not None:
            self._candidates += 1
            if self._candidates > MAX_CANDIDATES:
                raise CandidateError(f"more than {MAX_CANDIDATES} candidates")

    def start_if_ready(self) -> None:
        """Begin DTLS once the answer is here and a binding request has shown where the peer is."""
        if self._setup is None and self._end is None and self._remote is not None and self._peer.selected is not None:
            # An active peer is the DTLS client (RFC 8842 section 5).
            server = self._remote.setup == "active"
            self._listener.ice.begins(self._peer)
            self._setup = self._start_task(partial(self._establish, self._remote, dtls_server=server, create=True))

    def expire(self) -> None:
        """The peer fell silent."""
        self._finish(LinkEnd.SILENT, f"nothing heard for {self._options.silence} s")

    def _send_datagram(self, data: bytes) -> None:
        route = self._peer.route
        if route is None:
            return
        if route.proven or (not self.held_back and route.takes(len(data))):
            self._listener.transmit(data, route.path)
        elif len(self.held_back) < MAX_HELD:
            self.held_back.append(data)
        else:
            self._listener.ice.dropped[Drop.AMPLIFICATION] += 1

    def heard(self) -> None:
        """Something came: set-up may go on."""
        self.start_if_ready()
        route = self._peer.route
        while self.held_back and route is not None and route.takes(len(self.held_back[0])):
            self._listener.transmit(self.held_back.pop(0), route.path)

    def _shaken(self) -> None:
        self.held_back.clear()  # a handshake that is over needs nothing repeated
        self._listener.established(self._peer)

    def _authentic(self) -> None:
        self._peer.heard = self._loop.time()

    def _release(self) -> None:
        self._listener.forget(self._peer)


class Listener:
    """Makes offers, and serves all the peers that answer on one UDP port."""

    def __init__(self, sockets: list[socket.socket], announce: Sequence[str], stun: Sequence[str], options: LinkOptions) -> None:
        """Use :meth:`open`."""
        self._options = options
        self._loop = asyncio.get_running_loop()
        self.ice = IceLite(options.silence, secrets.token_bytes(32))
        """What is decided about datagrams; for the links of this listener."""
        self._links: dict[IcePeer, ListenerLink] = {}
        self._stats = ListenerStats()
        self.turn = Turn()
        """When the datagrams of a burst have been handed out."""
        self._sockets = [
            UdpSocket(sock, partial(self._received, index), self._stats, self.turn, busy=True)
            for index, sock in enumerate(sockets)
        ]
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self.port: int = sockets[0].getsockname()[1]
        """The UDP port, the same on all addresses."""
        local = local_addresses(sock.getsockname()[0] for sock in sockets)
        self.announcer = Announcer(read_words(announce), self._sockets, self.port, local, stun)
        """What peers are told of our addresses."""

    @property
    def candidates(self) -> tuple[IceCandidate, ...]:
        """What an offer announces now."""
        return self.announcer.candidates

    @classmethod
    async def open(
        cls,
        *,
        bind: Sequence[str] = ("0.0.0.0", "::"),
        port: int = 0,
        announce: Sequence[str] = (),
        stun: Sequence[str] = (),
        fast: bool = True,
        silence: float = 30.0,
        setup_timeout: float = 15.0,
        certificate: SharedCertificate | None = None,
        options: LinkOptions | None = None,
    ) -> Listener:
        """Bind `port` (0: any) on every address of `bind` and serve it.

        `announce`: what peers are told (:mod:`transport.announce`); default: the addresses of the machine. `stun`: URLs of the servers
        that are asked for the public ones. `options` has the rarer settings, and then stands for all that follow `stun`. Raises
        :class:`~protocol.errors.ConfigError` for an address that is none, OSError for one that cannot be bound.
        """
        if options is None:
            options = LinkOptions(fast=fast, silence=silence, setup_timeout=setup_timeout, certificate=certificate)
        read_words(announce)
        check_stun_urls(stun)
        listener = cls(bind_all(bind, port), announce, stun, options)
        logger.info("listening on UDP port %d, announced as %s", listener.port, ", ".join(map(shown, listener.announcer.told)))
        return listener

    @property
    def stats(self) -> ListenerStats:
        """The counters as they are now."""
        now = self._stats
        now.binding_requests, now.address_changes = self.ice.requests, self.ice.moved
        now.links, now.dropped = len(self._links), dict(self.ice.dropped)
        return now

    def offer(self, handler: LinkHandler) -> ListenerLink:
        """A new link with its offer in ``local_sdp``; gathers nothing, so it never waits. Raises RuntimeError once closed."""
        if self._closing:
            raise RuntimeError("the listener is closed")
        ufrag, pwd = _random_text(8), _random_text(24)
        peer = self.ice.add(ufrag, pwd, self._loop.time())
        link = self._links[peer] = ListenerLink(self, peer, handler, self._options, pwd)
        self._keep_time()
        return link

    async def close(self) -> None:
        """End every link, telling its peer, and close the sockets."""
        self._closing = True
        self.announcer.close()
        links = list(self._links.values())
        for link in links:
            link.close()
        if links:
            await asyncio.wait([asyncio.ensure_future(link.wait_closed()) for link in links], timeout=CLOSE_TIMEOUT_S)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for sock in self._sockets:
            sock.close()

    def transmit(self, data: bytes, path: Path) -> None:
        """Send one datagram, or lose it."""
        self._sockets[path[0]].send(data, path[1])

    def established(self, peer: IcePeer) -> None:
        """Its DTLS handshake is over."""
        self.ice.established(peer, self._loop.time())
        self._send_challenges()

    def forget(self, peer: IcePeer) -> None:
        """A link has ended."""
        self.ice.remove(peer)
        self._links.pop(peer, None)

    def _received(self, index: int, data: bytes, address: Address) -> None:
        path = (index, address)
        if self.announcer.is_asking and self.announcer.received(index, data, address):
            return
        now = self._loop.time()
        found = self.ice.datagram(data, path, now)
        if isinstance(found, IcePeer):
            link = self._links[found]
            if link.datagram(data):
                found.heard = now
            elif link.held_back:
                link.heard()
        elif found is not None:
            if found.data:
                self.transmit(found.data, path)
            self._links[found.peer].heard()
        if self.ice.challenges:
            self._send_challenges()

    def _send_challenges(self) -> None:
        challenges, self.ice.challenges = self.ice.challenges, []
        for data, path in challenges:
            self.transmit(data, path)

    def _keep_time(self) -> None:
        """One timer for the silence of all peers."""
        deadline = self.ice.next_deadline()
        if self._timer is None and deadline is not None and not self._closing:
            self._timer = self._loop.call_at(deadline, self._timed_out)

    def _timed_out(self) -> None:
        self._timer = None
        for peer in self.ice.expired(self._loop.time()):
            self._links[peer].expire()
        self._keep_time()


def _random_text(length: int) -> str:
    """ICE characters; 8 are 48 bits, 24 are 144 (RFC 8445 section 5.3 wants 24 and 128)."""
    return "".join(secrets.choice(_ICE_CHARS) for _ in range(length))
